"""Named pipes that wake processes and tell which of them live."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tasks.framework.backends.doorbell import Doorbell, is_heard, ring_all


def test_a_bell_wakes_whoever_waits_for_it(tmp_path: Path) -> None:
    bell = Doorbell(tmp_path, "a")
    heard: list[bool] = []
    waiter = threading.Thread(target=lambda: heard.append(bell.wait(30)))
    waiter.start()
    ring_all(tmp_path)
    waiter.join()
    bell.close()

    assert heard == [True]


def test_rings_before_a_wait_are_kept_and_count_as_one(tmp_path: Path) -> None:
    bell = Doorbell(tmp_path, "a")
    for _ in range(100_000):  # more than a pipe holds
        bell.ring()
    assert bell.wait(0) is True
    assert bell.wait(0) is False
    bell.close()


def test_a_bell_is_heard_while_its_process_holds_it(tmp_path: Path) -> None:
    assert not is_heard(tmp_path, "a")
    bell = Doorbell(tmp_path, "a")
    assert is_heard(tmp_path, "a")
    bell.close()
    assert not is_heard(tmp_path, "a")


def test_a_dead_bell_is_taken_down_by_the_next_ring(tmp_path: Path) -> None:
    dead = Doorbell(tmp_path, "dead")
    (tmp_path / "dead").rename(tmp_path / "kept")
    dead.close()
    (tmp_path / "kept").rename(tmp_path / "dead")
    assert not is_heard(tmp_path, "dead")

    ring_all(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_in_use_or_unusable_is_refused(tmp_path: Path) -> None:
    bell = Doorbell(tmp_path, "a")
    with pytest.raises(ValueError, match="in use"):
        Doorbell(tmp_path, "a")
    with pytest.raises(ValueError, match="letters"):
        Doorbell(tmp_path, "../a")
    bell.close()
