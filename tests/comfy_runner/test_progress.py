"""Progress over events made for each rule: what is current, what a bar says, what is done."""

from __future__ import annotations

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
from tests.comfy_runner.progress_feeds import CHAIN, feed, replay, states


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


def test_somebody_elses_interrupt_ends_it_where_it_was() -> None:
    progress = Progress(CHAIN)
    feed(progress, [states(n1=(1, 1, "finished"), n2=(2, 4, "running"))])
    feed(progress, [NodeInterrupted("p", "2", "KSampler"), Succeeded("p")])
    assert progress.snapshot == Snapshot(50, "2", 2, 4, nodes_done=1, nodes_total=3)
