"""The protocol's model holds in every scenario, and each of its rules is there for a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocol.model.explore import Found, dfs, walks
from tests.protocol.model.mutations import FOCUS, LIMITS, mutate
from tests.protocol.model.scenarios import SCENARIOS, make
from tests.protocol.ours.planted import PLANTED

SMALL = ("submit, crash", "retry", "retry, crash", "two jobs")
"""Scenarios whose every interleaving fits in a short search."""

TAKEN_BACK = {"late finisher", "all", "all, later"}
"""Where a store without compare-and-set may exceed the limit, by one (docs/protocol.md)."""

each_flavour = pytest.mark.parametrize("flavour", ["sqlite", "dict"])
each_scenario = pytest.mark.parametrize("name", SCENARIOS)


def told(found: Found) -> str:
    return "\n".join([found.text or "clean", *found.log])


def assert_clean(name: str, flavour: str, paths: int) -> None:
    found = dfs(make(name, flavour), paths)
    if not found.complete and not found.text:
        found = walks(make(name, flavour), paths)
    if flavour == "dict" and name in TAKEN_BACK and found.check == LIMITS:
        return
    assert found.text is None, told(found)


@each_flavour
@each_scenario
def test_no_interleaving_breaks_the_protocol(name: str, flavour: str) -> None:
    assert_clean(name, flavour, 100)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@each_flavour
@each_scenario
def test_no_interleaving_of_very_many_breaks_the_protocol(name: str, flavour: str) -> None:
    assert_clean(name, flavour, 1500)


@pytest.mark.parametrize("name", SMALL)
def test_a_small_scenario_is_searched_completely(name: str) -> None:
    assert dfs(make(name), 1000).complete


@pytest.mark.parametrize("rule", [rule for rule, each in FOCUS.items() if each.breaks])
def test_a_protocol_that_lacks_a_rule_is_caught(rule: str) -> None:
    assert FOCUS[rule].breaks in mutate(rule, 3000)


@pytest.mark.parametrize("rule", [rule for rule, each in FOCUS.items() if not each.breaks])
def test_a_rule_that_others_cover_can_be_dropped_unnoticed(rule: str) -> None:
    assert mutate(rule, 100) == {}


def test_a_search_finds_the_same_each_time() -> None:
    once, again = (walks(make("all", drop=["void"]), 300) for _ in range(2))
    assert told(once) == told(again)


def test_the_table_of_rules_is_that_of_the_documentation() -> None:
    text = Path(__file__).parents[2].joinpath("docs", "protocol.md").read_text(encoding="utf-8")
    table = text.split("## What each rule is there for")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()]
    written = {row[0]: (row[1].split(":")[0], row[3]) for row in rows if len(row) == 4}
    for rule, mutation in FOCUS.items():
        planted = PLANTED[rule].scenario if rule in PLANTED else "–"  # noqa: RUF001
        assert written[rule] == (mutation.breaks or "nothing", planted)
    assert len(written) == len(FOCUS) + 2  # the heading and its line
