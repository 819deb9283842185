"""The API answers as its description says, whatever schemathesis sends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from settings import Settings
from tests.web.real_jobs import RealApi, real_api
from web.description.operations import OPERATIONS

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    ignored_auth,
]


@contextmanager
def an_api(directory: Path) -> Iterator[RealApi]:
    chosen = Settings(
        api_key="a-key-for-tests", data_dir=directory, max_active_jobs_per_user=1_000_000
    )
    with real_api(chosen) as api:
        yield api


def try_all(api: RealApi, examples: int) -> dict[str, int]:
    """Send so many requests to every operation; return how many were sent to each."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", api.app)
    sent: dict[str, int] = {}
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        sent[operation.label] = try_one(api, operation, examples)
    return sent


def try_one(api: RealApi, operation: Any, examples: int) -> int:
    count = 0
    job_id = api.finished()

    @seed(20261123)
    @hypothesis_settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def once(case: Any) -> None:
        nonlocal count, job_id
        count += 1
        if "job_id" in (case.path_parameters or {}) and count % 10:
            case.path_parameters["job_id"] = job_id
        if case.path_parameters and "name" in case.path_parameters and count % 2:
            case.path_parameters["name"] = "upscale"
        key = {"Authorization": "Bearer a-key-for-tests"}
        answer = case.call(headers=key)
        # without workers, /ready is right to say 503
        checks = CHECKS[1:] if case.path == "/ready" else CHECKS
        case.validate_response(answer, checks=checks, headers=key)
        if answer.status_code == 204 and operation.method.upper() == "DELETE":
            job_id = api.finished()

    once()
    return count


def test_a_few_requests_to_every_operation_are_answered_as_described(tmp_path: Path) -> None:
    with an_api(tmp_path) as api:
        sent = try_all(api, 10)
    assert len(sent) == len(OPERATIONS) - 1  # schemathesis leaves out where it read the document
    assert min(sent.values()) >= 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_hundreds_of_requests_to_every_operation_are_answered_as_described(
    tmp_path: Path,
) -> None:
    with an_api(tmp_path) as api:
        sent = try_all(api, 200)
    assert sum(sent.values()) >= 200 * 8  # an operation without any input has but one request
