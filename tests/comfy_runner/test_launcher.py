"""The program that becomes ComfyUI: what it changes between us and it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from comfy_runner import launcher
from settings import SETTINGS

SHIM = [sys.executable, "-I", "-S", launcher.__file__]


def run(code: str, *, parent: int | None = None, **options: object) -> str:
    command = [*SHIM, str(parent or os.getpid()), sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=30, check=False, **options
    )  # type: ignore[call-overload]
    return str(done.stdout).strip()


def test_the_program_sees_its_arguments_and_our_environment() -> None:
    assert run("import os; print(os.environ['HOME_OF_TEST'])", env={"HOME_OF_TEST": "x"}) == "x"


def test_variables_are_set_before_the_program() -> None:
    command = [*SHIM, str(os.getpid()), "A=1", "B=x=y", sys.executable, "-c"]
    code = "import os; print(os.environ['A'], os.environ['B'])"
    assert subprocess.check_output([*command, code], text=True, timeout=30) == "1 x=y\n"


def test_every_secret_among_the_settings_is_withheld() -> None:
    secret = {each.name for each in SETTINGS if each.secret}
    assert {"API_KEY", "WEBHOOK_SECRET"} <= secret
    assert secret <= set(launcher.SECRETS)


def test_keys_of_the_service_are_not_passed_on() -> None:
    secrets = dict.fromkeys(launcher.SECRETS, "secret")
    code = "import os; print(sorted(set(os.environ.values())))"
    assert "secret" not in run(code, env={**secrets, "LANG": "C"})


def test_a_program_whose_parent_is_gone_already_does_not_start() -> None:
    assert run("print('started')", parent=1) == ""


def test_sigint_works_even_where_the_parent_ignores_it() -> None:
    code = "import signal; print(signal.getsignal(signal.SIGINT) == signal.default_int_handler)"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run(code) == "True"
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent")
def test_the_program_dies_with_the_process_that_started_it() -> None:
    child_code = "import time; print('up', flush=True); time.sleep(60)"
    parent = (
        "import os, subprocess, sys\n"
        f"command = sys.argv[1:] + [str(os.getpid()), sys.executable, '-c', {child_code!r}]\n"
        "child = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)\n"
        "assert child.stdout.readline() == b'up\\n'\n"
        "print(child.pid, flush=True); os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", parent, *SHIM],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    child = int(done.stdout)
    for _ in range(100):
        if not _runs(child):
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the child outlived its parent")


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
