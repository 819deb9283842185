"""Whatever JSON is sent: never a failure, and every refusal points at places of the body."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from settings import Settings
from tests.web.conftest import KEY
from tests.web.memory_jobs import MemoryJobs
from tests.web.problems import problem
from tests.web.test_catalogue import CATALOG
from web import create_app
from web.v1.schemas import SubmissionSchema

# -- strategies ------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXT
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip

IDS = st.sampled_from(["1", "2", "9", "@Loader", "@", "", "~", "a/b"])
LINKS = st.tuples(IDS, st.integers(-1, 2)).map(list)
CLASSES = st.sampled_from(["LoadImage", "SaveImage", "EmptyImage", "X", ""])
NODES = st.fixed_dictionaries(
    {},
    optional={
        "class_type": CLASSES | ANY_JSON,
        "inputs": st.dictionaries(
            st.sampled_from(["image", "images", "filename_prefix", "width", "a/b~"]),
            LINKS | st.sampled_from(["../x", "a"]) | ANY_JSON,
            max_size=3,
        )
        | ANY_JSON,
        "_meta": st.fixed_dictionaries({"title": TEXT}) | ANY_JSON,
    },
)
GRAPHS = st.dictionaries(IDS, NODES | ANY_JSON, max_size=3)
EDITOR = st.fixed_dictionaries(
    {
        "nodes": st.lists(
            st.fixed_dictionaries({"id": st.integers(0, 3), "type": CLASSES}) | ANY_JSON
        )
    },
    optional={"links": st.lists(ANY_JSON, max_size=2), "version": ANY_JSON, "extra": ANY_JSON},
)
NAMED = st.fixed_dictionaries(
    {"name": st.sampled_from(["text_to_image", "upscale", "text_to_imag"]) | ANY_JSON}
)
PARAMS = st.dictionaries(
    st.sampled_from(["prompt", "seed", "promt", "steps", "image"]), ANY_JSON, max_size=3
)
LOCATORS = st.sampled_from(
    ["https://files.example/a.png", "http://127.0.0.1/", "a.png", "iVBORw0KGgo=", "data:,x"]
)
FILES = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("name", "data", "url", "job_id", "filename"), LOCATORS | ANY_JSON),
)
INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "node": IDS | ANY_JSON,
        "field": st.sampled_from(["image", "seed", "sed", ""]) | ANY_JSON,
        "value": LINKS | ANY_JSON,
        "type": st.sampled_from(["raw", "media"]) | ANY_JSON,
    },
)
FIELDS = {
    "workflow": GRAPHS | EDITOR | NAMED | ANY_JSON,
    "params": PARAMS | ANY_JSON,
    "inputs": st.lists(INPUTS | ANY_JSON, max_size=3) | ANY_JSON,
    "media": st.lists(FILES | ANY_JSON, max_size=3) | ANY_JSON,
    "timeout_seconds": st.integers(-1, 10_000) | ANY_JSON,
    "temp_outputs": st.booleans() | ANY_JSON,
    "user_id": TEXT | ANY_JSON,
    "gpu": st.sampled_from(["H100", "none", "L4"]) | ANY_JSON,
    "webhook_url": LOCATORS | ANY_JSON,
    "webhook_events": st.lists(st.sampled_from(["job.failed", "job.done"])) | ANY_JSON,
}
SUBMISSIONS = st.fixed_dictionaries({}, optional=FIELDS)


@pytest.fixture(scope="module", params=[None, CATALOG], ids=["by form", "by catalogue"])
def client(request: pytest.FixtureRequest) -> Iterator[FlaskClient]:
    """A client of an API that judges workflows by their form alone, or by a catalogue."""
    with TemporaryDirectory() as directory:
        settings = Settings(api_key=KEY, data_dir=Path(directory))
        jobs = MemoryJobs(limit=10**9)
        client = create_app(settings, jobs=jobs, catalog=lambda: request.param).test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {KEY}"
        yield client


def is_place(body: Any, pointer: str) -> bool:
    """Tell whether a JSON pointer leads to a value, or to where one of an object is missing."""
    if pointer and not pointer.startswith("/"):
        return False
    tokens = [each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/")[1:]]
    for number, token in enumerate(tokens):
        if isinstance(body, list) and token.isdecimal() and int(token) < len(body):
            body = body[int(token)]
        elif isinstance(body, dict) and token in body:
            body = body[token]
        else:
            return isinstance(body, dict) and number == len(tokens) - 1
    return True


def refused_or_accepted(client: FlaskClient, path: str, body: Any) -> None:
    data, kind = json.dumps(body), "application/json"
    answer = client.post(path, data=data, content_type=kind)
    if answer.status_code < 300:
        return
    assert answer.status_code == 422, answer.text
    told = problem(answer, 422, answer.get_json()["code"])
    assert told["errors"], told["detail"]
    for each in told["errors"]:
        assert is_place(body, each["pointer"]), (each, json.dumps(body))
        assert each["detail"]


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/workflows/validate"])
def test_any_submission_is_taken_or_refused_at_places_that_it_has(
    client: FlaskClient, path: str
) -> None:
    @hypothesis_settings(max_examples=100, deadline=None)
    @given(SUBMISSIONS | ANY_JSON)
    def once(body: Any) -> None:
        refused_or_accepted(client, path, body)

    once()


def test_every_field_of_a_submission_is_tried() -> None:
    assert FIELDS.keys() == SubmissionSchema(1).fields.keys()
