"""Our own code, stopped before every operation of its store, holds in every interleaving tried."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.protocol.model.explore import Found, dfs, walks
from tests.protocol.ours.planted import PLANTED
from tests.protocol.ours.scenarios import SCENARIOS, make
from tests.protocol.ours.world import Kept

pytestmark = pytest.mark.usefixtures("tasks")

each_scenario = pytest.mark.parametrize("name", SCENARIOS)


def told(found: Found) -> str:
    return "\n".join([found.text or "clean", *found.log])


def assert_clean(name: str, keep: Callable[[], Kept], paths: int) -> None:
    for search in (dfs, walks):
        found = search(make(name, keep=keep), paths)
        assert found.text is None, told(found)


@each_scenario
def test_no_interleaving_breaks_our_code(name: str, keep_anywhere: Callable[[], Kept]) -> None:
    assert_clean(name, keep_anywhere, 15 if keep_anywhere is Kept.in_memory else 4)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@each_scenario
def test_no_interleaving_of_very_many_breaks_our_code(name: str, keep: Callable[[], Kept]) -> None:
    assert_clean(name, keep, 300 if keep is Kept.in_memory else 40)


@pytest.mark.parametrize("rule", PLANTED)
def test_code_that_lacks_a_rule_is_caught(rule: str) -> None:
    planted = PLANTED[rule]
    found = walks(make(planted.scenario, planted.code), 3000, wanted=planted.breaks)
    assert found.check == planted.breaks, told(found)


def test_the_same_search_takes_the_same_paths() -> None:
    planted = PLANTED["never-mark"]
    once, again = (walks(make(planted.scenario, planted.code), 200) for _ in range(2))
    assert once.text
    assert told(once) == told(again)


def test_an_actor_that_crashed_writes_nothing_any_more() -> None:
    world = make("submit, crash")()
    try:
        submitter = world.actors[0]
        world.runs(submitter, "put")
        world.crash(submitter)
        assert [key for key, _ in world.kept.store.scan("")] == ["job:J", "slot:t:o:0"]
        world.quiesce()
    finally:
        world.close()
