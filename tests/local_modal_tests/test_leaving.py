"""That a stand-in leaves nothing behind, however its test ends."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import modal
import pytest
import requests

from tests.local_modal import LocalModal
from tests.local_modal_tests.conftest import APPS, SECRETS
from tests.waiting import eventually

pytestmark = [pytest.mark.live, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
KILLED = f"""
import sys, time
from pathlib import Path
from tests.local_modal import LocalModal
from tests.local_modal_tests.orders import at_work, spawn
with LocalModal(secrets={SECRETS!r}, workdir=Path(sys.argv[1])) as local, local.as_env_client():
    local.deploy("sample.py", cwd={str(APPS)!r})
    task = at_work(local, spawn(sleep=600))
    print(task.proc.pid, flush=True)
    time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_test_that_fails_leaves_no_container_thread_port_or_file() -> None:
    before = set(threading.enumerate())

    def fail(local: LocalModal) -> None:
        local.deploy("sample.py", cwd=APPS)
        task, starting = local.start_container("tick", 2)
        local.wait(lambda: task.ready and starting.proc)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), LocalModal(secrets=dict(SECRETS)) as local:
        fail(local)
    pids = [each.proc.pid for each in local.tasks() if each.proc is not None]
    assert len(pids) == 2
    assert not any(map(alive, pids))
    assert set(threading.enumerate()) <= before
    assert not local.directory.exists()
    with pytest.raises(requests.ConnectionError):
        requests.get(local.web_url("web"), timeout=5)


def test_a_client_still_connected_is_hung_up_on() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with LocalModal() as local:
            client = local.client()
            modal.Dict.from_name("jobs", create_if_missing=True, client=client).put("a", 1)
        del local
        gc.collect()
    client.__exit__(None, None, None)  # type: ignore[no-untyped-call] # so in its stubs
    assert [str(each.message) for each in seen] == []


def test_a_test_run_that_is_killed_leaves_no_container(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        run.send_signal(signal.SIGKILL)
    eventually(lambda: not alive(pid))
