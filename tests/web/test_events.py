"""GET /v1/jobs/{id}/events over a real server: what is told, when it ends, how many may be."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from comfy_runner.bucket import Bucket
from commands.http_server import THREADS
from settings import Settings
from tasks import jobs
from tasks.framework import State
from tests.web.event_stream import Server, events, served
from tests.web.problems import problem
from tests.web.real_jobs import OUTPUT, RealApi, real_api
from web.v1.events import EventRoutes, Pace
from web.v1.telling import Telling
from web.waiting import Waiting


@pytest.fixture
def real(settings: Settings) -> Iterator[RealApi]:
    with real_api(settings.replace(max_streams=8, max_streams_per_key=6)) as api:
        yield api


@pytest.fixture
def server(real: RealApi) -> Iterator[Server]:
    with served(real) as server:
        yield server


def hurried(real: RealApi, settings: Settings, bucket: Bucket, pace: Pace) -> None:
    """Serve the events of `real` at another pace."""
    routes = EventRoutes(jobs, Telling(settings, bucket), Waiting(8, 8), pace)
    real.app.view_functions["events.events"] = routes.events


def test_a_job_is_told_from_its_snapshot_to_its_end(real: RealApi, server: Server) -> None:
    job_id = real.submit()
    with server.get(f"/v1/jobs/{job_id}/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        stream = events(answer)
        first = next(stream)
        assert (first.name, first.data["status"]) == ("snapshot", "queued")
        assert first.data["queue_position"] == 1

        claimed = real.start(job_id)
        status = next(stream)
        assert (status.name, status.data["status"]) == ("status", "running")
        claimed = real.report(claimed, "a line", progress=100, outputs=[OUTPUT])
        seen = [next(stream) for _ in range(3)]
        assert [each.name for each in seen] == ["log", "progress", "output"]
        assert seen[0].data == {"line": "a line"}
        assert seen[1].data["progress"] == 99
        assert seen[2].data["filename"] == "a.png"

        real.end(claimed, State.SUCCEEDED, OUTPUT)
        last = list(stream)
    assert [each.name for each in last] == ["progress", "status", "end"]
    assert last[0].data["progress"] == 100
    assert last[1].data["status"] == "completed"
    told = real.client.get(f"/v1/jobs/{job_id}").get_json()
    assert last[2].data == told


def test_a_job_that_has_ended_is_told_at_once(real: RealApi, server: Server) -> None:
    with server.get(f"/v1/jobs/{real.finished()}/events") as answer:
        assert [each.name for each in events(answer)] == ["snapshot", "end"]


def test_whoever_comes_back_hears_only_what_was_missed(real: RealApi, server: Server) -> None:
    claimed = real.start(job_id := real.submit())
    path = f"/v1/jobs/{job_id}/events"
    with server.get(path) as answer:
        first = next(events(answer))
    claimed = real.report(claimed, "one", "two", outputs=[OUTPUT])
    with server.get(path, Last_Event_ID=first.id) as answer:
        stream = events(answer)
        missed = [next(stream) for _ in range(3)]
    assert [each.name for each in missed] == ["log", "log", "output"]

    real.end(claimed, State.FAILED)
    with server.get(path, Last_Event_ID=missed[0].id) as answer:
        rest = list(events(answer))
    assert [each.name for each in rest] == ["log", "output", "status", "end"]
    assert rest[0].data == {"line": "two"}

    with server.get(path, Last_Event_ID=rest[-1].id) as answer:
        assert (answer.status_code, answer.content) == (204, b"")
    with server.get(path, Last_Event_ID="made up") as answer:
        assert next(events(answer)).name == "snapshot"


def test_a_silent_stream_shows_that_it_lives_and_ends_in_time(
    real: RealApi, server: Server, settings: Settings, bucket: Bucket
) -> None:
    hurried(real, settings, bucket, Pace(longest=0.5, heartbeat=0.1, look=0.05))
    with server.get(f"/v1/jobs/{real.submit()}/events") as answer:
        told = [each.name for each in events(answer)]
    assert told[0] == "snapshot"
    assert "comment" in told
    assert told[-1] == "retry"


def test_a_key_has_only_so_many_streams_and_gets_its_places_back(
    real: RealApi, server: Server
) -> None:
    path = f"/v1/jobs/{real.submit()}/events"
    with ExitStack() as streams:
        kept = [events(streams.enter_context(server.get(path))) for _ in range(6)]
        assert {next(each).name for each in kept} == {"snapshot"}
        refused = real.client.get(path)
        assert "6 for each key" in problem(refused, 429, "too_many_streams")["detail"]
        assert refused.headers["Retry-After"] == "2"
        waiting = real.client.get(path.removesuffix("/events") + "?wait=1")
        problem(waiting, 429, "too_many_streams")
    for _ in range(100):  # the server sees at its next look that its clients have gone
        if real.client.head(path).status_code == 200:
            return
        time.sleep(0.05)
    pytest.fail("the places of closed streams were not given back")


def test_more_streams_than_the_server_has_ordinary_threads_leave_these_free(
    settings: Settings,
) -> None:
    many = THREADS + 4
    chosen = settings.replace(max_streams=many, max_streams_per_key=many)
    with (
        real_api(chosen) as real,
        served(real, waiting=many) as server,
        ExitStack() as streams,
    ):
        path = f"/v1/jobs/{real.submit()}/events"
        kept = [events(streams.enter_context(server.get(path))) for _ in range(many)]
        assert {next(each).name for each in kept} == {"snapshot"}
        answers = [server.get("/health") for _ in range(20)]
        assert {each.status_code for each in answers} == {200}


def test_a_server_that_stops_lets_go_of_its_streams(real: RealApi) -> None:
    path = f"/v1/jobs/{real.submit()}/events"
    with served(real) as server:
        stream = events(server.get(path))
        assert next(stream).name == "snapshot"
    assert [each.name for each in threading.enumerate() if each.name.startswith("waitress")] == []
    assert list(stream) == []
