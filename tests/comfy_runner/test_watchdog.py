"""What counts as a stall, and what is only silence, with a clock and a process to turn by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from comfy_runner.errors import Stalled
from comfy_runner.watchdog import FAULT_SECONDS, Patience, Watchdog, work_of_session
from tests.waiting import eventually

PATIENCE = Patience(unanswered=30, idle=300)


class Process:
    """A ComfyUI whose time and work go as the test says."""

    def __init__(self, *, works: bool = False, readable: bool = True) -> None:
        self.now = 1000.0
        self.worked: float | None = 50.0 if readable else None
        self._works = works

    def pass_time(self, seconds: float, *, share: float | None = None) -> None:
        self.now += seconds
        if self.worked is not None:
            self.worked += seconds * (share if share is not None else float(self._works))

    def watchdog(self) -> Watchdog:
        return Watchdog(7, PATIENCE, clock=lambda: self.now, work_of=lambda _pid: self.worked)


def test_a_long_silence_is_no_stall_while_the_thread_that_runs_prompts_lives() -> None:
    process = Process()
    watchdog = process.watchdog()
    for _ in range(1000):
        process.pass_time(10)
        watchdog.answered(worker_alive=True)


def test_a_thread_that_is_missing_twice_in_a_row_is_a_stall() -> None:
    watchdog = Process().watchdog()
    watchdog.answered(worker_alive=False)
    with pytest.raises(Stalled, match="thread of ComfyUI"):
        watchdog.answered(worker_alive=False)


def test_a_thread_that_is_missing_once_may_just_have_been_ending() -> None:
    watchdog = Process().watchdog()
    for alive in (False, True, False, True, False):
        watchdog.answered(worker_alive=alive)


def test_an_event_shows_that_the_thread_lives() -> None:
    watchdog = Process().watchdog()
    for _ in range(5):
        watchdog.answered(worker_alive=False)
        watchdog.heard()


def test_idling_without_an_event_is_a_stall_where_the_thread_cannot_be_asked_for() -> None:
    process = Process()
    watchdog = process.watchdog()
    for _ in range(29):
        process.pass_time(10)
        watchdog.answered(worker_alive=None)
    process.pass_time(10)
    with pytest.raises(Stalled, match="done nothing for 300 s"):
        watchdog.answered(worker_alive=None)


@pytest.mark.parametrize("share", [0.1, 1.0, 8.0])
def test_a_process_that_computes_is_never_stalled(share: float) -> None:
    process = Process()
    watchdog = process.watchdog()
    for _ in range(100):
        process.pass_time(10, share=share)
        watchdog.answered(worker_alive=None)
        watchdog.unanswered()


def test_what_our_own_questions_cost_does_not_count_as_work() -> None:
    process = Process()
    watchdog = process.watchdog()
    for _ in range(29):
        process.pass_time(10, share=0.005)
        watchdog.answered(worker_alive=None)
    process.pass_time(10, share=0.005)
    with pytest.raises(Stalled):
        watchdog.answered(worker_alive=None)


def test_events_put_the_end_of_patience_off() -> None:
    process = Process()
    watchdog = process.watchdog()
    for _ in range(10):
        process.pass_time(290)
        watchdog.heard()
        watchdog.answered(worker_alive=None)


def test_no_answer_for_long_is_a_stall_if_nothing_is_computed_either() -> None:
    process = Process()
    watchdog = process.watchdog()
    process.pass_time(29)
    watchdog.unanswered()
    process.pass_time(1)
    with pytest.raises(Stalled, match="neither answers nor computes"):
        watchdog.unanswered()


def test_an_answer_in_between_starts_the_wait_anew() -> None:
    process = Process()
    watchdog = process.watchdog()
    for _ in range(10):
        process.pass_time(20)
        watchdog.unanswered()
        watchdog.answered(worker_alive=True)


def test_a_process_that_computes_may_leave_questions_unanswered() -> None:
    """A node may hold Python's global lock for minutes, as when it unpickles a model."""
    process = Process(works=True)
    watchdog = process.watchdog()
    for _ in range(100):
        process.pass_time(10)
        watchdog.unanswered()


def test_where_work_cannot_be_read_there_is_no_stall() -> None:
    process = Process(readable=False)
    watchdog = process.watchdog()
    process.pass_time(10_000)
    watchdog.answered(worker_alive=None)
    watchdog.unanswered()


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, whose child computes while it sleeps itself."""
    child = "while True: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    yield process
    os.killpg(process.pid, 9)
    process.wait()


def test_the_work_of_children_counts(leader: subprocess.Popen[bytes]) -> None:
    before = work_of_session(leader.pid) or 0.0
    assert eventually(lambda: (work_of_session(leader.pid) or 0.0) > before + 0.5)


def test_a_process_that_is_gone_has_no_work() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    process.wait()
    assert work_of_session(process.pid) is None


def test_a_name_with_blanks_and_brackets_is_read_rightly(tmp_path: Path) -> None:
    stat = tmp_path / "7" / "stat"
    stat.parent.mkdir()
    rest = ["S", "1", "7", "42", *["0"] * 5, "70", "0", "300", "200", *["0"] * 20]
    stat.write_text(f"7 (a ) b) {' '.join(rest)}")
    computed, read = 500 / os.sysconf("SC_CLK_TCK"), 70 * FAULT_SECONDS
    assert work_of_session(42, tmp_path) == pytest.approx(computed + read)
    assert work_of_session(43, tmp_path) is None
