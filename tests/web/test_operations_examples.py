"""What the README's section on operations shows is what the service does."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

import web
from settings import Settings
from tests.web.conftest import KEY
from tests.web.memory_jobs import MemoryJobs
from tests.web.told_operations import NOTHING, ToldOperations
from web import create_app


@pytest.fixture(scope="module")
def section() -> str:
    readme = Path(web.__file__).parent.parent / "README.md"
    below = readme.read_text(encoding="utf-8").split("\n## Operations\n")[1]
    return below.partition("\n## ")[0]


@pytest.fixture
def operations() -> ToldOperations:
    return ToldOperations()


@pytest.fixture
def anybody(settings: Settings, jobs: MemoryJobs, operations: ToldOperations) -> FlaskClient:
    return create_app(settings, jobs=jobs, operations=operations).test_client()


def test_the_answer_of_ready_is_the_one_shown(
    section: str, anybody: FlaskClient, operations: ToldOperations
) -> None:
    (shown,) = re.findall(r"`(\{\"status\".*?\}\})`", section, re.DOTALL)
    operations.told = replace(NOTHING, workers=0)
    answer = anybody.get("/ready")
    assert answer.status_code == 503
    assert answer.get_json() == json.loads(shown)
    assert [*answer.get_json()["checks"]] == [*json.loads(shown)["checks"]]


def test_prometheus_is_let_in_as_the_example_has_it(
    section: str, anybody: FlaskClient, tmp_path: Path
) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    told = dict(re.findall(r"^ *(?:- )?(\w+): *(\S.*)$", example, re.MULTILINE))
    # what is not said is as Prometheus has it: http, /metrics, and the type Bearer
    assert told.keys() == {"job_name", "credentials_file", "targets"}
    assert re.findall(r"^ *(?:- )?(\w+):$", example, re.MULTILINE) == [
        "scrape_configs",
        "authorization",
        "static_configs",
    ]
    kept = tmp_path / Path(told["credentials_file"]).name
    kept.write_text(KEY + "\n", encoding="ascii")
    credentials = kept.read_text(encoding="ascii").strip()  # as Prometheus reads it
    (target,) = json.loads(told["targets"])
    headers = {"Authorization": f"Bearer {credentials}", "Host": target}
    assert anybody.get("/metrics", headers=headers).status_code == 200
    assert anybody.get("/metrics").status_code == 401


def test_the_table_names_every_metric_with_its_labels(section: str, anybody: FlaskClient) -> None:
    rows = re.findall(r"^\| (`comfyui_.*?) \| (.*?) \|", section, re.MULTILINE)
    shown = {
        name: set(re.findall(r"`(\w+)`", labels))
        for names, labels in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    headers = {"Authorization": f"Bearer {KEY}"}
    anybody.get("/v1/jobs/none", headers=headers)  # so that there is something to count
    anybody.post("/v1/jobs", json=[], headers=headers)
    text = anybody.get("/metrics", headers=headers).text
    families = [
        each for each in text_string_to_metric_families(text) if each.name.startswith("comfyui_")
    ]
    for family in families:
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {key for sample in family.samples for key in sample.labels} - {"le"}
        assert labels <= shown.get(name, {"in no row of the table"}), name
    served = {each.name + ("_total" if each.type == "counter" else "") for each in families}
    assert served == shown.keys()
