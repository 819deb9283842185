"""Any TOML at all: an app or a refusal that says where, never anything else."""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps import App, AppError, CustomNode, Limits, Model, Secrets, Timeouts
from apps.contradictions import contradictions
from apps.schema import check

TABLES = (App, Model, CustomNode, Limits, Timeouts, Secrets)
KEYS = sorted({each.name for table in TABLES for each in dataclasses.fields(table)})
WORDS = ("L4", "H100:2", "cpu", "gpu", "0.3.75", "vae", "a.safetensors", "o/r", "https://h/o/r")
SCALARS = (
    st.booleans()
    | st.integers(-1, 2000)
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=9)
    | st.datetimes()
)
NAMES = st.sampled_from(KEYS) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_any_document_is_an_app_or_a_list_of_problems(document: dict[str, Any]) -> None:
    found, problems = check(document)
    problems += contradictions(found)
    if problems:
        assert all(problem.strip() and "\n" not in problem for problem in problems)
        return
    app = App.from_document(found)
    assert App.from_json(app.to_json()) == app


@given(VALUES)
def test_any_json_has_the_shape_of_an_app_or_is_refused(document: Any) -> None:
    with suppress(AppError):
        app = App.from_json(json.dumps(document, default=str))
        assert {each.name for each in dataclasses.fields(app)} >= document.keys()


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m"])
def test_a_key_cannot_draw_on_the_terminal(name: str) -> None:
    (problem,) = check({"name": "mine", name: 1})[1]
    assert name not in problem
