"""Finding a path on which something breaks: depth-first search, and seeded random walks.

Bounded by a number of paths, never by seconds: what is found does not depend on the machine.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.protocol.model.checks import Violation
from tests.protocol.model.world import Choice, World

DISASTERS = 0.08
"""How often a walk prefers something going wrong to somebody's next step."""

OUTCOMES = 0.4
"""How often a body does not end well, if it may choose."""


@dataclass
class Found:
    """What a search did, and the shortest violation that it met, if any."""

    paths: int = 0
    states: int = 0
    complete: bool = False
    text: str | None = None
    log: list[str] = field(default_factory=list)

    @property
    def check(self) -> str | None:
        return self.text.split(":")[0] if self.text else None

    def note(self, text: str, log: list[str]) -> None:
        if self.text is None or len(log) < len(self.log):
            self.text, self.log = text, list(log)


def dfs(make: Callable[[], World], paths: int) -> Found:
    """Walk through every interleaving, up to so many paths; stop at the first violation."""
    seen: set[int] = set()
    stack: list[tuple[Choice, ...]] = [()]
    found = Found()
    while stack and found.paths < paths:
        found.paths += 1
        path, world = stack.pop(), make()
        try:
            for choice in path:
                world.apply(choice)
            stack.extend(_descend(world, path, seen))
        except Violation as violation:
            found.note(str(violation), world.log)
            break
        finally:
            world.close()
    found.states = len(seen)
    found.complete = not stack and not found.text
    return found


def _descend(world: World, path: tuple[Choice, ...], seen: set[int]) -> list[tuple[Choice, ...]]:
    """Take the first choice again and again; return the ways not taken."""
    aside: list[tuple[Choice, ...]] = []
    while not world.quiet:
        print_of = world.fingerprint()
        if print_of in seen:
            break
        seen.add(print_of)
        first, *rest = world.choices()
        aside.extend((*path, choice) for choice in rest)
        path = (*path, first)
        world.apply(first)
    return aside


def walks(
    make: Callable[[], World], paths: int, *, seed: int = 0, wanted: str | None = None
) -> Found:
    """Walk at random, so many times, or until a check fails: any, or the one that is wanted."""
    rng, found = random.Random(seed), Found()
    while found.paths < paths and (found.text is None or wanted not in {None, found.check}):
        found.paths += 1
        world = make()
        try:
            _wander(world, rng)
        except Violation as violation:
            if str(violation).startswith(f"{wanted}:"):
                found.text = None
            found.note(str(violation), world.log)
        finally:
            world.close()
    return found


def _wander(world: World, rng: random.Random) -> None:
    """One walk: long runs of one actor, sudden changes, rare disasters."""
    current, switch = -1, rng.choice([0.05, 0.2, 0.5])
    while not world.quiet:
        choices = world.choices()
        steps = [choice for choice in choices if choice[0] == "step"]
        ends = [choice for choice in choices if choice[0] in {"retry", "hand", "leave", "fail"}]
        other = [choice for choice in choices if choice[0] != "step" and choice not in ends]
        if ends and rng.random() < OUTCOMES:
            chosen = rng.choice(ends)
        elif other and (not steps or rng.random() < DISASTERS):
            chosen = rng.choice(other)
        elif ("step", current) in steps and rng.random() > switch:
            chosen = ("step", current)
        else:
            chosen = rng.choice(steps)
            current = chosen[1]
        world.apply(chosen)
