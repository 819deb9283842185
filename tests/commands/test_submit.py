"""Submitting: what is sent, what is shown, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from commands.submit import OverrideType
from tests.commands.support import (
    BROKEN,
    DONE,
    GRAPH,
    PROJECT,
    RUNNING,
    SECOND_STEP,
    FakeApi,
    run,
    serving,
)


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


def test_submit_asks_for_another_gpu() -> None:
    api = FakeApi()
    with serving(api) as url:
        run("submit", "graph.json", "--gpu", "H100", url=url)
    assert api.submissions == [{"workflow": GRAPH, "gpu": "H100"}]


def test_submit_says_how_long_a_run_may_take_and_whom_to_tell() -> None:
    api = FakeApi()
    hook = ("--webhook", "https://example.com/h", "--webhook-event", "job.failed")
    with serving(api) as url:
        result = run("submit", "graph.json", "--timeout", "60", *hook, "--no-wait", url=url)
    assert result.output == "a1\n"
    assert api.submissions == [
        {
            "workflow": GRAPH,
            "timeout_seconds": 60,
            "webhook_url": "https://example.com/h",
            "webhook_events": ["job.failed"],
        }
    ]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--webhook-event", "job.failed"), "without --webhook URL"),
        (("--webhook", "https://e.x/", "--webhook-event", "job.done"), "'job.done' is not one of"),
        (("--timeout", "0"), "0 is not in the range"),
    ],
)
def test_what_submit_cannot_mean_is_refused(options: tuple[str, ...], reason: str) -> None:
    result = run("submit", "graph.json", *options)
    assert result.exit_code == 2
    assert reason in result.output


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


@pytest.mark.parametrize(
    ("option", "sent"),
    [
        ("{path}", {"name": "in=a.png", "data": "UE5H"}),
        ("face={path}", {"name": "face", "data": "UE5H"}),
        (
            "https://example.com/b.jpg?s=1",
            {"name": "b.jpg", "url": "https://example.com/b.jpg?s=1"},
        ),
        ("face=http://example.com/b", {"name": "face", "url": "http://example.com/b"}),
    ],
)
def test_submit_sends_files_and_addresses_under_a_name(
    option: str, sent: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "in=a.png"
    path.write_bytes(b"PNG")
    api = FakeApi()
    with serving(api) as url:
        media = option.format(path=path)
        run("submit", "graph.json", "--media", media, "--temp-outputs", "--no-wait", url=url)
    (submission,) = api.submissions
    assert submission["media"] == [sent]
    assert submission["temp_outputs"] is True


def test_a_file_that_cannot_be_read_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    result = run("submit", "graph.json", "--media", f"face={tmp_path / 'nowhere.png'}")
    assert result.exit_code == 2
    assert "nowhere.png' cannot be read: No such file" in result.output


def test_submit_takes_a_bundled_workflow_by_name() -> None:
    api = FakeApi()
    with serving(api) as url:
        result = run("submit", "text_to_image", "--no-wait", url=url)
    assert result.output == "a1\n"
    kinds = {node["class_type"] for node in api.submissions[0]["workflow"].values()}
    assert "KSampler" in kinds


def test_submit_sets_the_parameters_of_a_bundled_workflow() -> None:
    api = FakeApi()
    with serving(api) as url:
        run("submit", "text_to_image", "--param", "seed=77", "--no-wait", url=url)
    inputs = [node["inputs"] for node in api.submissions[0]["workflow"].values()]
    assert 77 in [each.get("seed") for each in inputs]


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("text_to_image", "sed=7", "did you mean seed"),
        ("text_to_image", "seed", "does not read NAME=VALUE"),
        ("nowhere", "seed=7", "--param: "),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(name: str, given: str, told: str) -> None:
    result = run("submit", name, "--param", given)
    assert result.exit_code in {1, 2}
    assert told in result.output


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
