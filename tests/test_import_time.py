"""What importing costs: nothing is done, and a web process loads nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_imports import HOMES, ROOT, module_name, our_files

NOT_IN_A_WEB_PROCESS = ("PIL", "av", "boto3", "huggingface_hub", "modal", "torch", "websocket")


@pytest.mark.parametrize("module", ["web", "tasks.jobs", "web.client"])
def test_a_web_process_loads_nothing_heavy(module: str) -> None:
    loaded = run_python(
        f"import {module}, json, sys; print(json.dumps(sorted(sys.modules)))", ROOT
    )
    assert [name for name in NOT_IN_A_WEB_PROCESS if name in loaded] == []


WATCH = """
import importlib, json, os, sys, threading
watching, seen = [True], []

def watch(event, arguments):
    if not watching[0]:
        return
    writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & writes:
        seen.append([event, str(arguments[0])])
    if event.split(".")[0] in {"socket", "subprocess", "urllib", "sqlite3", "shutil"}:
        # Probing once whether this machine has IPv6 is urllib3's habit.
        if event not in {"socket.__new__", "socket.bind"}:
            seen.append([event, ascii(arguments)])
    if event in {"os.mkdir", "os.remove", "os.rename", "os.link", "os.system", "os.putenv"}:
        seen.append([event, ascii(arguments)])

sys.addaudithook(watch)
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
watching[0] = False
seen += [["thread", each.name] for each in threading.enumerate()[1:]]
print(json.dumps(seen))
"""


def test_importing_a_module_does_nothing(tmp_path: Path) -> None:
    torch = HOMES["torch"][0]
    files = [file for file in our_files(ROOT) if torch not in file.as_posix()]
    names = [module_name(file, ROOT) for file in files]
    assert run_python(WATCH, tmp_path, json.dumps(names)) == []
    assert list(tmp_path.iterdir()) == []


def run_python(code: str, directory: Path, *arguments: str) -> list[object]:
    """Run code with an empty environment in a directory, and return the JSON it prints."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", code, *arguments],
        cwd=directory,
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: list[object] = json.loads(done.stdout)
    return result
