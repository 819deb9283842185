"""Progress over recordings of real runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from comfy_runner.events import Succeeded
from comfy_runner.progress import Progress, Snapshot
from tests.comfy_runner import recordings
from tests.comfy_runner.progress_feeds import complain, feed, replay


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
