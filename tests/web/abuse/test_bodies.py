"""Bodies that are deep, huge or malformed: JSON, told apart from what only looks like it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.web.memory_jobs import MemoryJobs
from tests.web.problems import problem
from tests.web.real_jobs import RealApi
from web.errors import ProblemError
from web.json_body import DEEPEST, MOST_VALUES, parse


def refusal(data: bytes) -> str:
    with pytest.raises(ProblemError) as caught:
        parse(data)
    assert (caught.value.status, caught.value.code) == (400, "invalid_json")
    return caught.value.detail


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": [1, 2.5, -3e2, True, None, "é\u20ac\U0001f600"]},
        [],
        "text",
        0,
        None,
        {"": {"": 1}},
    ],
)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


def test_a_byte_order_mark_is_overlooked() -> None:
    assert parse(b"\xef\xbb\xbf{}") == {}


def test_a_syntax_error_is_named_with_line_and_column() -> None:
    assert "line 2, column 8" in refusal(b'{\n  "a": }')


def test_an_empty_body_is_a_syntax_error() -> None:
    assert "line 1, column 1" in refusal(b"")


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(constant: str) -> None:
    assert constant in refusal(f'{{"a": [{constant}]}}'.encode())


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "9" * 5000, "-" + "9" * 5000, str(2**64), str(-(2**63) - 1)]
)
def test_numbers_too_large_to_keep_are_refused(number: str) -> None:
    refusal(f'{{"a": {number}}}'.encode())


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 0, -1])
def test_whole_numbers_of_64_bits_are_read(number: int) -> None:
    assert parse(str(number).encode()) == number


@pytest.mark.parametrize("item", [b"[]", b"1", b'{"a":1}'])
def test_more_values_than_any_job_needs_are_refused(item: bytes) -> None:
    with pytest.raises(ProblemError) as caught:
        parse(b"[" + b",".join([item] * MOST_VALUES) + b"]")
    assert (caught.value.status, caught.value.code) == (413, "request_too_large")
    assert str(MOST_VALUES) in caught.value.detail


def test_as_many_values_as_may_be_are_read() -> None:
    # the list itself is one, and a comma in a string is none
    assert len(parse(b"[" + b",".join([b'",,["'] * (MOST_VALUES - 2)) + b"]")) == MOST_VALUES - 2


@pytest.mark.parametrize("data", [b'{"a": 1, "a": 1}', b'[{"b": {"x": 1, "a": 2, "a": {}}}]'])
def test_a_key_given_twice_is_refused_by_name(data: bytes) -> None:
    assert "'a' occurs twice" in refusal(data)


def test_the_same_key_in_two_objects_is_fine() -> None:
    assert parse(b'{"a": {"a": 1}, "b": {"a": 1}}') == {"a": {"a": 1}, "b": {"a": 1}}


def test_bytes_that_are_not_utf8_are_named_by_place() -> None:
    assert "byte 6" in refusal(b'{"a":"\xff"}')
    assert "not UTF-8" in refusal('{"a": 1}'.encode("utf-16"))


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\udc00\\ud800"', '{"\\uDFFF": 1}'])
def test_half_a_surrogate_pair_is_refused(text: str) -> None:
    assert "surrogate" in refusal(text.encode())


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse(b'"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_bottomless_nesting_is_refused(opening: str) -> None:
    assert f"deeper than {DEEPEST}" in refusal((opening * 100_000).encode())


def test_nesting_within_the_limit_is_read() -> None:
    parse(b"[" * DEEPEST + b"]" * DEEPEST)


def test_brackets_inside_of_strings_do_not_nest() -> None:
    text = '\\"[{' * 5000
    assert parse(f'["{text}"]'.encode()) == [text.replace("\\", "")]


JSON = {"Content_Type": "application/json"}


def send(client: FlaskClient, data: bytes, path: str = "/v1/jobs", **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, data=data, headers=named)


MALFORMED = {
    b"": (400, "invalid_json"),
    b"\x00": (400, "invalid_json"),
    b"{": (400, "invalid_json"),
    b"{}{}": (400, "invalid_json"),
    b'{"a": 1,}': (400, "invalid_json"),
    b"{'a': 1}": (400, "invalid_json"),
    b'{"a": NaN}': (400, "invalid_json"),
    b'{"a": 1, "a": 1}': (400, "invalid_json"),
    b'{"a": "\xff"}': (400, "invalid_json"),
    b'{"a": "\\ud800"}': (400, "invalid_json"),
    b'{"a": 1e999}': (400, "invalid_json"),
    b'{"a": ' + b"9" * 5000 + b"}": (400, "invalid_json"),
    b"[" * 100_000: (400, "invalid_json"),
    b'{"a":' * 100_000: (400, "invalid_json"),
    b"[" * 100 + b"]" * 100: (422, "invalid_request"),
    b"[" + b"0," * 200_000 + b"0]": (413, "request_too_large"),
    b"[]".ljust(2**20 + 1): (413, "request_too_large"),
    b'"' + b"x" * 1_000_000 + b'"': (422, "invalid_request"),
    b"null": (422, "invalid_request"),
    b"0": (422, "invalid_request"),
    b"[]": (422, "invalid_request"),
    b'{"\\u0000": {"~/": 1}}': (422, "invalid_request"),
}
"""What each body is refused with, wherever it is sent."""


@pytest.mark.parametrize("data", MALFORMED, ids=range(len(MALFORMED)))
def test_every_route_that_takes_a_body_refuses_a_malformed_one(real: RealApi, data: bytes) -> None:
    job_id = real.finished(webhook_url="https://customer.example/")
    posted = [
        rule.rule for rule in real.app.url_map.iter_rules() if "POST" in (rule.methods or ())
    ]
    assert len(posted) >= 4
    for path in posted:
        if data == b"" and "<job_id>" in path:
            continue  # where a body may be left out
        answer = send(real.client, data, path.replace("<job_id>", job_id), **JSON)
        body = problem(answer, *MALFORMED[data])
        assert len(answer.data) < 10_000, "a refusal repeats what was sent"
        assert body["detail"]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""],
)
def test_another_content_type_is_refused(client: FlaskClient, content_type: str) -> None:
    response = send(client, b"{}", Content_Type=content_type)
    body = problem(response, 415, "unsupported_media_type")
    assert "Content-Type: application/json" in body["detail"]


def test_a_compressed_body_is_refused(client: FlaskClient) -> None:
    response = send(client, b"{}", Content_Type="application/json", Content_Encoding="gzip")
    assert "gzip" in problem(response, 415, "unsupported_media_type")["detail"]


def test_bad_json_is_told_to_the_client(client: FlaskClient) -> None:
    response = send(client, b'{"workflow": }', Content_Type="application/json")
    assert "line 1, column 14" in problem(response, 400, "invalid_json")["detail"]


def test_a_charset_in_the_content_type_is_fine(client: FlaskClient) -> None:
    response = send(client, b"[]", Content_Type="application/json; charset=utf-8")
    problem(response, 422, "invalid_request")


def test_a_body_over_the_limit_is_refused_and_the_limit_named(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    response = send(client, b" " * (2**20 + 1), Content_Type="application/json")
    assert "larger than 1 MB" in problem(response, 413, "request_too_large")["detail"]
    assert jobs.submitted == []


def test_a_body_of_just_the_limit_is_read(client: FlaskClient) -> None:
    body = b"[]".ljust(2**20)
    problem(send(client, body, Content_Type="application/json"), 422, "invalid_request")
