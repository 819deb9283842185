"""Log lines: what is in them, in which shape, and what never is."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask

from commands import logs
from settings import Settings
from tasks.framework import configure, current, task
from tasks.framework.backends.eager import eager_runtime
from web import tracing

log = logging.getLogger("tasks.tests")


@task()
def speak() -> str | None:
    log.info("from the body")
    log.info("about another one", extra={"job_id": "other"})
    return current.id


@task()
def fall() -> None:
    raise ValueError("first line\nERROR forged")


@pytest.fixture(autouse=True)
def runs() -> Iterator[None]:
    configure(eager_runtime())
    yield
    configure(None)


@contextmanager
def logged(**changes: Any) -> Iterator[list[str]]:
    stream, lines = io.StringIO(), list[str]()
    with logs.configured(Settings(**changes), stream):
        yield lines
    lines += stream.getvalue().splitlines()


def read(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_a_json_line_has_the_time_the_place_and_the_message() -> None:
    with logged(log_format="json") as lines:
        log.warning("%d of %s", 2, "x")
    (told,) = read(lines)
    assert told.pop("time").endswith("+00:00")
    assert told.pop("pid") > 0
    assert told == {"level": "warning", "logger": "tasks.tests", "message": "2 of x"}


def test_a_text_line_has_them_too() -> None:
    with logged() as lines:
        log.warning("%d of %s", 2, "x")
    (line,) = lines
    assert line.endswith("+00:00 warning  tasks.tests: 2 of x")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_what_a_body_logs_carries_its_id(log_format: str) -> None:
    with logged(log_format=log_format) as lines:
        speak.apply_async(task_id="job-1")
        log.info("outside")
    if log_format == "text":
        assert [line.rpartition(": ")[2] for line in lines] == [
            "attempt 1 of tests.commands.test_logs.speak begins job_id=job-1",
            "from the body job_id=job-1",
            "about another one job_id=other",
            "attempt 1 of tests.commands.test_logs.speak has succeeded job_id=job-1",
            "outside",
        ]
        return
    told = [each.get("job_id") for each in read(lines)]
    assert told == ["job-1", "job-1", "other", "job-1", None]


def test_a_failure_carries_the_id_and_its_traceback() -> None:
    with logged(log_format="json") as lines:
        fall.apply_async(task_id="job-2")
    told = read(lines)[-1]
    assert (told["job_id"], told["message"]) == ("job-2", "run job-2 failed")
    assert told["exception"].startswith("Traceback")


def test_no_message_can_pass_for_another_line() -> None:
    with logged() as lines:
        fall.apply_async(task_id="job-3")
        log.error("a\nb\x1b[31m\u2028c")
    assert [line for line in lines if line.startswith("ERROR")] == []
    assert "  ERROR forged" in lines
    assert lines[-1].endswith("tasks.tests: a\\nb\\x1b[31m\\u2028c")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_request_has_its_id_on_every_line(log_format: str) -> None:
    app = Flask("app")
    tracing.register(app)

    @app.get("/<name>")
    def view(name: str) -> str:
        log.info("inside")
        return name

    with logged(log_format=log_format) as lines:
        app.test_client().get("/x?signature=hush", headers={"X-Request-Id": "mine"})
    inside, access = lines
    assert "hush" not in access
    if log_format == "text":
        assert inside.endswith("inside request_id=mine")
        assert access.endswith(" ms request_id=mine")
        return
    assert json.loads(inside)["request_id"] == "mine"
    told = json.loads(access)
    assert (told["logger"], told["request_id"]) == ("web.access", "mine")
    assert (told["method"], told["path"], told["route"]) == ("GET", "/x", "/<name>")
    assert (told["status"], "caller" in told) == (200, False)


def test_the_level_is_for_our_own_lines() -> None:
    theirs = logging.getLogger("botocore.auth")
    with logged(log_level="debug") as lines:
        log.debug("ours")
        theirs.info("Signature: hush")
        theirs.warning("told")
    assert [line.rpartition(": ")[2] for line in lines] == ["ours", "told"]
    with logged(log_level="error") as lines:
        log.warning("not told")
        theirs.warning("told")
    assert [line.rpartition(": ")[2] for line in lines] == ["told"]


def test_afterwards_all_is_as_before() -> None:
    root, ours = logging.getLogger(), logging.getLogger("tasks")
    before = (list(root.handlers), ours.level)
    with pytest.raises(KeyError), logged(log_level="debug"):
        raise KeyError
    assert (list(root.handlers), ours.level) == before
