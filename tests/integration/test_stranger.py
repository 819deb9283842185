"""A stranger who knows HTTP and /docs, and nothing of our code, gets a job done."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from jsonschema import Draft202012Validator
from PIL import Image
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from tests.integration.service import Service
from tests.tasks.receiver import Letter, Receiver
from tests.waiting import eventually
from tests.web.cutting_proxy import cutting

pytestmark = pytest.mark.live

SHADE = (255, 0, 0)
INVERTED = (0, 255, 255)
GRAPH = {
    "load": {"class_type": "LoadImage", "inputs": {"image": "face.png"}},
    "invert": {"class_type": "ImageInvert", "inputs": {"image": ["load", 0]}},
    "save": {
        "class_type": "SaveImage",
        "inputs": {"images": ["invert", 0], "filename_prefix": "s"},
    },
    # one that takes its time, so that there is something to follow
    "steps": {"class_type": "StepNode", "inputs": {"steps": 15, "seconds": 0.1}},
    "show": {
        "class_type": "SaveImage",
        "inputs": {"images": ["steps", 0], "filename_prefix": "t"},
    },
}

WHOLE = 10**9
CUTS = (WHOLE, WHOLE, WHOLE, 2500, 400)
"""After how many bytes a connection breaks off: page, document, submission, the stream twice."""


@dataclass(frozen=True)
class Stranger:
    """Somebody with an address, a key and what the documentation says."""

    url: str
    key: str
    document: dict[str, Any]

    @classmethod
    def reads_the_docs(cls, url: str, key: str) -> Stranger:
        page = requests.get(f"{url}/docs", timeout=10)
        assert page.headers["Content-Type"].startswith("text/html")
        (link,) = re.findall(r'<a href="([^"]+\.json)">', page.text)
        document = requests.get(urljoin(page.url, link), timeout=10).json()
        (server,) = document["servers"]
        schemes = document["components"]["securitySchemes"]
        offered = [schemes[name] for each in document["security"] for name in each]
        assert {"type": "http", "scheme": "bearer"} in offered
        return cls(urljoin(page.url, server["url"]).rstrip("/"), key, document)

    def path(self, method: str, *marks: str) -> str:
        """Find the only path that takes and gives these schemas or content types."""
        found = [
            path
            for path, operations in self.document["paths"].items()
            if set(marks) <= _mentioned(operations.get(method, {}))
        ]
        assert len(found) == 1, found
        return str(found[0])

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}", **more.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=30, **more)

    def checked(self, name: str, value: Any) -> Any:
        """Return what is as the schema of this name says."""
        self.check({"$ref": f"#/components/schemas/{name}"}, value)
        return value

    def check(self, schema: dict[str, Any], value: Any) -> None:
        whole = {**schema, "components": self.document["components"]}
        Draft202012Validator(whole).validate(value)

    def follows(self, path: str) -> Iterator[tuple[str, Any]]:
        """Yield events by name until `end`, coming back where a stream ended or broke off."""
        last: dict[str, str] = {}
        for _ in range(8):
            with (
                suppress(requests.ConnectionError, requests.exceptions.ChunkedEncodingError),
                self.call("get", path, headers=last, stream=True) as answer,
            ):
                assert answer.headers["Content-Type"].startswith("text/event-stream")
                for event in _events(answer):
                    last = {"Last-Event-ID": event["id"]}
                    yield event["event"], json.loads(event["data"])
                    if event["event"] == "end":
                        return


def _mentioned(operation: dict[str, Any]) -> set[str]:
    """Return the names of all schemas and content types of an operation."""
    bodies = [operation.get("requestBody", {}), *operation.get("responses", {}).values()]
    held = [item for body in bodies for item in body.get("content", {}).items()]
    names = {each["schema"].get("$ref", "").rpartition("/")[2] for _, each in held}
    return names | {kind for kind, _ in held}


def _events(answer: requests.Response) -> Iterator[dict[str, str]]:
    """Yield each event's fields, as the HTML standard reads a stream of one-line fields."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        name, _, value = line.partition(":")
        if line:
            fields[name] = value.removeprefix(" ")
            continue
        if "data" in fields:
            yield fields
        fields = {}


def picture() -> str:
    kept = io.BytesIO()
    Image.new("RGB", (16, 16), SHADE).save(kept, "PNG")
    return base64.b64encode(kept.getvalue()).decode()


def signature_as_described(letter: Letter, secret: str) -> str:
    """Sign as the document's introduction puts it."""
    stamp = letter.headers["webhook-timestamp"]
    signed = f"{letter.headers['webhook-id']}.{stamp}.{letter.body.decode()}"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, signed.encode(), hashlib.sha256)).decode()


def verify(stranger: Stranger, letter: Letter, secret: str) -> dict[str, Any]:
    """Return the event that a letter holds, once it is known to be genuine."""
    event: dict[str, Any] = Webhook(secret).verify(letter.body.decode(), letter.headers)
    assert letter.headers["webhook-signature"] == signature_as_described(letter, secret)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(letter.body.decode() + " ", letter.headers)
    described = stranger.document["webhooks"][event["type"]]["post"]
    assert {each["name"] for each in described["parameters"]} <= set(letter.headers)
    stranger.check(described["requestBody"]["content"]["application/json"]["schema"], event)
    return event


def check_what_was_asked(requests_sent: list[bytes]) -> None:
    """See to it that both cuts fell into the stream, and that it was taken up where it was."""
    streams = [each for each in requests_sent if b"/events " in each.splitlines()[0]]
    assert len(streams) >= 3
    assert [b"last-event-id:" in each.lower() for each in streams[:2]] == [False, True]


def test_a_stranger_sends_a_picture_follows_the_job_and_is_told_of_its_end(stack: Service) -> None:
    with cutting(stack.url, *CUTS) as line, Receiver() as receiver:
        stranger = Stranger.reads_the_docs(line.url, "the-key")
        submit = stranger.path("post", "Submission", "Job")
        follow = stranger.path("get", "text/event-stream")
        order = {
            "workflow": GRAPH,
            "media": [{"name": "face.png", "data": picture()}],
            "webhook_url": receiver.url,
            "webhook_events": ["job.completed"],
        }
        answer = stranger.call("post", submit, json=stranger.checked("Submission", order))
        assert answer.status_code == 202, answer.text
        job = stranger.checked("Job", answer.json())
        told = list(stranger.follows(follow.replace("{job_id}", job["job_id"])))
        eventually(lambda: receiver.letters)
        check_what_was_asked(line.requests)
        ended = stranger.checked("Job", told[-1][1])
        assert ended["status"] == "completed", ended
        (output,) = (each for each in ended["outputs"] if each["node_id"] == "save")
        file = requests.get(output["url"], timeout=10)

    names = [name for name, _ in told]
    assert (names[0], names[-1]) == ("snapshot", "end")
    assert {"status", "progress", "output"} <= set(names)
    assert stranger.checked("Job", told[0][1])["status"] in {"queued", "running"}
    assert len([each for each in names if each == "snapshot"]) == 1, "the stream began anew"
    assert file.headers["Content-Type"] == "image/png"
    assert hashlib.sha256(file.content).hexdigest() == output["sha256"]
    saved = Image.open(io.BytesIO(file.content))
    assert (saved.format, saved.size) == ("PNG", (16, 16))
    assert saved.convert("RGB").getpixel((0, 0)) == INVERTED
    (letter,) = receiver.letters
    # what the operator hands over besides an address and a key
    secret = stack.run("webhooks", "secret", *stack.records).stdout.strip()
    event = verify(stranger, letter, secret)
    assert (event["type"], event["data"]["job_id"]) == ("job.completed", job["job_id"])
