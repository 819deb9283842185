"""What a job may ask to be computed on, and when it is sent where there is no GPU."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from comfy_runner.catalog import Catalog
from settings import Settings
from tests.comfy_runner.runs import EMPTY, image, node
from tests.comfy_runner.validation.recorded import recorded
from tests.web.conftest import KEY
from tests.web.memory_jobs import MemoryJobs
from tests.web.problems import problem
from tests.web.real_jobs import real_api
from web import create_app

PLAIN = {"1": EMPTY, "2": image("1")}
LATENT = {
    "1": node("EmptyLatentImage", width=64, height=64, batch_size=1),
    "2": node("SaveLatent", samples=["1", 0], filename_prefix="x"),
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return recorded()


def refused(response: TestResponse) -> dict[str, str]:
    body = problem(response, 422, "invalid_request")
    return {error["pointer"]: error["detail"] for error in body["errors"]}


class Sender:
    """Posts to an API with these settings; `asked` is what the newest job asks of its place."""

    def __init__(self, settings: Settings, catalog: Catalog | None) -> None:
        self.jobs = MemoryJobs()
        app = create_app(settings, jobs=self.jobs, catalog=lambda: catalog)
        self.client: FlaskClient = app.test_client()
        self.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {KEY}"

    def post(self, graph: Any = PLAIN, **body: Any) -> TestResponse:
        return self.client.post("/v1/jobs", json={"workflow": graph, **body})

    def asked(self, graph: Any = PLAIN, **body: Any) -> Any:
        answer = self.post(graph, **body)
        assert answer.status_code == 202, answer.text
        return self.jobs.resources[-1]


def test_a_job_gets_the_gpu_that_it_asks_for(settings: Settings, catalog: Catalog) -> None:
    sender = Sender(settings.replace(gpu_allowed=("H100", "A100-80GB")), catalog)
    assert sender.asked(gpu="H100") == {"gpu": "H100"}
    assert sender.asked(gpu=None) == {}
    assert sender.asked(gpu=settings.gpu_config) == {}


def test_a_gpu_that_is_not_allowed_is_refused_with_those_that_are(
    settings: Settings, catalog: Catalog
) -> None:
    sender = Sender(settings.replace(gpu_allowed=("H100", "L40S")), catalog)
    told = {"/gpu": "must be one of L40S, H100 (GPU_ALLOWED), or be left out"}
    assert refused(sender.post(gpu="B200")) == told
    assert refused(sender.post(gpu="")) == told
    answer = sender.client.post("/v1/workflows/validate", json={"workflow": PLAIN, "gpu": "B200"})
    assert refused(answer) == told
    assert refused(sender.post(gpu=5)) == {"/gpu": "must be a string or null"}


def test_where_there_is_no_choice_every_gpu_is_refused(
    settings: Settings, catalog: Catalog
) -> None:
    told = {"/gpu": "must be left out: this deployment has no other GPUs (GPU_ALLOWED)"}
    sender = Sender(settings, catalog)
    for name in ("H100", settings.gpu_config):
        assert refused(sender.post(gpu=name)) == told


def test_only_what_needs_no_gpu_is_sent_where_there_is_none(
    settings: Settings, catalog: Catalog
) -> None:
    sender = Sender(settings.replace(cpu_jobs=True, gpu_allowed=("H100",)), catalog)
    assert sender.asked(PLAIN) == {"gpu": "none"}
    assert sender.asked(LATENT) == {}
    assert sender.asked(PLAIN, gpu="H100") == {"gpu": "H100"}
    assert sender.asked(PLAIN, gpu=settings.gpu_config) == {}


def test_no_job_is_sent_there_unless_it_is_allowed_and_the_nodes_are_known(
    settings: Settings, catalog: Catalog
) -> None:
    assert Sender(settings, catalog).asked(PLAIN) == {}
    assert Sender(settings.replace(cpu_jobs=True), None).asked(PLAIN) == {}


def test_a_job_and_its_retry_ask_the_same_of_the_backend(settings: Settings) -> None:
    with real_api(settings.replace(gpu_allowed=("H100",))) as real:
        job_id = real.submit(gpu="H100")
        claimed = real.start(job_id)
        assert claimed.job.message["resources"] == {"gpu": "H100"}
        real.end(claimed)
        again = real.client.post(f"/v1/jobs/{job_id}/retry").get_json()["job_id"]
        assert real.start(again).job.message["resources"] == {"gpu": "H100"}
