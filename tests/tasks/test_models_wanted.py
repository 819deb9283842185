from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps import App, Model
from tasks import models_wanted
from tasks.models_wanted import AGAIN_SECONDS, PAUSES, ensure
from tests.tasks.framework.rig import Rig

ONE = App(name="a", models=(Model(folder="vae", file="x.safetensors", repo="o/r"),))
MORE = App(name="a", models=(*ONE.models, Model(folder="loras", file="y", repo="o/r")))


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig().configured() as rig:
        yield rig


class Pulls:
    """Counts how often a download was begun."""

    def __init__(self) -> None:
        self.begun = 0

    def __call__(self) -> None:
        self.begun += 1


def test_new_models_are_downloaded_once(rig: Rig) -> None:
    pulls = Pulls()
    assert ensure(ONE, pulls)
    assert not ensure(ONE, pulls)
    assert pulls.begun == 1


def test_an_app_without_models_downloads_none(rig: Rig) -> None:
    pulls = Pulls()
    assert not ensure(App(name="a"), pulls)
    assert pulls.begun == 0


def test_another_list_of_models_is_downloaded_anew(rig: Rig) -> None:
    pulls = Pulls()
    ensure(ONE, pulls)
    models_wanted.note_done(ONE)
    assert ensure(MORE, pulls)
    assert pulls.begun == 2


def test_a_download_that_was_lost_is_begun_again_in_the_end(rig: Rig) -> None:
    pulls = Pulls()
    ensure(ONE, pulls)
    rig.clock.now += AGAIN_SECONDS - 1
    assert not ensure(ONE, pulls)
    rig.clock.now += 1
    assert ensure(ONE, pulls)
    assert not ensure(ONE, pulls)


def test_a_download_that_failed_is_begun_again_after_a_pause(rig: Rig) -> None:
    pulls = Pulls()
    ensure(ONE, pulls)
    models_wanted.note_failed(ONE)
    assert not ensure(ONE, pulls)
    rig.clock.now += PAUSES[0]
    assert ensure(ONE, pulls)


def test_one_that_fails_again_and_again_is_left_to_a_person(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    pulls = Pulls()
    for _ in range(3 * 24 * 60):
        if ensure(ONE, pulls):
            models_wanted.note_failed(ONE)
        rig.clock.now += 60
    assert pulls.begun == len(PAUSES) + 1
    assert "models pull --on modal" in caplog.text


def test_a_download_by_hand_ends_the_failures(rig: Rig) -> None:
    for _ in range(len(PAUSES) + 1):
        models_wanted.note_failed(ONE)
    models_wanted.note_done(ONE)
    rig.clock.now += AGAIN_SECONDS
    assert not ensure(ONE, Pulls())


@pytest.mark.parametrize("failures", [0, 1])
def test_a_download_that_could_not_be_begun_is_tried_at_the_next_look(
    rig: Rig, failures: int
) -> None:
    def refused() -> None:
        raise RuntimeError("the queue is full")

    for _ in range(failures):
        models_wanted.note_failed(ONE)
    rig.clock.now += PAUSES[0]
    with pytest.raises(RuntimeError, match="full"):
        ensure(ONE, refused)
    assert ensure(ONE, Pulls())


def test_what_is_done_stays_done(rig: Rig) -> None:
    pulls = Pulls()
    ensure(ONE, pulls)
    models_wanted.note_done(ONE)
    rig.clock.now += 10 * AGAIN_SECONDS
    assert not ensure(ONE, pulls)
