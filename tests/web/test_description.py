"""The description of the API: complete, valid, and readable by a person without the network."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

import web
from comfy_runner import errors
from tasks.jobs.model import CODE_OF
from tasks.webhook_target import EVENTS
from tests.web.problems import problem
from tests.web.real_jobs import RealApi
from web.description.codes import CODES
from web.description.operations import OPERATIONS

OF_ANY_ADDRESS = {"bad_request", "not_found", "method_not_allowed"}
"""What Flask itself answers with, whatever the operation."""


@pytest.fixture
def document(stranger: FlaskClient) -> dict[str, Any]:
    answer = stranger.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return found


def operations_of(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): described
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    }


def test_every_route_is_described_and_every_description_has_its_route(
    app: Flask, document: dict[str, Any]
) -> None:
    served = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert set(operations_of(document)) == served
    assert len(OPERATIONS) == len(served)


def test_the_document_holds_valid_json_schemas_and_no_dangling_reference(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    references = set(re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(document)))
    assert references <= set(schemas)
    assert {"Job", "Problem", "Submission", "Input", "Media"} <= references
    assert document["openapi"].startswith("3.1")


def test_every_operation_says_what_it_is_for(document: dict[str, Any]) -> None:
    for place, described in operations_of(document).items():
        assert described["summary"], place
        for status, answer in described["responses"].items():
            assert answer["description"], (place, status)


def test_only_what_wants_no_key_says_so(document: dict[str, Any], stranger: FlaskClient) -> None:
    assert document["security"] == [{"key": []}, {"header": []}]
    assert document["components"]["securitySchemes"] == {
        "key": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    for (method, path), described in operations_of(document).items():
        answer = stranger.open(re.sub(r"{\w+}", "x", path), method=method)
        assert (answer.status_code == 401) == ("security" not in described), (method, path)
        assert ("401" in described["responses"]) == ("security" not in described)


def test_every_example_is_accepted_where_it_stands(
    document: dict[str, Any], real: RealApi
) -> None:
    tried = set()
    for (method, path), described in operations_of(document).items():
        content = described.get("requestBody", {}).get("content", {})
        for example in content.get("application/json", {}).get("examples", {}).values():
            hook = {"webhook_url": "https://example.com/hook", "webhook_events": list(EVENTS)}
            job_id = real.finished(**hook)
            address = path.replace("{job_id}", job_id)
            answer = real.client.open(address, method=method, json=example["value"])
            assert answer.status_code in {200, 202}, (path, example, answer.text)
            tried.add((method, path))
    assert tried == {
        place for place, each in operations_of(document).items() if "requestBody" in each
    }


# -- codes ---------------------------------------------------------------------------------


def raised() -> Iterator[tuple[str, int | None]]:
    """Find the codes that our modules write down: of problems with their status."""
    for file in Path(web.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and len(node.args) >= 2:
                yield from code_of(ast.unparse(node.func), node.args)
    for name in vars(errors).values():
        if isinstance(name, type) and issubclass(name, errors.ComfyError):
            yield name.code, None
    yield from ((code, None) for code in CODE_OF.values())


def code_of(called: str, arguments: list[ast.expr]) -> Iterator[tuple[str, int | None]]:
    values = [each.value if isinstance(each, ast.Constant) else None for each in arguments]
    if called == "ProblemError" and isinstance(values[1], str):
        yield values[1], values[0] if isinstance(values[0], int) else None
    if called in {"_conflict", "_forbidden"} and isinstance(values[0], str):
        yield values[0], {"_conflict": 409, "_forbidden": 403}[called]


def test_every_code_that_is_raised_has_its_page_with_its_status() -> None:
    found = set(raised())
    assert ("job_not_found", 404) in found
    assert ("no_webhook", 409) in found
    assert ("node_failed", None) in found
    assert {code for code, _ in found} - set(CODES) == set()
    wrong = {(code, status) for code, status in found if status not in {None, CODES[code].status}}
    assert wrong == set()


def test_every_code_of_a_refusal_is_named_by_an_operation() -> None:
    named = {code for operation in OPERATIONS.values() for code in operation.codes}
    refusals = {code for code, known in CODES.items() if known.status}
    assert refusals - named == OF_ANY_ADDRESS - {"not_found"}


@pytest.mark.parametrize("code", CODES)
def test_the_type_of_every_problem_leads_to_a_page(stranger: FlaskClient, code: str) -> None:
    answer = stranger.get(f"/problems/{code.replace('_', '-')}")
    assert answer.status_code == 200
    assert f"<code>{code}</code>" in answer.text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["nothing", "job_not_found", "JOB-NOT-FOUND", "%3Cscript%3E"])
def test_there_are_no_pages_of_other_codes(stranger: FlaskClient, name: str) -> None:
    problem(stranger.get(f"/problems/{name}"), 404, "not_found")


# -- the page ------------------------------------------------------------------------------


class Loaded(HTMLParser):
    """Collects what a page loads, and the scripts and handlers that are in it."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.inline += [name for name in known if name.startswith("on") or name == "style"]
        if tag in {"script", "link", "img"}:
            self.addresses.append(known.get("src") or known.get("href") or "inline")


def test_the_page_loads_only_what_is_served_here(stranger: FlaskClient) -> None:
    page = stranger.get("/docs")
    loaded = Loaded()
    loaded.feed(page.text)
    assert loaded.inline == []
    assert "/docs/swagger-ui-bundle.js" in loaded.addresses
    for address in loaded.addresses:
        answer = stranger.get(address)
        assert answer.status_code == 200, address
        assert answer.data
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_pages_policy_forbids_what_is_foreign_or_inline(stranger: FlaskClient) -> None:
    header = stranger.get("/docs").headers["Content-Security-Policy"]
    policy = dict(part.strip().split(" ", 1) for part in header.split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"


@pytest.mark.parametrize("name", ["LICENSE", "index.html", "..", "x"])
def test_no_other_file_of_the_package_is_served(stranger: FlaskClient, name: str) -> None:
    assert stranger.get(f"/docs/{name}").status_code == 404
