"""What the README tells a newcomer to type does what it says."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.stack import ROOT, Stack

pytestmark = pytest.mark.live

BLOCKS = re.compile(r"```bash\n(.*?)```", re.DOTALL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_the_curl_examples_work_verbatim(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    blocks = BLOCKS.findall((ROOT / "README.md").read_text())
    assert len(blocks) >= 4
    stack = make_stack()
    stack.start(port=free_port())
    place = tmp_path / "newcomer"
    shutil.copytree(ROOT / "workflows", place / "workflows")
    (place / ".data").mkdir()
    (place / ".data" / "api_key").write_text("the-key")
    # only the address differs: a test may not take the port that a person's service has
    script = "set -eu\n" + "\n".join(blocks).replace("http://127.0.0.1:8000", stack.url)

    done = subprocess.run(
        ["bash", "-c", script], cwd=place, capture_output=True, text=True, timeout=150, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert (place / "out" / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert '"completed"' in done.stdout
