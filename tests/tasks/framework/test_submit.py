"""Committing a run: same id same run, limits, and submissions that died."""

from __future__ import annotations

import pytest

from tasks.framework import IdTaken, LimitReached, State
from tasks.framework.records import Ending
from tasks.framework.tick import purge, tick
from tests.tasks.framework.rig import Rig, claim, request


def test_the_same_id_is_the_same_run_and_is_sent_once(rig: Rig) -> None:
    assert rig.protocol.submit(request()) == "J"
    assert rig.protocol.submit(request()) == "J"

    assert rig.backend.sent == 1


def test_the_same_id_with_another_request_is_refused(rig: Rig) -> None:
    rig.protocol.submit(request())

    with pytest.raises(IdTaken, match="'J'"):
        rig.protocol.submit(request(digest="other"))


def test_a_finished_run_is_not_run_again_even_when_only_the_archive_knows_it(rig: Rig) -> None:
    rig.protocol.submit(request())
    claim(rig)
    rig.protocol.end("J", Ending(State.SUCCEEDED))
    purge(rig.protocol, older_than=-1)

    assert rig.protocol.submit(request()) == "J"
    assert rig.backend.sent == 1
    with pytest.raises(IdTaken):
        rig.protocol.submit(request(digest="other"))


def test_an_owner_may_not_have_more_unfinished_runs_than_the_limit(rig: Rig) -> None:
    rig.protocol.submit(request("A", owner="o"), limit=2)
    rig.protocol.submit(request("B", owner="o"), limit=2)

    with pytest.raises(LimitReached) as caught:
        rig.protocol.submit(request("C", owner="o"), limit=2)
    assert caught.value.limit == 2
    assert rig.protocol.job("C") is None  # nothing was written

    rig.protocol.submit(request("D", owner="another"), limit=2)
    rig.protocol.submit(request("E", owner="o", task="another"), limit=2)


def test_a_finished_run_frees_its_place(rig: Rig) -> None:
    rig.protocol.submit(request(owner="o"), limit=1)
    rig.protocol.revoke("J")

    rig.protocol.submit(request("K", owner="o"), limit=1)


def test_a_submission_shares_the_place_that_an_earlier_try_took(rig: Rig) -> None:
    rig.protocol.claim_slot(request(owner="o"), 1)  # ... and died before it committed

    assert rig.protocol.submit(request(owner="o"), limit=1) == "J"


def test_an_abandoned_submission_is_voided_and_its_id_moves_on(rig: Rig) -> None:
    rig.protocol.claim_slot(request(owner="o"), 1)
    rig.clock.now += 10
    tick(rig.protocol)

    assert rig.protocol.submit(request(owner="o"), limit=1) == "J+"
    assert rig.protocol.submit(request(owner="o"), limit=1) == "J+"
