"""Outputs stored while the prompt runs, and what a bucket or a connection may do to them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from comfy_runner.bucket import LocalBucket
from comfy_runner.errors import NoOutputs, StorageFailed
from comfy_runner.outputs import Output
from comfy_runner.progress import Snapshot
from comfy_runner.runner import Runner
from comfy_runner.server import ComfyServer
from comfy_runner.work import Work
from tests.comfy_runner.proxy import Proxy
from tests.comfy_runner.runs import (
    EMPTY,
    POLICY,
    Heard,
    ProxiedServer,
    image,
    node,
    run,
    working_on,
)

pytestmark = pytest.mark.live

PICTURES = {
    "1": {**EMPTY, "inputs": {"width": 16, "height": 16, "batch_size": 3, "color": 255}},
    "2": node("SaveImageWebsocket", images=["1", 0]),
}


def early_and_late(steps: int, seconds: float) -> dict[str, Any]:
    """Return a graph that saves one picture at once, and another after so many steps."""
    return {
        "1": EMPTY,
        "2": image("1"),
        "3": node("StepNode", steps=steps, seconds=seconds, after=["1", 0]),
        "4": image("3"),
    }


class RefusingBucket(LocalBucket):
    """Takes no file at all."""

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        raise StorageFailed("the bucket is full")


class Enough(BaseException):
    """Raised by a listener that has heard what it wanted."""


def test_an_output_is_stored_and_told_while_later_nodes_run(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    class Content(Heard):
        def outputs(self, outputs: tuple[Output, ...]) -> None:
            super().outputs(outputs)
            raise Enough

    heard = Content()
    with pytest.raises(Enough):
        run(server, bucket, early_and_late(10_000, 0.05), heard)
    ((output,),) = heard.stored
    assert output.node_id == "2"
    assert bucket.open(output.key).size == output.size_bytes


def test_outputs_come_in_the_order_of_the_graph(server: ComfyServer, bucket: LocalBucket) -> None:
    outputs = run(server, bucket, early_and_late(2, 0.01))
    assert [each.node_id for each in outputs] == ["2", "4"]


def test_pictures_that_arrive_after_the_history_are_waited_for(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    """A busy machine: the history is looked at while the last events still wait to be read."""

    class Slow(Heard):
        def progress(self, snapshot: Snapshot) -> None:
            super().progress(snapshot)
            time.sleep(0.3)

    count = 12
    graph: dict[str, Any] = {}
    for color in range(count):
        source = {**EMPTY, "inputs": {**EMPTY["inputs"], "color": color}}  # type: ignore[dict-item]
        graph |= {f"source-{color}": source, f"save-{color}": image(f"source-{color}")}
    graph["last"] = node("SaveImageWebsocket", images=["source-0", 0])
    outputs = run(server, bucket, graph, Slow())
    assert [each.node_id for each in outputs].count("last") == 1
    assert len(outputs) == count + 1


def test_a_bucket_that_takes_nothing_ends_the_prompt_early(
    server: ComfyServer, tmp_path: Path
) -> None:
    refusing = RefusingBucket(tmp_path, b"k" * 32)
    heard = Heard()
    with pytest.raises(StorageFailed, match=r"1 of 1 output files .*bucket is full"):
        run(server, refusing, early_and_late(2000, 0.05), heard)
    assert working_on(server) == frozenset()
    assert max((each.current_step or 0 for each in heard.snapshots), default=0) < 1000


def test_what_nodes_only_showed_is_kept_beside_outputs_when_asked_for(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    graph = {"1": EMPTY, "2": image("1"), "3": node("PreviewImage", images=["1", 0])}
    runner = Runner(server, bucket, POLICY)
    told = {
        temp: [
            output.node_id
            for output in runner.run(
                Work(graph, temp_outputs=temp), job_id="job", listener=Heard()
            )
        ]
        for temp in (False, True)
    }
    assert told == {False: ["2"], True: ["2", "3"]}


def test_pictures_that_a_node_sends_are_outputs_like_any_other(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    outputs = run(server, bucket, PICTURES)
    assert [each.filename for each in outputs] == [f"ComfyUI_0000{n}_.png" for n in (1, 2, 3)]
    assert {each.node_id for each in outputs} == {"2"}
    for output in outputs:
        assert bucket.open(output.key).path.read_bytes().startswith(b"\x89PNG")


def test_pictures_that_a_broken_connection_lost_are_made_again(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    graph = {**PICTURES, "3": node("StepNode", steps=20, seconds=0.05), "4": image("3")}
    with Proxy(server.port) as proxy:
        heard = Heard(proxy.drop)
        outputs = run(ProxiedServer(server, proxy), bucket, graph, heard)
    assert [each.node_id for each in outputs] == ["2", "2", "2", "4"]
    assert sum("the workflow runs again" in line for line in heard.lines) == 1


def test_previews_of_other_nodes_are_no_outputs(server: ComfyServer, bucket: LocalBucket) -> None:
    graph = {**PICTURES, "2": {**PICTURES["2"], "class_type": "PreviewImage"}}
    outputs = run(server, bucket, graph)
    assert {each.filename.startswith("ComfyUI_temp") for each in outputs} == {True}


def test_a_save_that_is_answered_from_before_with_a_file_that_is_gone_is_made_anew(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    graph = {"1": EMPTY, "2": node("PreviewImage", images=["1", 0])}
    (first,) = run(server, bucket, graph)
    for path in server.temp_directory.rglob("*.png"):
        path.unlink()
    heard = Heard()
    (second,) = run(server, bucket, graph, heard)
    assert first.size_bytes == second.size_bytes
    assert sum("made anew" in line for line in heard.lines) == 1


def test_a_save_that_left_nothing_names_its_node(server: ComfyServer, bucket: LocalBucket) -> None:
    graph = {"1": {**node("NothingNode", filename_prefix="x"), "_meta": {"title": "Keep it"}}}
    with pytest.raises(NoOutputs) as caught:
        run(server, bucket, graph)
    assert (caught.value.node_id, caught.value.node_type) == ("1", "NothingNode")
    assert caught.value.details["node_title"] == "Keep it"
