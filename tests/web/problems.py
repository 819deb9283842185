"""What every error answer has in common."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse


def problem(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Return the body of `response`, which must be the problem `code`, well formed."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    body: dict[str, Any] = response.get_json()
    assert set(body) == {"type", "title", "status", "detail", "code", "errors", "request_id"}
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"/problems/{code.replace('_', '-')}"
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in response.text
    return body


def places(body: dict[str, Any]) -> list[str]:
    """Return the JSON pointers that a problem names, in order."""
    return [error["pointer"] for error in body["errors"]]
