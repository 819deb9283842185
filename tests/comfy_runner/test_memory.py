"""Memory that runs out in a node of the real ComfyUI: freed once, where that may help."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comfy_runner.bucket import LocalBucket
from comfy_runner.errors import OutOfMemory
from comfy_runner.runner import Runner
from comfy_runner.server import ComfyServer
from tests.comfy_runner.runs import EMPTY, POLICY, Heard, image, node, run, run_with

pytestmark = pytest.mark.live

FREED = "memory ran out; what earlier workflows left is freed for another try"


def hungry(how: str = "torch", once: str = "") -> dict[str, Any]:
    eater = node("HungryNode", how=how, hungry="", once=once, after=["1", 0])
    return {"1": EMPTY, "2": eater, "3": image("2")}


@pytest.mark.parametrize("how", ["torch", "allocate", "python"])
def test_want_of_memory_is_told_however_it_shows(
    server: ComfyServer, bucket: LocalBucket, how: str
) -> None:
    with pytest.raises(OutOfMemory, match="use a smaller size or batch") as caught:
        run(server, bucket, hungry(how))
    assert (caught.value.node_id, caught.value.node_type) == ("2", "HungryNode")
    assert "/" not in caught.value.message


def test_what_earlier_jobs_left_is_freed_for_another_try(
    server: ComfyServer, bucket: LocalBucket, tmp_path: Path
) -> None:
    runner, heard = Runner(server, bucket, POLICY), Heard()
    run_with(runner, {"1": EMPTY, "2": image("1")})
    assert len(run_with(runner, hungry(once=str(tmp_path / "once")), heard)) == 1
    before, after = (
        heard.lines[: heard.lines.index(FREED)],
        heard.lines[heard.lines.index(FREED) :],
    )
    assert any("kept from before" in line for line in before)
    assert not any("kept from before" in line for line in after), "nothing was freed"


def test_a_first_job_has_had_all_the_memory_there_is(
    server: ComfyServer, bucket: LocalBucket, tmp_path: Path
) -> None:
    heard = Heard()
    with pytest.raises(OutOfMemory):
        run(server, bucket, hungry(once=str(tmp_path / "once")), heard)
    assert FREED not in heard.lines
