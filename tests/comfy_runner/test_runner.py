"""One workflow from graph to stored outputs, on the real ComfyUI."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfy_runner.bucket import LocalBucket
from comfy_runner.errors import InvalidWorkflow, NodeFailed, NoOutputs, StorageFailed
from comfy_runner.server import ComfyServer
from tests.comfy_runner.runs import EMPTY, Heard, image, node, run, steps, working_on

pytestmark = pytest.mark.live


class FullBucket(LocalBucket):
    """A bucket that takes nothing."""

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        raise StorageFailed("the disk is full")


def test_a_workflow_ends_in_stored_outputs(server: ComfyServer, bucket: LocalBucket) -> None:
    listener = Heard()
    (output,) = run(server, bucket, {"1": EMPTY, "2": image("1")}, listener)
    assert (output.node_id, output.kind, output.content_type) == ("2", "image", "image/png")
    assert output.filename == "red_00001_.png"
    stored = bucket.open(output.key)
    assert stored.path.read_bytes().startswith(b"\x89PNG")
    assert output.size_bytes == stored.path.stat().st_size
    assert listener.snapshots[-1].progress == 100
    assert listener.lines[0] == "ComfyUI accepted the prompt"
    assert "node 2 (SaveImage) started" in listener.lines


def test_a_job_leaves_no_files_in_comfyui(server: ComfyServer, bucket: LocalBucket) -> None:
    run(server, bucket, {"1": EMPTY, "2": image("1")})
    assert list(server.output_directory.rglob("*.png")) == []


def test_the_same_job_may_run_again_although_its_files_are_gone(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    graph = {"1": EMPTY, "2": image("1")}
    first, second = run(server, bucket, graph), run(server, bucket, graph)
    assert len(first) == len(second) == 1


def test_a_text_is_an_output_without_a_file(server: ComfyServer, bucket: LocalBucket) -> None:
    (output,) = run(server, bucket, {"1": node("TextNode", text="hello")})
    assert (output.kind, output.text, output.key) == ("text", "hello", "")


def test_every_file_of_a_batch_has_a_key_of_its_own(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    batch = {**EMPTY, "inputs": {**EMPTY["inputs"], "batch_size": 3}}  # type: ignore[dict-item]
    outputs = run(server, bucket, {"1": batch, "2": image("1")})
    assert len({output.key for output in outputs}) == 3


def test_steps_are_reported_while_a_node_runs(server: ComfyServer, bucket: LocalBucket) -> None:
    listener = Heard()
    run(server, bucket, steps(5, 0.02), listener)
    assert {s.current_step for s in listener.snapshots if s.current_node == "1"} >= {1, 2, 3, 4}
    progress = [s.progress for s in listener.snapshots]
    assert progress == sorted(progress)


def test_a_node_that_raises_is_told_without_a_traceback(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    graph = {"1": node("FailNode", message="deliberate failure"), "2": image("1")}
    with pytest.raises(NodeFailed) as caught:
        run(server, bucket, graph)
    assert str(caught.value) == "ValueError: deliberate failure"
    assert (caught.value.node_id, caught.value.node_type) == ("1", "FailNode")


def test_a_refused_workflow_leaves_nothing_behind(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    partly = {**steps(1000, 0.02), "3": node("PreviewImage")}
    with pytest.raises(InvalidWorkflow, match="node 3"):
        run(server, bucket, partly)
    assert working_on(server) == frozenset()


def test_a_workflow_in_the_editors_format_is_refused(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    with pytest.raises(InvalidWorkflow, match="API"):
        run(server, bucket, {"nodes": [], "links": []})


def test_a_save_that_left_nothing_is_an_error(server: ComfyServer, bucket: LocalBucket) -> None:
    with pytest.raises(NoOutputs):
        run(server, bucket, {"1": node("NothingNode", filename_prefix="x")})


def test_a_bucket_that_takes_nothing_fails_the_job(server: ComfyServer, tmp_path: Path) -> None:
    with pytest.raises(StorageFailed):
        run(server, FullBucket(tmp_path, b"k" * 32), {"1": EMPTY, "2": image("1")})
    assert list(server.output_directory.rglob("*.png")) == []
