"""The command line, against a real HTTP server with jobs that go as a test tells them to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from flask import Flask, Response, jsonify, request

import manage
from comfy_runner.errors import ComfyNotInstalled
from commands.connection import find_key
from commands.http_server import listen, serve_http, url_of
from commands.serve import Parts, service, worker_command
from commands.signals import StopSignals
from commands.submit import OverrideType, follow
from commands.terminal import describe_position, print_table, printable
from settings import Settings
from web.answers import Job
from web.client import ApiError, ApiUnreachable, ClientError, JobsClient

PROJECT = Path(manage.__file__).resolve().parent
GRAPH = {"3": {"class_type": "KSampler", "inputs": {"seed": 1}}}
RUNNING = {"status": "running", "progress": 40, "current_node": "3"}
SECOND_STEP = RUNNING | {"current_step": 2, "total_steps": 4}
PICTURE = {"node_id": "9", "kind": "image", "filename": "a.png", "url": "/files/a.png"}
CAPTION = {"node_id": "8", "kind": "text", "filename": "", "text": "a \x1b[31mfox"}
DONE = {"status": "completed", "progress": 100, "outputs": [PICTURE, CAPTION]}
BROKEN = {
    "code": "node_failed",
    "message": "no such seed",
    "node_id": "3",
    "node_type": "KSampler",
}


class FakeApi:
    """A job that goes through `script`, one state for each look at it, and stays at the last."""

    def __init__(self, *script: dict[str, Any]) -> None:
        self.script = list(script) or [DONE]
        self.submissions: list[dict[str, Any]] = []
        self.queries: list[str] = []
        self.cancelled = threading.Event()
        self.looked = threading.Event()
        self.app = Flask("fake")
        self.app.add_url_rule("/v1/jobs", view_func=self._submit, methods=["POST"])
        self.app.add_url_rule("/v1/jobs", view_func=self._list)
        self.app.add_url_rule("/v1/jobs/<job_id>", view_func=self._get)
        self.app.add_url_rule("/v1/jobs/<job_id>", view_func=self._cancel, methods=["DELETE"])
        self.app.add_url_rule("/files/a.png", view_func=lambda: Response(b"PNG"))
        self.app.before_request(self._check_key)

    def _check_key(self) -> tuple[Response, int] | None:
        if request.path.startswith("/v1") and request.headers.get("Authorization") != "Bearer k":
            return jsonify(title="Unauthorized", detail="The key is wrong"), 401
        return None

    def _submit(self) -> tuple[Response, int]:
        self.submissions.append(request.get_json())
        return jsonify(job_id="a1", status="queued"), 202

    def _get(self, job_id: str) -> Response | tuple[Response, int]:
        if job_id != "a1":
            return jsonify(title="Not found", detail=f"There is no job {job_id!r}."), 404
        self.looked.set()
        if self.cancelled.is_set():
            return jsonify(job_id="a1", status="cancelled")
        state = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return jsonify(job_id="a1", **state)

    def _list(self) -> Response:
        self.queries.append(request.query_string.decode())
        state = {"job_id": "a1", "user_id": "[red]u1", "created_at": "2026-01-02T03:04:05Z"}
        return jsonify(jobs=[state | self.script[0]], next=None)

    def _cancel(self, job_id: str) -> Response:
        self.cancelled.set()
        return jsonify(job_id=job_id, **(self.script[0] | {"status": "cancelled"}))


@contextmanager
def serving(api: FakeApi) -> Iterator[str]:
    with listen("127.0.0.1", 0) as listening, serve_http(api.app, listening):
        yield url_of("127.0.0.1", listening)


def run(*arguments: str, url: str | None = None, **environment: str) -> Result:
    """Run manage.py as from an empty directory, with an environment of its own."""
    runner = CliRunner()
    known = {"COMFYUI_API_KEY": "k"} | ({"COMFYUI_API_URL": url} if url else {}) | environment
    with tempfile.TemporaryDirectory() as empty, chdir(empty):
        Path("graph.json").write_text(json.dumps(GRAPH))
        return runner.invoke(manage.main, arguments, env=known)


def test_submit_shows_each_step_saves_the_file_and_prints_the_text(tmp_path: Path) -> None:
    with serving(FakeApi(RUNNING, SECOND_STEP, DONE)) as url:
        result = run("submit", "graph.json", "--download", str(tmp_path), url=url)
    assert result.exit_code == 0, result.output
    assert "running    40%  node 3 KSampler, step 2 of 4" in result.output
    assert "completed 100%" in result.output
    assert "Text of node 8: a \N{REPLACEMENT CHARACTER}[31mfox" in result.output
    assert (tmp_path / "a.png").read_bytes() == b"PNG"


def test_submit_without_a_directory_prints_where_the_files_are() -> None:
    with serving(FakeApi()) as url:
        result = run("submit", "graph.json", url=url)
    assert "a.png: /files/a.png" in result.output


def test_submit_sends_overrides_and_user() -> None:
    api = FakeApi()
    with serving(api) as url:
        run(
            "submit",
            "graph.json",
            "--set",
            "3.seed=7",
            "--set",
            "6.text=a=b",
            "--user",
            "u",
            url=url,
        )
    assert api.submissions == [
        {
            "workflow": GRAPH,
            "user_id": "u",
            "inputs": [
                {"node": "3", "field": "seed", "value": 7, "type": "raw"},
                {"node": "6", "field": "text", "value": "a=b", "type": "raw"},
            ],
        }
    ]


def test_submit_takes_a_bundled_workflow_by_name() -> None:
    api = FakeApi()
    with serving(api) as url:
        result = run("submit", "text_to_image", "--no-wait", url=url)
    assert result.output == "a1\n"
    kinds = {node["class_type"] for node in api.submissions[0]["workflow"].values()}
    assert "KSampler" in kinds


def test_a_failed_job_ends_the_command_with_1_and_the_reason() -> None:
    with serving(FakeApi({"status": "failed", "error": BROKEN})) as url:
        result = run("submit", "graph.json", url=url)
    assert result.exit_code == 1
    assert "Error: Job a1 failed: node_failed at node 3 (KSampler): no such seed" in result.output


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("1.5", 1.5),
        ("true", True),
        ('"7"', "7"),
        ('["4", 0]', ["4", 0]),
        ("a fox", "a fox"),
        ("", ""),
        ("NaN", "NaN"),
    ],
)
def test_a_value_is_json_if_it_reads_as_json_and_else_text(text: str, value: object) -> None:
    override = OverrideType().convert(f"57:8.a.b={text}", None, None)
    assert override == {"node": "57:8", "field": "a.b", "value": value, "type": "raw"}


@pytest.mark.parametrize("text", ["seed=7", "3.seed", "3.=7", ".seed=7", "=", ""])
def test_an_override_that_names_no_field_is_refused_with_an_example(text: str) -> None:
    result = run("submit", "graph.json", "--set", text)
    assert result.exit_code == 2
    assert "such as 6.text=sunset" in result.output


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("nowhere.json", None, "There is no file 'nowhere.json'; bundled workflows are"),
        ("../workflows/text_to_image", None, "There is no file"),
        ("bad.json", b"{", "bad.json cannot be read as JSON"),
        ("bad.json", b"\xff\xfe\xfa", "bad.json cannot be read as JSON"),
        ("bad.json", b"[]", "holds no workflow"),
    ],
)
def test_a_workflow_that_cannot_be_read_is_one_clear_line(
    name: str, content: bytes | None, expected: str, tmp_path: Path
) -> None:
    if content is not None:
        name = str(tmp_path / name)
        Path(name).write_bytes(content)
    result = run("submit", name)
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert expected in result.output


def test_a_server_that_is_not_there_is_named_with_the_remedy() -> None:
    result = run("jobs", "list", url="http://127.0.0.1:9")
    assert result.exit_code == 1
    assert result.output.startswith("Error: No answer from http://127.0.0.1:9")
    assert "python manage.py serve" in result.output


def test_a_wrong_key_is_told_with_the_remedy() -> None:
    with serving(FakeApi()) as url:
        result = run("jobs", "list", "--key", "wrong", url=url)
    assert result.exit_code == 1
    assert "The key is wrong" in result.output
    assert "COMFYUI_API_KEY" in result.output


def test_a_bad_setting_is_one_line_and_no_traceback() -> None:
    result = run("settings", PORT="many")
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "PORT=many" in result.output


def test_settings_are_printed_without_secrets() -> None:
    result = run("settings", API_KEY="hush-hush", WORKERS="3")
    assert result.exit_code == 0
    assert "hush-hush" not in result.output
    line = next(line for line in result.output.splitlines() if line.startswith("WORKERS"))
    assert line.split()[:4] == ["WORKERS", "3", "1", "processes"]


def test_jobs_are_listed_in_a_table_that_keeps_whole_ids_and_brackets() -> None:
    api = FakeApi(RUNNING)
    with serving(api) as url:
        result = run(
            "jobs", "list", "--status", "running", "--user", "u1", "--limit", "3", url=url
        )
    heading, row = result.output.splitlines()
    assert heading.split() == ["JOB", "STATUS", "PROGRESS", "OUTPUTS", "USER", "CREATED"]
    assert row.split()[:4] == ["a1", "running", "40%", "[red]u1"]
    assert api.queries == ["status=running&user_id=u1&limit=3"]


def test_jobs_are_listed_as_json_for_programs() -> None:
    with serving(FakeApi(RUNNING)) as url:
        result = run("jobs", "list", "--json", url=url)
    assert json.loads(result.output)["jobs"][0]["status"] == "running"


def test_a_job_is_shown_with_its_error_and_outputs() -> None:
    with serving(FakeApi(DONE | {"error": BROKEN, "logs": ["[20:01:02] Job started"]})) as url:
        result = run("jobs", "show", "a1", url=url)
    assert "node_failed at node 3 (KSampler): no such seed" in result.output
    assert "/files/a.png" in result.output
    assert "Job started" in result.output
    assert "\x1b" not in result.output


def test_a_job_that_is_not_there_is_one_clear_line() -> None:
    with serving(FakeApi()) as url:
        result = run("jobs", "show", "zz", url=url)
    assert (result.exit_code, result.output) == (1, "Error: There is no job 'zz'. (HTTP 404)\n")


def test_a_job_is_cancelled() -> None:
    api = FakeApi(RUNNING)
    with serving(api) as url:
        result = run("jobs", "cancel", "a1", url=url)
    assert api.cancelled.is_set()
    assert result.output == "Job a1 is cancelled.\n"


def test_the_key_is_the_configured_one_or_the_one_that_serve_wrote(tmp_path: Path) -> None:
    local, remote = "http://127.0.0.1:8000", "https://example.com"
    (tmp_path / "api_key").write_text("written\n")
    known = Settings(data_dir=tmp_path)
    assert find_key(known, local) == "written"
    assert find_key(known, remote) is None
    assert find_key(replace(known, api_key="server"), remote) == "server"
    assert find_key(replace(known, api_key="server", comfyui_api_key="mine"), local) == "mine"
    assert find_key(Settings(data_dir=tmp_path / "none"), local) is None


class Outage:
    """A client whose server fails some times before the job is done; time passes as it waits."""

    def __init__(self, error: ClientError, seconds: float) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self._error = error
        self._end = seconds

    def get(self, job_id: str) -> Job:
        if self.now < self._end:
            raise self._error
        return Job(job_id, "completed")

    def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def follow(self) -> Job:
        client: Any = self
        return follow(
            client, Job("a1", "queued"), lambda _: None, pause=self.pause, clock=lambda: self.now
        )


@pytest.mark.parametrize("error", [ApiUnreachable("gone"), ApiError(503, "busy")])
def test_a_restart_of_the_server_does_not_end_the_wait(error: ClientError) -> None:
    outage = Outage(error, 20)
    assert outage.follow().status == "completed"
    assert 0.1 <= min(outage.waits) <= max(outage.waits) <= 1.0


@pytest.mark.parametrize(
    ("error", "seconds"), [(ApiUnreachable("gone"), 99), (ApiError(404, "x"), 1)]
)
def test_a_wait_that_cannot_succeed_ends(error: ClientError, seconds: float) -> None:
    outage = Outage(error, seconds)
    with pytest.raises(type(error)):
        outage.follow()
    assert outage.now < 35


def test_control_characters_of_others_never_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert printable("a\x1b]0;b\x07\r\nc") == "a\ufffd]0;b\ufffd\ufffd\nc"
    print_table(["A"], [["[bold]\x1b[2J"]])
    assert capsys.readouterr().out.split() == ["A", "[bold]\ufffd[2J"]


def test_a_position_is_told_even_for_a_node_the_graph_does_not_have() -> None:
    assert describe_position(Job("a", "running", current_node="9"), GRAPH) == "node 9"
    assert describe_position(Job("a", "queued"), GRAPH) == ""


def test_ctrl_c_asks_the_server_to_cancel_the_job(tmp_path: Path) -> None:
    api = FakeApi(RUNNING)
    graph = tmp_path / "graph.json"
    graph.write_text(json.dumps(GRAPH))
    with serving(api) as url:
        command = [sys.executable, str(PROJECT / "manage.py"), "submit", str(graph)]
        options = ["--url", url, "--key", "k"]
        with subprocess.Popen(
            [*command, *options], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        ) as process:
            assert api.looked.wait(30)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert api.cancelled.is_set()
    assert "Job a1 is cancelled." in told
    assert "Traceback" not in told


class FakeCluster:
    """Stands for the worker processes."""

    def __init__(self) -> None:
        self.history: list[str] = []
        self.command: list[str] = []

    def __call__(self, _: Settings, command: Any) -> FakeCluster:
        self.command = command("comfy", "comfy-1")
        return self

    def __enter__(self) -> FakeCluster:
        self.history.append("started")
        return self

    def __exit__(self, *_: object) -> None:
        self.history.append("stopped")


def parts(cluster: FakeCluster) -> Parts:
    return Parts(
        cluster=cluster,
        application=lambda _: FakeApi().app,
        configure=lambda _: None,
        find_comfyui=lambda **_: None,
    )


def test_a_service_answers_on_a_free_port_and_stops_its_workers(tmp_path: Path) -> None:
    cluster = FakeCluster()
    chosen = Settings(port=0, data_dir=tmp_path / "data").replace(port=0)
    with service(chosen, parts(cluster)) as url, JobsClient(url, "k") as client:
        assert client.get("a1").status == "completed"
        assert cluster.history == ["started"]
    assert cluster.history == ["started", "stopped"]
    with JobsClient(url, "k") as client, pytest.raises(ApiUnreachable):
        client.get("a1")


def test_a_port_in_use_is_one_clear_line_and_starts_nothing(tmp_path: Path) -> None:
    cluster = FakeCluster()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        chosen = Settings(data_dir=tmp_path, port=taken.getsockname()[1])
        with (
            pytest.raises(click.ClickException, match=f"port {chosen.port}: .*--port"),
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
        *("worker", "--pool", "cpu", "--name", "cpu-1"),
        *("--data", str(Path("data").absolute())),
    ]


SERVE = """
import sys
from pathlib import Path
from commands.serve import run_service
from settings import Settings
from tests.test_manage import FakeCluster, parts
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
