"""Whether answers are as the served description says: with its statuses, types and bodies."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, request
from jsonschema import Draft202012Validator

JSON_TYPES = {"application/json", "application/problem+json"}

OF_ANY_ADDRESS = {400, 401, 403, 404, 405, 429, 500}
"""What is answered where there is no route, which no operation can say."""

BODILESS = {204, 304}
"""Whose bodies are cut off when they are sent."""


@dataclass
class Promises:
    """Looks at every answer of every application with a description; `broken` are the liars."""

    broken: dict[tuple[str, ...], str] = field(default_factory=dict)
    kept: int = 0
    _validators: dict[tuple[str, ...], Draft202012Validator] = field(default_factory=dict)

    def look(self, app: Flask, response: Response, **_: Any) -> None:
        """Check one answer, as Flask is about to send it."""
        document = app.extensions.get("description")
        if document is None or request.method == "OPTIONS":
            return
        place, why = self._fault(document, response)
        if why:
            self.broken.setdefault(place, why)
        else:
            self.kept += 1

    def _fault(self, document: dict[str, Any], response: Response) -> tuple[tuple[str, ...], str]:
        method = "get" if request.method == "HEAD" else request.method.lower()
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(request.url_rule or ""))
        place = (method, path, str(response.status_code), response.mimetype or "")
        operation = document["paths"].get(path, {}).get(method)
        if operation is None:
            known = response.status_code in OF_ANY_ADDRESS or path not in document["paths"]
            return place, "" if known else "no such operation"
        described = operation["responses"].get(place[2])
        if described is None:
            return place, "the status is not described"
        types = described.get("content", {})
        if response.status_code in BODILESS or request.method == "HEAD":
            return place, ""
        shape = types.get(response.mimetype) or types.get("*/*")
        if shape is None:
            return place, "the content type is not described"
        return place, self._misfit(document, place, shape["schema"], response)

    def _misfit(
        self, document: dict[str, Any], place: tuple[str, ...], schema: Any, response: Response
    ) -> str:
        if response.mimetype not in JSON_TYPES or response.is_streamed:
            return ""
        if place not in self._validators:
            whole = {**schema, "components": document["components"]}
            self._validators[place] = Draft202012Validator(whole)
        wrong = next(self._validators[place].iter_errors(response.get_json()), None)
        return f"{wrong.json_path}: {wrong.message[:300]}" if wrong else ""
