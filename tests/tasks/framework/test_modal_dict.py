"""Records in Modal's Dicts when answers are lost, entries lapse and others interfere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import modal
import pytest
from grpclib.const import Status
from modal import exception

from tasks.framework.errors import RecordsUnavailable
from tasks.framework.stores import Json
from tasks.framework.stores.modal_dict import ModalDictStore
from tests.modal_stand_in import StandIn, stand_in

pytestmark = pytest.mark.live

FIRST, SECOND = {"n": 1}, {"n": 2}


@pytest.fixture(scope="module")
def forgetful() -> Iterator[StandIn]:
    """Give a server that applies a call sent again a second time: the worst case."""
    with stand_in(dedupe_retries=False) as started:
        yield started


def test_an_add_whose_answer_was_lost_has_won(forgetful: StandIn) -> None:
    store = forgetful.store()
    store.get("job:1")
    forgetful.server.fault("DictUpdate", when="after")
    assert store.add("job:1", FIRST) is True
    assert store.add("job:1", FIRST) is False
    assert store.get("job:1") == FIRST


def test_an_add_that_came_too_late_has_lost_even_if_its_answer_was_lost(
    forgetful: StandIn,
) -> None:
    store = forgetful.store()
    store.add("job:1", FIRST)
    forgetful.server.fault("DictUpdate", when="after")
    assert store.add("job:1", FIRST) is False


def test_of_two_adders_of_one_value_who_hear_nothing_one_wins(forgetful: StandIn) -> None:
    store = forgetful.store()
    store.get("job:1")
    forgetful.server.fault("DictUpdate", when="after", n=3)
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(lambda _: store.add("job:1", FIRST), range(4))) == [0, 0, 0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("status", [Status.UNAVAILABLE, Status.RESOURCE_EXHAUSTED])
def test_every_call_is_made_again_when_its_trouble_may_be_over(
    forgetful: StandIn, when: Literal["before", "after"], status: Status
) -> None:
    store = forgetful.store()
    calls: dict[str, Callable[[], object]] = {
        "DictGetOrCreate": lambda: store.put("a:1", FIRST),
        "DictUpdate": lambda: store.put("a:1", FIRST),
        "DictGet": lambda: store.get("a:1"),
        "DictPop": lambda: store.delete("a:1"),
    }
    for rpc, call in calls.items():
        forgetful.server.fault(rpc, when=when, status=status)
        call()
    assert store.get("a:1") is None


class Torn(ModalDictStore):
    """A store whose first scan breaks off in the middle."""

    torn = False

    def _dict(self, part: str) -> Any:
        whole = super()._dict(part)
        return whole if self.torn else self

    def items(self) -> Iterator[tuple[str, str]]:
        self.torn = True
        yield "a:0", "{}"
        raise exception.ServiceError("the connection is gone")


def test_a_scan_that_breaks_off_begins_again_and_tells_each_record_once(
    forgetful: StandIn,
) -> None:
    whole = forgetful.store("torn")
    for n in range(3):
        whole.put(f"a:{n}", {"n": n})
    torn = Torn("torn", client=forgetful.client)
    assert [key for key, _ in torn.scan("a:")] == ["a:0", "a:1", "a:2"]
    assert torn.torn


@pytest.mark.slow
def test_trouble_that_stays_is_raised_in_the_end(forgetful: StandIn) -> None:
    store = forgetful.store()
    store.get("a:1")
    forgetful.server.fault("DictGet", n=16)  # four times four, and no more
    with pytest.raises(RecordsUnavailable, match="ServiceError"):
        store.get("a:1")
    assert store.get("a:1") is None


def test_what_is_no_trouble_of_the_moment_is_raised_at_once(forgetful: StandIn) -> None:
    store = forgetful.store()
    store.get("a:1")
    forgetful.server.fault("DictGet", n=1, status=Status.PERMISSION_DENIED)
    with pytest.raises(exception.PermissionDeniedError):
        store.get("a:1")


class Disturbed(ModalDictStore):
    """A store on which something happens between the reading and the taking of a value."""

    happening: Callable[[], object] = staticmethod(lambda: None)

    def _take(self, key: str, if_value: Json | None) -> None:
        self.happening()
        super()._take(key, if_value)


def test_a_value_that_took_the_place_of_the_one_to_delete_is_put_back(forgetful: StandIn) -> None:
    store = Disturbed("replaced", client=forgetful.client)
    store.put("slot:1", FIRST)
    store.happening = lambda: store.put("slot:1", SECOND)
    store.delete("slot:1", if_value=FIRST)
    assert store.get("slot:1") == SECOND


def test_a_value_that_somebody_else_deleted_meanwhile_stays_deleted(forgetful: StandIn) -> None:
    store = Disturbed("gone", client=forgetful.client)
    store.put("slot:1", FIRST)
    store.happening = lambda: ModalDictStore("gone", client=forgetful.client).delete("slot:1")
    store.delete("slot:1", if_value=FIRST)
    assert store.get("slot:1") is None


def test_what_one_process_wrote_another_one_reads(forgetful: StandIn) -> None:
    forgetful.store("shared").put("job:1", FIRST)
    assert forgetful.store("shared").get("job:1") == FIRST
    assert forgetful.store("shared-not").get("job:1") is None


def test_apps_whose_names_begin_alike_do_not_meet(forgetful: StandIn) -> None:
    forgetful.store("one").put("job:1", FIRST)
    forgetful.store("one-more").put("job:2", SECOND)
    assert [key for key, _ in forgetful.store("one").scan("")] == ["job:1"]
    assert [key for key, _ in forgetful.store("one-more").scan("jo")] == ["job:2"]


def test_a_dict_that_somebody_deleted_is_made_anew(forgetful: StandIn) -> None:
    store = forgetful.store("lost")
    store.put("job:1", FIRST)
    modal.Dict.objects.delete("lost-job", client=forgetful.client)
    forgetful.server.fault("DictGet", status=Status.NOT_FOUND)  # as Modal answers then
    assert store.get("job:1") is None
    assert store.add("job:1", SECOND) is True


@pytest.mark.parametrize("key", ["", "Job:1", "a-b:1", ":1", "x" * 31 + ":1"])
def test_a_key_that_cannot_name_a_dict_is_refused(forgetful: StandIn, key: str) -> None:
    with pytest.raises(ValueError, match="lower-case"):
        forgetful.store().put(key, FIRST)
