"""Frames of real runs, and frames that nobody should have sent."""

from __future__ import annotations

import json
from typing import Any

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
    Picture,
    ProgressState,
    Started,
    Status,
    Succeeded,
    parse,
)
from tests.comfy_runner import recordings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
KINDS = (
    "status",
    "execution_start",
    "execution_cached",
    "executing",
    "progress",
    "progress_state",
    "executed",
    "execution_success",
    "execution_error",
    "execution_interrupted",
)
FIELDS = ("prompt_id", "node", "nodes", "value", "max", "node_id", "output", "status", "state")


def frame(kind: str, **data: Any) -> str:
    return json.dumps({"type": kind, "data": data})


@pytest.mark.parametrize(
    ("text", "event"),
    [
        (frame("status", status={"exec_info": {"queue_remaining": 2}}, sid="x"), Status(2)),
        (frame("execution_start", prompt_id="p", timestamp=1), Started("p")),
        (frame("execution_cached", prompt_id="p", nodes=["1", "2"]), Cached("p", ("1", "2"))),
        (
            frame("executing", prompt_id="p", node="3.0.0.1", display_node="3"),
            Executing("p", "3.0.0.1", "3"),
        ),
        (frame("executing", prompt_id="p", node=None), Executing("p", None, None)),
        (frame("executing", node="3"), Executing(None, "3", None)),
        (
            frame("progress", prompt_id="p", node="3", value=1, max=6),
            NodeProgress("p", "3", 1.0, 6.0),
        ),
        (
            frame(
                "progress_state",
                prompt_id="p",
                nodes={
                    "3.1": {"value": 1, "max": 6, "state": "running", "real_node_id": "3"},
                    "4": {"value": 1, "max": 1, "state": "finished"},
                },
            ),
            ProgressState(
                "p",
                {
                    "3.1": NodeState(1.0, 6.0, "running", "3"),
                    "4": NodeState(1.0, 1.0, "finished", "4"),
                },
            ),
        ),
        (
            frame("executed", prompt_id="p", node="9", display_node="9", output={"images": []}),
            Executed("p", "9", "9", {"images": []}),
        ),
        (
            frame("executed", prompt_id="p", node="9", output=None),
            Executed("p", "9", None, None),
        ),
        (frame("execution_success", prompt_id="p", timestamp=1), Succeeded("p")),
        (
            frame(
                "execution_error",
                prompt_id="p",
                node_id="2",
                node_type="FailNode",
                exception_type="ValueError",
                exception_message="no",
                traceback=["/secret/path"],
                current_inputs={"text": ["secret prompt"]},
            ),
            Failed("p", "2", "FailNode", "ValueError", "no"),
        ),
        (
            frame("execution_interrupted", prompt_id="p", node_id="3", node_type="KSampler"),
            NodeInterrupted("p", "3", "KSampler"),
        ),
    ],
)
def test_each_kind_of_message_becomes_its_event(text: str, event: Event) -> None:
    assert parse(text) == event


@pytest.mark.parametrize("name", recordings.names())
def test_every_recorded_frame_that_matters_is_understood(name: str) -> None:
    for recorded in recordings.frames(name):
        known = isinstance(recorded, str) and json.loads(recorded)["type"] in KINDS
        assert (parse(recorded) is not None) == known


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0\0\0\3\0\0\0\1\xff\xd8",
        b"\0\0\0\1\0\0\0\1",
        b'{"type": "execution_success", "data": {"prompt_id": "p"}}',
        "",
        "{",
        "null",
        "[]",
        '"status"',
        '{"type": ["status"], "data": {}}',
        frame("crystools.monitor", cpu=3),
        frame("execution_start"),
        frame("execution_start", prompt_id=None),
        frame("progress", prompt_id="p", node="3", value="1", max=6),
        frame("progress", prompt_id="p", node="3", value=True, max=6),
        frame("progress", prompt_id=True, node="3", value=1, max=6),
        frame("progress", prompt_id="p", node="3", value=float("nan"), max=6),
        frame("progress", prompt_id="p", node="3", value=1, max=10**400),
        frame("progress_state", prompt_id="p", nodes=[]),
        "[" * 100_000,
    ],
)
def test_an_unknown_or_broken_frame_is_no_event(garbage: str | bytes) -> None:
    assert parse(garbage) is None


def test_a_blocked_node_does_not_end_the_prompt_but_an_error_does() -> None:
    (blocked,) = [e for e in recordings.events("out_execution_blocked") if isinstance(e, Failed)]
    (failed,) = [e for e in recordings.events("fail_value") if isinstance(e, Failed)]
    assert not blocked.terminal
    assert failed.terminal


@given(st.text() | st.binary())
def test_no_text_or_bytes_make_it_raise(data: str | bytes) -> None:
    parse(data)


@given(st.sampled_from(KINDS), JSON | st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_no_data_under_a_known_type_makes_it_raise(kind: str, data: Any) -> None:
    parse(json.dumps({"type": kind, "data": data}))


def test_a_picture_arrives_as_the_bytes_behind_its_header() -> None:
    assert parse(b"\0\0\0\1" + b"\0\0\0\2" + b"\x89PNG") == Picture(b"\x89PNG")
