"""Whether we accept and refuse what the real ComfyUI does, for the same nodes and reasons."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from comfy_runner.catalog import Catalog
from comfy_runner.server import ComfyServer
from tests.comfy_runner.validation.agreement import disagreement
from tests.comfy_runner.validation.live_answers import Answer, Asker
from tests.comfy_runner.validation.mutations import Mutator
from tests.comfy_runner.validation.valid_graphs import Maker

pytestmark = pytest.mark.live

REASONS = (
    *("invalid_prompt", "prompt_no_outputs", "prompt_outputs_failed_validation"),
    *("required_input_missing", "bad_linked_input", "return_type_mismatch", "invalid_input_type"),
    *("value_smaller_than_min", "value_bigger_than_max", "value_not_in_list"),
    *("custom_validation_failed", "exception_during_validation"),
    *("exception_during_inner_validation", "accepted", "partly accepted", "circle", "500"),
)
"""Every way in which ComfyUI 0.3.75 answers a graph."""


@pytest.fixture
def asker(server: ComfyServer) -> Iterator[Asker]:
    asking = Asker(server.url)
    yield asking
    asking.close()


def generated(catalog: Catalog, seed: int, count: int) -> list[tuple[list[str], Any]]:
    """Return graphs, a quarter of them valid, with what was done to each."""
    chance = random.Random(seed)
    maker = Maker(catalog, chance)
    mutate = Mutator(maker, chance)
    made = []
    for _ in range(count):
        graph = maker.graph()
        done = [mutate(graph) for _ in range(chance.choice((0, 0, 1, 1, 1, 1, 2, 2, 3)))]
        made.append((done, graph))
    return made


def reasons(answer: Answer) -> set[str]:
    """Return the names of all that an answer says."""
    said = {kind for told in answer.nodes.values() for kind, _ in told}
    said |= {answer.error} if answer.error else set()
    said |= {"accepted"} if answer.accepted else set()
    said |= {"partly accepted"} if answer.dropped else set()
    said |= {"500"} if answer.status == 500 else set()
    silent = answer.dropped or answer.error == "prompt_outputs_failed_validation"
    # of nodes that feed each other it says nothing, or that the stack was not deep enough
    return said | ({"circle"} if silent and set(answer.nodes) <= answer.stack_overflows else set())


def compare(catalog: Catalog, asker: Asker, *, seed: int, count: int) -> Counter[str]:
    """Fail at the first graph that we judge otherwise than ComfyUI; return what it said."""
    graphs = generated(catalog, seed, count)
    said: Counter[str] = Counter()
    unbroken = 0
    for (done, graph), answer in zip(graphs, asker.ask([g for _, g in graphs]), strict=True):
        said.update(reasons(answer))
        unbroken += not done and answer.accepted
        difference = disagreement(graph, answer, catalog)
        shown = json.dumps(graph, ensure_ascii=False)
        assert difference is None, f"seed {seed}, after {done}: {difference}\n{shown}"
        assert done or answer.accepted, f"seed {seed}: no valid graph after all\n{shown}"
    print(f"\n{count} graphs of seed {seed}, {unbroken} of them valid by making:")  # noqa: T201
    print("\n".join(f"  {said[reason]:>6} {reason}" for reason in REASONS))  # noqa: T201
    return said


def test_four_hundred_generated_graphs_are_judged_as_comfyui_judges_them(
    live_catalog: Catalog, asker: Asker
) -> None:
    said = compare(live_catalog, asker, seed=4, count=400)

    never = [reason for reason in REASONS if not said[reason]]
    assert never == [], "these answers of ComfyUI were never provoked"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_thousands_of_generated_graphs_are_judged_as_comfyui_judges_them(
    live_catalog: Catalog, asker: Asker, seed: int
) -> None:
    said = compare(live_catalog, asker, seed=seed, count=1000)

    assert [reason for reason in REASONS if not said[reason]] == []
