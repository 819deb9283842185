"""Program that fills the disk under a worker at each moment of the matrix, and tells what came.

Run as `python -m tests.comfy_runner.full_disk DISK BUCKET`, DISK a small file system of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import settings
from comfy_runner.bucket import LocalBucket
from comfy_runner.installation import find
from tests.comfy_runner.conftest import NODES
from tests.comfy_runner.disturbances import Scene
from tests.comfy_runner.fault_matrix import MOMENTS
from tests.comfy_runner.rig import DisturbedWorker, HeldBucket, cancelling


def main(disk: Path, place: Path) -> None:
    """Print, as JSON, what a job's owner sees and whether ComfyUI was started anew."""
    configured = settings.load(None)
    installation = find(
        comfyui_dir=configured.comfyui_dir, comfyui_python=configured.comfyui_python
    )
    nodes = place / "nodes.yaml"
    nodes.write_text(json.dumps({"test": {"custom_nodes": str(NODES)}}))
    held = HeldBucket(LocalBucket(place / "bucket", b"k" * 32))
    arguments = ("--extra-model-paths-config", str(nodes))
    worker = DisturbedWorker(installation, disk / "worker", held, arguments=arguments)
    try:
        with cancelling() as cancel:
            scene = Scene(worker, held, cancel, disk=disk)
            worker.wake()
            scene.run_plain()
            told = {moment: vars(scene.play("disk full", moment)) for moment in MOMENTS}
    finally:
        worker.close()
        sys.stderr.write("\n".join(scene.lines))
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
