"""A worker on a disk that gets full, which is a real one: a small tmpfs in a namespace of its own.

It needs no privileges, but a kernel that lets users make namespaces (`unshare -Urm`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.comfy_runner.fault_matrix import MATRIX

ROOT = Path(__file__).resolve().parents[2]
MEGABYTES = 16
IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def may_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    attempt = [*IN_A_NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/tmp"]
    return subprocess.run(attempt, check=False, capture_output=True).returncode == 0


@pytest.mark.live
@pytest.mark.slow
def test_a_full_disk_ends_as_the_matrix_says_and_the_next_job_does_well(tmp_path: Path) -> None:
    if not may_mount():
        pytest.skip("this kernel lets users make no namespaces, so there is no small disk to fill")
    disk, place = tmp_path / "disk", tmp_path / "place"
    disk.mkdir()
    place.mkdir()
    script = f'mount -t tmpfs -o size={MEGABYTES}m tmpfs "$1" && exec "$0" -m "$2" "$1" "$3"'
    command = [sys.executable, str(disk), "tests.comfy_runner.full_disk", str(place)]
    done = subprocess.run(
        [*IN_A_NAMESPACE, "sh", "-c", script, *command],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen == {moment: vars(cell) for moment, cell in MATRIX["disk full"].cells()}
