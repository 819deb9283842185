from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps import App, Model
from tasks import models_wanted
from tasks.models_wanted import AGAIN_SECONDS, ensure
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


def test_a_download_that_failed_is_begun_again_at_the_next_look(rig: Rig) -> None:
    pulls = Pulls()
    ensure(ONE, pulls)
    models_wanted.note_failed(ONE)
    assert ensure(ONE, pulls)


def test_what_is_done_stays_done(rig: Rig) -> None:
    pulls = Pulls()
    ensure(ONE, pulls)
    models_wanted.note_done(ONE)
    rig.clock.now += 10 * AGAIN_SECONDS
    assert not ensure(ONE, pulls)
