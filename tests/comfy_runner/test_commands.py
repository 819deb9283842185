"""Commands: real programs, followed to their end and no further."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from comfy_runner.commands import CommandFailed, Commands


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_every_line_is_handed_on_with_errors_in_between() -> None:
    lines: list[str] = []
    code = "import sys; print('one', flush=True); print('two', file=sys.stderr)"
    Commands().run(python(code), timeout=60, on_line=lines.append)
    assert lines == ["one", "two"]


def test_it_runs_where_it_is_told_to(tmp_path: Path) -> None:
    Commands().run(python("open('here', 'w').close()"), timeout=60, cwd=tmp_path)
    assert (tmp_path / "here").is_file()


def test_a_bad_end_comes_with_the_last_lines() -> None:
    code = "for n in range(100): print(n)\nraise SystemExit(3)"
    with pytest.raises(CommandFailed, match="exit code 3") as caught:
        Commands().run(python(code), timeout=60)
    assert caught.value.lines == tuple(str(number) for number in range(60, 100))


def test_a_program_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(CommandFailed, match=r"longer than 0\.5 seconds"):
        Commands().run(python("import time; time.sleep(170)"), timeout=0.5)


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandFailed, match="/no/such/program could not be started"):
        Commands().run(["/no/such/program"], timeout=60)


def test_a_program_reads_nothing_from_the_operators_terminal() -> None:
    code = "import sys; print(len(sys.stdin.read()))"
    lines: list[str] = []
    Commands().run(python(code), timeout=60, on_line=lines.append)
    assert lines == ["0"]


def test_a_program_does_not_outlive_an_interrupt() -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(170)"
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Commands().run(python(code), timeout=60, on_line=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
