"""What is new in a job for a client that has seen it before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from comfy_runner.outputs import Output
from tasks.jobs import Job, Status
from tests.web.memory_jobs import a_job
from web.v1.news import Seen, news
from web.v1.telling import plain_document


def output(name: str) -> Output:
    return Output("7", "image", name, f"outputs/j/{name}", 5, "image/png")


def told(job: Job, seen: Job) -> list[tuple[str, Any]]:
    document = plain_document(job)
    events = news(document, Seen.of(plain_document(seen)), lambda: document)
    return [(each.name, each.data) for each in events]


def lines(*logs: str) -> Job:
    return a_job(status=Status.RUNNING, logs=logs)


def test_nothing_is_new_in_what_has_been_seen() -> None:
    job = replace(lines("a"), outputs=(output("a.png"),), progress=3)
    assert told(job, job) == []
    assert told(replace(job, estimated_wait_seconds=3), job) == []


@pytest.mark.parametrize(
    ("logs", "new"),
    [
        (("a", "b", "c"), ["c"]),
        (("b", "c", "d"), ["c", "d"]),  # the oldest gave way
        (("b", "b", "b"), ["b"]),  # the same line again
        (("x", "y"), ["x", "y"]),  # all that had been seen gave way
    ],
)
def test_only_new_lines_are_told(logs: tuple[str, ...], new: list[str]) -> None:
    found = told(lines(*logs), lines("a", "b"))
    assert found == [("log", {"line": each}) for each in new]


def test_another_attempt_tells_its_outputs_from_the_first() -> None:
    two = replace(lines(), outputs=(output("a.png"), output("b.png")))
    one = replace(lines(), outputs=(output("a.png"),))
    document = plain_document(lines())
    events = list(news(document, Seen.of(plain_document(two)), lambda: document))
    assert events == []
    assert [name for name, _ in told(one, lines())] == ["output"]
    fewer = plain_document(one)
    (event,) = news(fewer, Seen.of(plain_document(two)), lambda: fewer)
    assert (event.data["filename"], event.seen.outputs) == ("a.png", 1)


def test_the_place_in_the_queue_is_news() -> None:
    job = a_job(queue_position=2)
    ((name, data),) = told(replace(job, queue_position=1), job)
    assert (name, data["queue_position"]) == ("status", 1)


def test_an_id_is_read_as_it_was_written() -> None:
    seen = Seen.of(plain_document(lines("a", "b")))
    assert Seen.parse(str(seen)) == seen
    assert Seen.parse(str(replace(seen, ended=True))) == replace(seen, ended=True)


@pytest.mark.parametrize("text", ["", "x", "1-2-3-4-5", "0" * 5000, "é-é", "\u0661" * 8])
def test_any_other_text_is_no_id(text: str) -> None:
    assert Seen.parse(text) is None
