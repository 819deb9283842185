"""Longer walks over our own code: Hypothesis chooses who goes on, who dies and what is lost."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.protocol.model.actor import Actor
from tests.protocol.model.checks import Violation
from tests.protocol.ours.parties import lists, polls, revokes, sends
from tests.protocol.ours.planted import PLANTED
from tests.protocol.ours.world import Act, Code, Kept, OurWorld, sweep

MOST = 5
"""How many may stand in the world at a time: more of them only wait longer for their turn."""

PARTIES: dict[str, Callable[[str], Act]] = {
    "submit": sends,
    "revoke": revokes,
    "poll": polls,
    "list": lambda key: lists,
    "tick": lambda key: sweep,
}

keys = st.sampled_from(["J", "K"])
any_of_them = st.integers(0, MOST - 1)


class Life(RuleBasedStateMachine):
    """Every rule is one thing that can happen next; the world's checks watch all of it."""

    def __init__(self, keep: Callable[[], Kept], code: Code) -> None:
        super().__init__()
        self.world = OurWorld(code, keep(), {})
        self.entered = 0

    def alive(self) -> list[Actor]:
        return [actor for actor in self.world.actors if self.world.ready(actor)]

    def bodies(self) -> list[Actor]:
        return [actor for actor in self.alive() if actor.op[0] == "body"]

    def on_their_way(self) -> list[int]:
        calls = enumerate(self.world.calls)
        return [c for c, call in calls if call.sent < 3 and not call.lost and self.due(c)]

    def due(self, c: int) -> bool:
        return self.world.is_due(self.world.calls[c])

    @rule(what=st.sampled_from([*PARTIES, "submit"]), key=keys)
    def enter(self, what: str, key: str) -> None:
        self.entered += 1
        if len(self.alive()) < MOST:
            self.world.enter(f"{what}{self.entered}", PARTIES[what](key))

    @precondition(lambda self: self.on_their_way())
    @rule(which=any_of_them)
    def deliver(self, which: int) -> None:
        calls = self.on_their_way()
        if len(self.alive()) < MOST:
            self.world.deliver(calls[which % len(calls)])

    @precondition(lambda self: self.alive())
    @rule(which=any_of_them, steps=st.integers(1, 12))
    def go_on(self, which: int, steps: int) -> None:
        actor = self.alive()[which % len(self.alive())]
        while steps and self.world.ready(actor):
            self.world.step(actor)
            steps -= 1

    @precondition(lambda self: self.alive())
    @rule(which=any_of_them)
    def go_on_to_the_end(self, which: int) -> None:
        actor = self.alive()[which % len(self.alive())]
        while self.world.ready(actor):
            self.world.step(actor)

    @precondition(lambda self: self.bodies())
    @rule(which=any_of_them, outcome=st.sampled_from(["retry", "handed", "leave", "fail"]))
    def end_otherwise(self, which: int, outcome: str) -> None:
        self.bodies()[which % len(self.bodies())].advance(outcome)

    @rule(what=st.sampled_from(["crash", "lose", "jump", "beat"]), which=any_of_them)
    def go_wrong(self, what: str, which: int) -> None:
        if what in {"jump", "beat"}:
            self.world.jump(beating=what == "beat")
        elif what == "lose" and self.world.calls:
            self.world.calls[which % len(self.world.calls)].lost = True
        elif what == "crash" and self.alive():
            self.world.crash(self.alive()[which % len(self.alive())])

    def teardown(self) -> None:
        try:
            while ready := self.alive():
                self.world.step(ready[0])
            self.world.quiesce()
        finally:
            self.world.close()


def live(
    code: Code,
    keep: Callable[[], Kept],
    lives: int,
    *,
    steps: int = 40,
    phases: Collection[Phase] = tuple(Phase),
) -> None:
    class Chosen(Life):
        def __init__(self) -> None:
            super().__init__(keep, code)

    run_state_machine_as_test(
        Chosen,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            phases=phases,
            report_multiple_bugs=False,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )


@pytest.mark.usefixtures("tasks")
def test_no_life_breaks_our_code(keep_anywhere: Callable[[], Kept]) -> None:
    live(Code(), keep_anywhere, 250 if keep_anywhere is Kept.in_memory else 50)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("tasks")
def test_no_life_of_very_many_breaks_our_code(keep: Callable[[], Kept]) -> None:
    live(Code(), keep, 8000 if keep is Kept.in_memory else 800, steps=80)


@pytest.mark.usefixtures("tasks")
@pytest.mark.parametrize("rule", ["claim-then-look", "wait-for-beat"])
def test_a_life_shows_what_code_without_a_rule_does(rule: str) -> None:
    with pytest.raises(Violation):
        live(PLANTED[rule].code, Kept.in_memory, 300, phases=[Phase.generate])
