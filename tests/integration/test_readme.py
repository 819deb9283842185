"""What the README tells a newcomer to type does what it says."""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from PIL import Image

from tests.integration.service import ROOT, Service, colour
from tests.integration.stack import Stack
from tests.waiting import eventually

pytestmark = pytest.mark.live

BLOCKS = re.compile(r"```bash\n(.*?)```", re.DOTALL)
JSON = re.compile(r"```json\n(.*?)```", re.DOTALL)
ORDERS = ("first", "second")


def section(heading: str) -> str:
    """Return what stands below a heading, up to the next one of its rank or a higher."""
    rank = heading.index(" ")
    below = (ROOT / "README.md").read_text().split(f"\n{heading}\n")[1]
    return re.split(rf"\n#{{2,{rank}}} ", below)[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_the_curl_examples_work_verbatim(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    blocks = BLOCKS.findall((ROOT / "README.md").read_text())
    assert len(blocks) >= 7
    stack = make_stack()
    stack.start(port=free_port())
    place = tmp_path / "newcomer"
    shutil.copytree(ROOT / "workflows", place / "workflows")
    (place / ".data").mkdir()
    (place / ".data" / "api_key").write_text("the-key")
    # only the address differs: a test may not take the port that a person's service has
    script = "set -eu\n" + "\n".join(blocks).replace("http://127.0.0.1:8000", stack.url)

    done = subprocess.run(
        ["bash", "-c", script], cwd=place, capture_output=True, text=True, timeout=150, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert (place / "out" / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert '"completed"' in done.stdout
    first, second = (json.loads((place / "out" / f"{n}.json").read_text()) for n in ORDERS)
    assert first["job_id"] == second["job_id"]
    assert "event: snapshot" in done.stdout
    assert done.stdout.count("event: end") == 1
    copied = json.loads(done.stdout.splitlines()[-1])
    assert (copied["status"], len(copied["outputs"])) == ("completed", 1)


def test_what_the_api_section_shows_of_a_submission_is_accepted(stack: Service) -> None:
    api = section("## The API")
    fields = dict(re.findall(r"^\| `(\w+)` \| .*?`([\[{].*?[\]}])`", api, re.MULTILINE))
    assert {"workflow", "params", "inputs"} <= set(fields)
    body = {name: json.loads(fields[name]) for name in ("workflow", "params", "inputs")}
    (title,) = re.findall(r'`"node": "(@[^"]+)"`', api)
    body["inputs"].append({"node": title, "field": "text", "value": "fog"})

    answer = stack.call("POST", "/v1/workflows/validate", json=body)

    assert answer.status_code == 200, answer.text


def test_the_input_files_that_the_api_section_shows_are_accepted(stack: Service) -> None:
    (shown,) = JSON.findall(section("## The API"))
    sent, fetched, earlier = media = json.loads(shown)
    sent["data"] = picture_like(sent["data"].removesuffix("..."))
    earlier["job_id"] = stack.completed(stack.submit(colour(3), user_id="ann"))["job_id"]
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": sent["name"]}},
        "2": {"class_type": "LoadVideo", "inputs": {"file": fetched["name"]}},
        "3": {"class_type": "LoadImage", "inputs": {"image": earlier["name"]}},
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    body = {"workflow": graph, "media": media, "user_id": "ann"}

    answer = stack.call("POST", "/v1/workflows/validate", json=body)

    assert (answer.status_code, answer.json().get("media")) == (200, 3), answer.text


def picture_like(beginning: str) -> str:
    """Return a picture in base64 that begins as the one shown."""
    kept = io.BytesIO()
    Image.new("RGB", (16, 16)).save(kept, "PNG")
    whole = base64.b64encode(kept.getvalue()).decode()
    assert whole.startswith(beginning)
    return whole


def test_the_commands_about_keys_make_one_that_works_until_it_is_revoked(stack: Service) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", section("### Keys"), re.DOTALL)
    create, listing, revoke = (shlex.split(line, comments=True)[2:] for line in block.splitlines())
    key = stack.run(*create, *stack.records).stdout.strip()

    def status() -> int:
        headers = {"X-API-Key": key}
        return requests.get(f"{stack.url}/v1/jobs", headers=headers, timeout=30).status_code

    assert status() == 200
    made = json.loads(stack.run(*listing, "--json", *stack.records).stdout)["keys"][0]
    assert made["owner"] == create[create.index("--user") + 1]
    done = stack.run(*revoke[:-1], made["id"], *stack.records)
    assert done.returncode == 0, done.stderr
    eventually(lambda: status() == 401)
