"""Progress over recordings of real runs, and over events in any order at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_runner.events import (
    Cached,
    Event,
    Executed,
    Executing,
    Failed,
    NodeInterrupted,
    NodeProgress,
    NodeState,
    ProgressState,
    Started,
    Status,
    Succeeded,
)
from comfy_runner.graph import Graph
from comfy_runner.progress import Progress, Snapshot
from tests.comfy_runner import recordings

CHAIN: Graph = {
    "1": {"class_type": "EmptyImage", "inputs": {}},
    "2": {"class_type": "KSampler", "inputs": {"image": ["1", 0]}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0]}},
}


def replay(name: str) -> list[Snapshot]:
    progress = Progress(recordings.graph(name), prompt_id=recordings.prompt_id(name))
    return feed(progress, recordings.events(name))


def feed(progress: Progress, events: Iterable[Event]) -> list[Snapshot]:
    snapshots = [progress.feed(event) for event in events]
    return [snapshot for snapshot in snapshots if snapshot is not None]


def states(**nodes: tuple[float, float, str]) -> ProgressState:
    """Return the states of nodes `n1`, `n3_0_4` and so on; the part after n is the id."""
    ids = {name.removeprefix("n").replace("_", "."): state for name, state in nodes.items()}
    return ProgressState("p", {i: NodeState(*state, i.split(".")[0]) for i, state in ids.items()})


def complain(snapshots: list[Snapshot]) -> str | None:
    """Say which promise the snapshots break, if any."""
    for before, after in pairwise(snapshots):
        if after.progress < before.progress or after.nodes_done < before.nodes_done:
            return f"went back: {before} -> {after}"
        if after == before:
            return f"said twice: {after}"
    for each in snapshots:
        if not 0 <= each.progress <= 100 or each.nodes_done > each.nodes_total:
            return f"out of range: {each}"
        if (each.current_step is None) != (each.total_steps is None):
            return f"half a bar: {each}"
        if each.total_steps is not None and not 0 <= (each.current_step or 0) <= each.total_steps:
            return f"beyond its bar: {each}"
    return None


@pytest.mark.parametrize("name", recordings.names())
def test_a_recorded_run_only_goes_forward_and_is_at_100_only_on_success(name: str) -> None:
    snapshots = replay(name)
    succeeded = any(isinstance(event, Succeeded) for event in recordings.events(name))

    assert snapshots
    assert complain(snapshots) is None
    assert all(snapshot.progress < 100 for snapshot in snapshots[:-1])
    assert (snapshots[-1].progress == 100) == succeeded


@pytest.mark.parametrize("name", recordings.names())
def test_every_current_node_of_a_recorded_run_is_in_its_graph(name: str) -> None:
    graph = recordings.graph(name)
    assert {snapshot.current_node for snapshot in replay(name)} <= {None, *graph}


def test_every_step_of_a_sampler_is_a_snapshot() -> None:
    snapshots = replay("ksampler_t2i")

    def sampling(step: int, percent: int) -> Snapshot:
        return Snapshot(percent, "3", step, 6, nodes_done=4, nodes_total=7)

    # 33 in all: sampler, loader and decoder weigh 10, two encoders and the save node 1.
    assert snapshots == [
        Snapshot(0, None, nodes_done=1, nodes_total=7),
        Snapshot(0, "4", nodes_done=1, nodes_total=7),
        Snapshot(30, "4", nodes_done=2, nodes_total=7),
        Snapshot(30, "6", nodes_done=2, nodes_total=7),
        Snapshot(33, "6", nodes_done=3, nodes_total=7),
        Snapshot(33, "7", nodes_done=3, nodes_total=7),
        Snapshot(36, "7", nodes_done=4, nodes_total=7),
        Snapshot(36, "3", nodes_done=4, nodes_total=7),
        sampling(1, 41),
        sampling(2, 46),
        sampling(3, 51),
        sampling(4, 56),
        sampling(5, 61),
        sampling(6, 66),
        replace(sampling(6, 66), nodes_done=5),
        Snapshot(66, "8", nodes_done=5, nodes_total=7),
        Snapshot(96, "8", nodes_done=6, nodes_total=7),
        Snapshot(96, "9", nodes_done=6, nodes_total=7),
        Snapshot(99, "9", nodes_done=7, nodes_total=7),
        Snapshot(100, None, nodes_done=7, nodes_total=7),
    ]


def test_a_fully_cached_prompt_is_almost_done_at_once() -> None:
    assert replay("basic_cached") == [
        Snapshot(99, None, nodes_done=3, nodes_total=3),
        Snapshot(100, None, nodes_done=3, nodes_total=3),
    ]


def test_a_partly_cached_prompt_counts_only_what_is_left() -> None:
    assert replay("basic_partially_cached") == [
        Snapshot(0, None, nodes_done=2, nodes_total=3),
        Snapshot(0, "3", nodes_done=2, nodes_total=3),
        Snapshot(99, "3", nodes_done=3, nodes_total=3),
        Snapshot(100, None, nodes_done=3, nodes_total=3),
    ]


def test_nodes_made_while_running_move_their_own_node_and_are_never_counted() -> None:
    snapshots = replay("out_subgraph_expand")

    assert [(s.progress, s.current_node, s.nodes_done) for s in snapshots] == [
        (0, "1", 0),
        (25, "1", 1),
        (25, "3", 1),
        (27, "3", 1),
        (29, "3", 1),
        (31, "3", 1),
        (33, "3", 1),
        (50, "3", 2),
        (50, "4", 2),
        (75, "4", 3),
        (100, None, 4),
    ]


def test_known_outputs_leave_out_nodes_that_nothing_needs() -> None:
    name = "out_subgraph_expand"
    progress = Progress(recordings.graph(name), outputs=recordings.item(name)["prompt"][4])
    *_, before, last = feed(progress, recordings.events(name))
    assert before == Snapshot(99, "4", nodes_done=3, nodes_total=3)
    assert last == Snapshot(100, None, nodes_done=3, nodes_total=3)


def test_a_failed_run_stays_at_the_node_that_failed() -> None:
    assert replay("fail_value")[-1] == Snapshot(50, "2", nodes_done=2, nodes_total=4)


def test_an_interrupted_run_stays_at_its_step() -> None:
    assert replay("ksampler_interrupt")[-1] == Snapshot(7, "3", 3, 40, nodes_done=4, nodes_total=7)


def test_a_blocked_node_does_not_end_the_progress() -> None:
    assert replay("out_execution_blocked")[-1].progress == 100


def test_of_nodes_that_run_at_once_the_one_that_moved_last_is_current() -> None:
    progress = Progress(CHAIN)
    snapshots = feed(
        progress,
        [
            states(n1=(1, 4, "running"), n2=(0, 1, "running")),
            states(n1=(1, 4, "running"), n2=(1, 2, "running")),
            states(n1=(2, 4, "running"), n2=(1, 2, "running")),
        ],
    )
    assert [(s.current_node, s.current_step, s.total_steps) for s in snapshots] == [
        ("1", 1, 4),
        ("2", 1, 2),
        ("1", 2, 4),
    ]
    assert {s.current_node for s in replay("out_parallel_async")} >= {"2", "3"}


def test_other_prompts_are_ignored() -> None:
    progress = Progress(CHAIN, prompt_id="mine")
    others: list[Event] = [Executing("other", "2", "2"), Succeeded("other"), Status(3)]
    assert feed(progress, others) == []
    assert feed(progress, [Succeeded("mine")])[-1].progress == 100


def test_the_node_told_on_reconnecting_is_taken_although_it_names_no_prompt() -> None:
    progress = Progress(CHAIN, prompt_id="p")
    snapshots = feed(progress, [Executing(None, "2", None), states(n1=(1, 1, "finished"))])
    assert snapshots == [
        Snapshot(0, "2", nodes_total=3),
        Snapshot(8, "2", nodes_done=1, nodes_total=3),
    ]


def test_a_bar_that_restarts_keeps_the_progress_and_shows_the_new_step() -> None:
    progress = Progress(CHAIN)
    first, second, third = feed(
        progress,
        [
            states(n2=(3, 4, "running")),
            states(n2=(1, 8, "running")),
            states(n2=(7, 8, "running")),
        ],
    )
    assert (first.progress, first.current_step, first.total_steps) == (62, 3, 4)
    assert (second.progress, second.current_step, second.total_steps) == (62, 1, 8)
    assert (third.progress, third.current_step, third.total_steps) == (72, 7, 8)


def test_what_a_restarted_bar_had_reached_is_not_lost_to_the_whole() -> None:
    progress = Progress(CHAIN)
    *_, last = feed(
        progress,
        [
            states(n2=(3, 4, "running")),
            states(n2=(1, 8, "running")),
            states(n1=(1, 1, "finished"), n2=(1, 8, "running")),
        ],
    )
    assert last.progress == 70


def test_a_node_that_begins_beside_another_does_not_end_it() -> None:
    progress = Progress(CHAIN)
    feed(progress, [states(n1=(1, 4, "running")), Executing("p", "2", "2")])
    assert progress.snapshot == Snapshot(2, "2", nodes_done=0, nodes_total=3)


def test_the_states_alone_tell_which_node_is_current() -> None:
    (snapshot,) = feed(Progress(CHAIN), [states(n1=(1, 1, "finished"), n2=(0, 1, "running"))])
    assert (snapshot.current_node, snapshot.nodes_done) == ("2", 1)


def test_a_bar_of_one_is_no_bar() -> None:
    (snapshot,) = feed(Progress(CHAIN), [NodeProgress("p", "2", 1, 1)])
    assert (snapshot.current_step, snapshot.total_steps) == (None, None)
    assert snapshot.progress == 82


def test_a_bar_that_is_full_is_not_yet_a_node_that_is_done() -> None:
    (snapshot,) = feed(Progress(CHAIN), [states(n2=(4, 4, "running"))])
    assert (snapshot.progress, snapshot.nodes_done) == (82, 0)


def test_without_states_the_next_node_ends_the_one_before() -> None:
    snapshots = feed(
        Progress(CHAIN),
        [
            Started("p"),
            Cached("p", ()),
            Executing("p", "1", "1"),
            Executing("p", "2", "2"),
            NodeProgress("p", "2", 1, 2),
            Executing("p", "3", "3"),
            Executed("p", "3", "3", {"images": []}),
            Succeeded("p"),
            Executing("p", None, None),
        ],
    )
    assert snapshots == [
        Snapshot(0, "1", nodes_done=0, nodes_total=3),
        Snapshot(8, "2", nodes_done=1, nodes_total=3),
        Snapshot(50, "2", 1, 2, nodes_done=1, nodes_total=3),
        Snapshot(91, "3", nodes_done=2, nodes_total=3),
        Snapshot(99, "3", nodes_done=3, nodes_total=3),
        Snapshot(100, None, nodes_done=3, nodes_total=3),
    ]


def test_without_states_nodes_made_while_running_do_not_end_their_own_node() -> None:
    snapshots = feed(
        Progress(CHAIN),
        [
            Executing("p", "2", "2"),
            Executing("p", "2.0.0.1", "2"),
            Executing("p", "2.0.0.2", "2"),
            Executing("p", "3", "3"),
        ],
    )
    assert [(s.progress, s.current_node, s.nodes_done) for s in snapshots] == [
        (0, "2", 0),
        (8, "2", 0),
        (83, "3", 1),
    ]


def test_the_bar_of_a_node_made_while_running_is_shown_for_its_own_node() -> None:
    (snapshot,) = feed(Progress(CHAIN), [states(n2_0_0_1=(2, 4, "running"))])
    assert (snapshot.current_node, snapshot.current_step, snapshot.total_steps) == ("2", 2, 4)
    assert snapshot.nodes_done == 0


def test_an_id_of_any_shape_is_traced_to_the_node_it_came_from() -> None:
    made = ProgressState("p", {"made": NodeState(1, 4, "running", "2")})
    (snapshot,) = feed(Progress(CHAIN), [made])
    assert (snapshot.current_node, snapshot.current_step) == ("2", 1)


def test_a_node_whose_own_id_has_a_dot_or_colon_is_itself() -> None:
    graph: Graph = {
        "57": {"class_type": "A", "inputs": {}},
        "57.1": {"class_type": "B", "inputs": {"x": ["57", 0]}},
        "57:8": {"class_type": "C", "inputs": {"x": ["57.1", 0]}},
    }
    snapshots = feed(Progress(graph), [Executed("p", "57.1", None, None)])
    assert snapshots[-1].nodes_done == 1
    assert feed(Progress(graph), [Executing("p", "57:8", None)])[-1].current_node == "57:8"


def test_nothing_changes_after_the_end() -> None:
    for end in (Succeeded("p"), Failed("p", "2", "X", "ValueError", "no")):
        progress = Progress(CHAIN)
        feed(progress, [end])
        assert feed(progress, [Executing("p", "3", "3"), Succeeded("p")]) == []


def test_a_snapshot_is_plain_json() -> None:
    assert Snapshot(41, "3", 1, 6, 4, 7).to_json() == {
        "progress": 41,
        "current_node": "3",
        "current_step": 1,
        "total_steps": 6,
        "nodes_done": 4,
        "nodes_total": 7,
    }


IDS = st.sampled_from(["1", "2", "3", "2.0.0.1", "3.1", "nobody", ""])
NUMBERS = st.integers(-2, 9) | st.floats(-1e300, 1e300)
NODE_STATES = st.builds(
    NodeState, NUMBERS, NUMBERS, st.sampled_from(["running", "finished", "pending", "?"]), IDS
)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Cached, st.just("p"), st.lists(IDS, max_size=3).map(tuple)),
    st.builds(Executing, st.sampled_from(["p", None]), IDS | st.none(), IDS | st.none()),
    st.builds(NodeProgress, st.just("p"), IDS, NUMBERS, NUMBERS),
    st.builds(ProgressState, st.just("p"), st.dictionaries(IDS, NODE_STATES)),
    st.builds(Executed, st.just("p"), IDS, IDS | st.none(), st.none()),
    st.builds(Failed, st.just("p"), IDS, IDS, st.just("ExecutionBlocked"), st.text()),
    st.builds(Status, st.integers()),
)


@given(st.lists(EVENTS))
def test_no_events_at_all_make_it_go_back_or_reach_100(events: list[Event]) -> None:
    progress = Progress(CHAIN)
    snapshots = feed(progress, events)
    assert complain(snapshots) is None
    assert progress.snapshot.progress < 100
    assert progress.feed(Succeeded("p")) == Snapshot(100, None, nodes_done=3, nodes_total=3)


@given(st.data())
def test_a_recorded_run_in_any_order_and_number_only_goes_forward(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["ksampler_t2i", "out_subgraph_expand", "fail_value"]))
    events = recordings.events(name)
    picked = data.draw(st.lists(st.sampled_from(events), max_size=60))
    assert complain(feed(Progress(recordings.graph(name)), picked)) is None


def test_somebody_elses_interrupt_ends_it_where_it_was() -> None:
    progress = Progress(CHAIN)
    feed(progress, [states(n1=(1, 1, "finished"), n2=(2, 4, "running"))])
    feed(progress, [NodeInterrupted("p", "2", "KSampler"), Succeeded("p")])
    assert progress.snapshot == Snapshot(50, "2", 2, 4, nodes_done=1, nodes_total=3)
