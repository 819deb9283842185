"""Serving: a port, workers, and an end that leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import click
import pytest
from flask import Flask, Response, jsonify

from comfy_runner.errors import ComfyNotInstalled
from commands.http_server import listen, serve_http, url_of
from commands.serve import Parts, service, worker_command
from commands.signals import StopSignals
from settings import Settings
from tests.commands.support import PROJECT, FakeCluster, parts, run
from web.answers import Job
from web.client import ApiUnreachable, JobsClient


def test_a_service_answers_on_a_free_port_and_stops_its_workers(tmp_path: Path) -> None:
    cluster = FakeCluster()
    chosen = Settings(port=0, data_dir=tmp_path / "data").replace(port=0)
    with service(chosen, parts(cluster)) as running, JobsClient(running.url, "k") as client:
        assert client.get("a1").status == "completed"
        assert cluster.history == ["started"]
    assert cluster.history == ["started", "stopped"]
    with JobsClient(running.url, "k") as client, pytest.raises(ApiUnreachable):
        client.get("a1")


def test_a_port_in_use_is_one_clear_line_and_starts_nothing(tmp_path: Path) -> None:
    cluster = FakeCluster()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        chosen = Settings(data_dir=tmp_path, port=taken.getsockname()[1])
        with (
            pytest.raises(
                click.ClickException, match=f"port {chosen.port}: Address already in use. .*--port"
            ),
            service(chosen, parts(cluster)),
        ):
            pytest.fail("The service must not start.")
    assert cluster.history == []


def test_a_host_that_is_not_ours_is_one_clear_line() -> None:
    with pytest.raises(click.ClickException, match="Cannot listen on host"):
        listen("host.invalid", 0)


def test_a_data_directory_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_bytes(b"")
    with (
        pytest.raises(click.ClickException, match="--data"),
        service(Settings(data_dir=place), parts(FakeCluster())),
    ):
        pytest.fail("The service must not start.")


def test_a_service_without_comfyui_says_how_to_get_it(tmp_path: Path) -> None:
    result = run("serve", "--port", "0", COMFYUI_DIR=str(tmp_path))
    assert result.exit_code == 1
    assert "comfyui install" in result.output
    with (
        pytest.raises(ComfyNotInstalled),
        service(
            Settings(comfyui_dir=tmp_path, data_dir=tmp_path),
            replace(Parts(), cluster=FakeCluster()),
        ),
    ):
        pytest.fail("The service must not start.")


def test_a_worker_is_started_with_the_data_directory_of_its_service(tmp_path: Path) -> None:
    command = worker_command(Settings(data_dir=Path("data")))("cpu", "cpu-1")
    assert command[1:] == [
        str(PROJECT / "manage.py"),
        *("worker", "--supervised", "--pool", "cpu", "--name", "cpu-1"),
        *("--data", str(Path("data").absolute())),
    ]


SERVE = """
import sys
from pathlib import Path
from commands.serve import run_service
from settings import Settings
from tests.commands.support import FakeCluster, parts
cluster = FakeCluster()
run_service(Settings(data_dir=Path(sys.argv[1])).replace(port=0), parts(cluster))
print(cluster.history)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_signal_stops_the_service_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SERVE, str(tmp_path)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=30)
    assert first.startswith("Listening on http://127.0.0.1:")
    assert rest.endswith("Stopping.\nStopped.\n['started', 'stopped']\n")
    assert (process.returncode, errors) == (0, "")


def test_a_signal_that_came_early_is_raised_when_it_may_be() -> None:
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt), signals.raising():
            pytest.fail("The block must not run.")
        with pytest.raises(KeyboardInterrupt), signals.raising():
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_request_being_answered_is_finished_when_the_server_stops() -> None:
    entered, release = threading.Event(), threading.Event()
    app = Flask("slow")

    @app.get("/v1/jobs/a1")
    def answer() -> Response:
        entered.set()
        release.wait(10)
        return jsonify(job_id="a1", status="running")

    jobs: list[Job] = []
    with listen("127.0.0.1", 0) as listening:
        url = url_of("127.0.0.1", listening)
        asking = threading.Thread(target=lambda: jobs.append(JobsClient(url, None).get("a1")))
        with serve_http(app, listening):
            asking.start()
            assert entered.wait(10)
            threading.Timer(0.2, release.set).start()
        asking.join(10)
    assert [job.status for job in jobs] == ["running"]


def test_serve_says_when_the_workers_are_ready(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SERVE, str(tmp_path)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(4)]
        process.terminate()
        process.communicate(timeout=30)
    assert str(tmp_path / "api_key") in told[1]
    assert told[3] == "Ready: the workers take jobs.\n"
