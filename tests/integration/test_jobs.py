"""Jobs through the whole service: HTTP, queue, worker process, a real ComfyUI, files."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

import workflows
from tests.integration.service import Service, colour, picture_of, steps
from tests.waiting import eventually

pytestmark = pytest.mark.live

MAGIC = {"image": b"\x89PNG", "video": b"ftyp"}


@pytest.mark.parametrize("name", sorted(workflows.names()))
def test_every_bundled_workflow_gives_its_files(stack: Service, name: str, tmp_path: Path) -> None:
    expected = sorted(output.kind for output in workflows.manifest()[name].outputs)

    done = stack.run("submit", name, "--download", str(tmp_path / "files"))

    assert done.returncode == 0, done.stdout + done.stderr
    files = list((tmp_path / "files").iterdir())
    assert len(files) == len(expected)
    for kind in expected:
        assert any(MAGIC[kind] in path.read_bytes()[:12] for path in files)
    for path in files:
        assert path.stat().st_size > 1000


def test_a_job_is_shown_in_full_when_it_is_done(stack: Service) -> None:
    job = stack.completed(stack.submit(colour(0xFF0000), user_id="u1"))

    assert job["progress"] == 100
    assert job["nodes_done"] == job["nodes_total"] == 2
    assert job["error"] is None
    assert job["user_id"] == "u1"
    assert job["created_at"] <= job["started_at"] <= job["completed_at"]
    assert all(re.match(r"\[\d\d:\d\d:\d\d\] ", line) for line in job["logs"])
    (output,) = job["outputs"]
    assert output["filename"] == "p_00001_.png"
    assert (output["kind"], output["content_type"]) == ("image", "image/png")
    file = requests.get(output["url"], timeout=10)
    assert len(file.content) == output["size_bytes"]
    assert Image.open(io.BytesIO(file.content)).getpixel((0, 0)) == (255, 0, 0)


def test_an_override_changes_the_picture(stack: Service) -> None:
    inputs = [{"node": "1", "field": "color", "value": 0x00FF00, "type": "raw"}]
    job = stack.completed(stack.submit(colour(0xFF0000), inputs=inputs))

    file = requests.get(job["outputs"][0]["url"], timeout=10)
    assert Image.open(io.BytesIO(file.content)).getpixel((0, 0)) == (0, 255, 0)


def test_the_same_workflow_twice_gives_each_job_files_of_its_own(stack: Service) -> None:
    jobs = [stack.completed(stack.submit(colour(0x123456))) for _ in range(2)]

    urls = {job["outputs"][0]["url"].split("?")[0] for job in jobs}
    assert len(urls) == 2
    for job in jobs:
        assert requests.get(job["outputs"][0]["url"], timeout=10).content[:4] == b"\x89PNG"


def test_a_signed_url_serves_ranges_and_refuses_any_other_signature(stack: Service) -> None:
    url = stack.completed(stack.submit(colour(1)))["outputs"][0]["url"]

    part = requests.get(url, headers={"Range": "bytes=0-3"}, timeout=10)
    assert (part.status_code, part.content) == (206, b"\x89PNG")
    again = requests.get(url, headers={"If-None-Match": part.headers["ETag"]}, timeout=10)
    assert again.status_code == 304
    forged = url[:-1] + ("A" if url[-1] != "A" else "B")
    assert requests.get(forged, timeout=10).status_code == 403


def test_progress_is_seen_step_by_step_and_never_goes_back(stack: Service) -> None:
    job_id = stack.submit(steps(12, 2.5 * stack.report_seconds))
    seen: list[tuple[int, int]] = []

    def watch() -> bool:
        job = stack.job(job_id)
        seen.append((job["progress"], job["current_step"] or 0))
        assert job["total_steps"] in {None, 12}
        return bool(job["status"] == "completed")

    eventually(watch, 60)

    assert len({step for _, step in seen if step}) >= 8
    assert [progress for progress, _ in seen] == sorted(progress for progress, _ in seen)
    assert seen[-1][0] == 100
    assert 100 not in [progress for progress, _ in seen[:-1]]


def test_a_text_output_is_given_as_it_is(stack: Service) -> None:
    node = {"class_type": "TextNode", "inputs": {"text": "wörds"}}
    (output,) = stack.completed(stack.submit({"1": node}))["outputs"]

    assert (output["kind"], output["text"]) == ("text", "wörds")


def test_a_node_that_fails_is_named_with_its_error(stack: Service) -> None:
    inputs = {"message": "out of cheese"}
    node = {"class_type": "FailNode", "inputs": inputs, "_meta": {"title": "Cheese"}}
    job = stack.ended(stack.submit(picture_of(node)))

    assert job["status"] == "failed"
    assert job["progress"] < 100
    assert job["error"] == {
        "code": "node_failed",
        "message": "ValueError: out of cheese",
        "node_id": "1",
        "node_type": "FailNode",
        "node_title": "Cheese",
    }


def test_a_workflow_that_cannot_be_right_is_refused_at_once(stack: Service) -> None:
    graph = colour(1)
    graph["2"]["inputs"]["images"] = ["17", 0]
    answer = stack.call("POST", "/v1/jobs", json={"workflow": graph})

    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/workflow/2/inputs/images"]


def test_what_comfyui_would_refuse_is_refused_before_a_worker_sees_it(stack: Service) -> None:
    unknown = picture_of({"class_type": "NothingNod", "inputs": {}})
    out_of_range = colour(1)
    out_of_range["1"]["inputs"]["width"] = -5

    def refusal(graph: dict[str, Any]) -> dict[str, Any] | None:
        # until the worker has told what its ComfyUI has, only a worker can know
        answer = stack.call("POST", "/v1/jobs", json={"workflow": graph})
        return answer.json() if answer.status_code == 422 else None

    told = eventually(lambda: refusal(unknown))
    assert told["errors"][0]["pointer"] == "/workflow/1/class_type"
    assert "did you mean 'NothingNode'?" in told["errors"][0]["detail"]
    told = eventually(lambda: refusal(out_of_range))
    assert told["errors"][0]["pointer"] == "/workflow/1/inputs/width"


def test_a_job_cancelled_while_sampling_frees_comfyui_for_the_next(stack: Service) -> None:
    graph = workflows.load("text_to_image")
    inputs = [{"node": "5", "field": "steps", "value": 2000}]
    job_id = stack.submit(graph, inputs=inputs)
    stack.at_step(job_id, 2)

    answer = stack.call("DELETE", f"/v1/jobs/{job_id}")

    assert answer.status_code == 200
    job = stack.ended(job_id)
    assert job["status"] == "cancelled"
    assert job["outputs"] == []
    eventually(lambda: stack.comfyui_queue() == {"queue_running": [], "queue_pending": []}, 10)
    stack.completed(stack.submit(colour(2)))
    assert stack.call("DELETE", f"/v1/jobs/{job_id}").json()["status"] == "cancelled"


def test_a_job_cancelled_while_it_waits_never_starts(stack: Service) -> None:
    busy = stack.submit(steps(500))
    stack.at_step(busy)
    waiting = stack.submit(colour(3))

    assert stack.call("DELETE", f"/v1/jobs/{waiting}").json()["status"] == "cancelled"
    stack.call("DELETE", f"/v1/jobs/{busy}")
    assert stack.ended(busy)["status"] == "cancelled"
    stack.completed(stack.submit(colour(4)))
    assert stack.job(waiting)["started_at"] is None


def test_a_user_at_the_limit_is_refused_until_a_job_ends(stack: Service) -> None:
    mine = [stack.submit(steps(500), user_id="busy") for _ in range(5)]
    refused = stack.call("POST", "/v1/jobs", json={"workflow": colour(1), "user_id": "busy"})
    others = stack.submit(colour(1), user_id="another")

    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    for job_id in mine:
        stack.call("DELETE", f"/v1/jobs/{job_id}")
    for job_id in mine:
        assert stack.ended(job_id)["status"] == "cancelled"
    stack.completed(others)
    stack.completed(stack.submit(colour(1), user_id="busy"))


def test_jobs_are_listed_newest_first_in_pages(stack: Service) -> None:
    ids = [stack.submit(colour(n), user_id="lister") for n in range(4)]
    for job_id in ids:
        stack.completed(job_id)

    first = stack.call("GET", "/v1/jobs?user_id=lister&status=completed&limit=3").json()
    second = stack.call("GET", f"/v1/jobs?user_id=lister&limit=3&after={first['next']}").json()

    assert [job["job_id"] for job in first["jobs"]] == ids[:0:-1]
    assert [job["job_id"] for job in second["jobs"]] == ids[:1]
    assert second["next"] is None
    assert stack.call("GET", "/v1/jobs?user_id=lister&status=failed").json()["jobs"] == []


def test_the_command_line_lists_shows_and_fails_like_the_api(stack: Service) -> None:
    node = {"class_type": "FailNode", "inputs": {"message": "boom"}}
    path = stack.data / "failing.json"
    path.write_text(json.dumps(picture_of(node)))

    failed = stack.run("submit", str(path), "--user", "cli")
    assert failed.returncode == 1
    assert "boom" in failed.stderr
    assert "Traceback" not in failed.stderr

    listed = json.loads(stack.run("jobs", "list", "--user", "cli", "--json").stdout)
    job_id = (listed["jobs"] if isinstance(listed, dict) else listed)[0]["job_id"]
    shown = json.loads(stack.run("jobs", "show", job_id, "--json").stdout)
    assert shown["error"]["code"] == "node_failed"
    assert stack.run("jobs", "cancel", job_id).returncode == 0
