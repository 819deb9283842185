"""Progress over events in any order at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from comfy_runner.events import (
    Cached,
    Event,
    Executed,
    Executing,
    Failed,
    NodeProgress,
    NodeState,
    ProgressState,
    Status,
    Succeeded,
)
from comfy_runner.progress import Progress, Snapshot
from tests.comfy_runner import recordings
from tests.comfy_runner.progress_feeds import CHAIN, complain, feed

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
