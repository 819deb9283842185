"""The typed client and the real API with a line between them that breaks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from comfy_runner.bucket import Bucket
from tests.web.cutting_proxy import cutting
from tests.web.event_stream import Server, served
from tests.web.real_jobs import GRAPH, RealApi
from web.answers import Output
from web.client import (
    ApiError,
    Ended,
    JobsClient,
    LogLine,
    Patience,
    Progressed,
    Snapshot,
    StatusChanged,
    TookTooLong,
)

QUICK = Patience(first_pause=0.01)


@pytest.fixture
def server(real: RealApi) -> Iterator[Server]:
    with served(real) as running:
        yield running


def test_a_submission_whose_answer_is_lost_makes_one_job(server: Server) -> None:
    with (
        cutting(server.url, 0) as line,
        JobsClient(line.url, server.key, patience=QUICK) as client,
    ):
        job = client.submit(GRAPH)
        assert [each.job_id for each in client.list().jobs] == [job.job_id]
        assert b"".join(line.requests).count(b"POST /v1/jobs ") == 2


def test_a_stream_that_breaks_off_goes_on_where_it_was(real: RealApi, server: Server) -> None:
    claimed = real.start(real.submit())
    with (
        cutting(server.url) as line,
        JobsClient(line.url, server.key, patience=QUICK) as client,
    ):
        told = client.stream(claimed.job.id)
        first = next(told)
        line.cut()
        claimed = real.report(claimed, "a line", progress=50)
        assert isinstance(first, Snapshot)
        assert next(told) == LogLine(id=_any_id(), line="a line")
        assert isinstance(next(told), Progressed)
        real.end(claimed)
        rest = list(told)
    assert [type(each) for each in rest if not isinstance(each, Progressed)] in (
        [StatusChanged, Ended],
        [Ended],
    )
    assert isinstance(rest[-1], Ended)
    assert rest[-1].job.status == "completed"


def test_who_has_seen_the_end_is_told_nothing_more(real: RealApi, server: Server) -> None:
    job_id = real.finished()
    with JobsClient(server.url, server.key) as client:
        last = list(client.stream(job_id))[-1]
        assert list(client.stream(job_id, last_event_id=last.id)) == []


def test_a_stream_ends_when_its_time_is_over(real: RealApi, server: Server) -> None:
    job_id = real.submit()
    client = JobsClient(server.url, server.key)
    with client, pytest.raises(TookTooLong, match="it goes on"):
        list(client.stream(job_id, seconds=0.3))


def test_a_wait_lets_the_api_hold_its_answer_back(real: RealApi, server: Server) -> None:
    claimed = real.start(real.submit())
    states: list[str] = []
    with cutting(server.url) as line, JobsClient(line.url, server.key) as client:
        later = threading.Timer(1.0, real.end, (claimed,))
        later.start()
        job = client.wait(claimed.job.id, show=lambda job: states.append(job.status))
        later.join()
        asked = b"".join(line.requests)
    assert (job.status, states) == ("completed", ["running", "completed"])
    assert b"?wait=50 " in asked
    assert asked.count(b"GET ") <= 3


def test_a_wait_ends_when_its_time_is_over(real: RealApi, server: Server) -> None:
    client = JobsClient(server.url, server.key)
    with client, pytest.raises(TookTooLong):
        client.wait(real.submit(), seconds=0.2)


def test_a_download_that_breaks_off_goes_on_from_there(
    server: Server, bucket: Bucket, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 4096
    source = tmp_path / "a.bin"
    source.write_bytes(content)
    bucket.put("outputs/a.bin", source, content_type="image/png", filename="a.bin")
    url = bucket.url("outputs/a.bin", ttl_seconds=60)
    with (
        cutting(server.url, 600_000, 300_000) as line,
        JobsClient(line.url, server.key, patience=QUICK) as client,
    ):
        path = client.download(Output("1", "image", "a.bin", url, len(content)), tmp_path / "out")
        asked = b"".join(line.requests)
    assert path.read_bytes() == content
    assert asked.count(b"Range: bytes=") >= 1
    assert b"Range: bytes=0-" not in asked


def test_a_job_is_sent_again_read_and_deleted(real: RealApi, server: Server) -> None:
    job_id = real.submit()
    real.end(real.report(real.start(job_id), "a line"))
    with JobsClient(server.url, server.key) as client:
        assert client.logs(job_id)[-1] == "a line"
        assert client.retry(job_id).retry_of == job_id
        client.purge(job_id)
        with pytest.raises(ApiError) as gone:
            client.get(job_id)
    assert (gone.value.status, gone.value.code) == (404, "job_not_found")


def test_workflows_are_listed_judged_and_submitted_by_name(server: Server) -> None:
    with JobsClient(server.url, server.key) as client:
        name = client.workflows()[0].name
        assert client.validate(name, timeout_seconds=60).nodes > 1
        assert client.submit(name, params={}).status == "queued"
        with pytest.raises(ApiError, match="/params/nonsense"):
            client.validate(name, params={"nonsense": 1})


class _any_id(str):  # noqa: N801 (reads as a function)
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other != ""

    __hash__ = str.__hash__
