"""Parameters: declared as the files are, and held to their types and bounds."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

import workflows
from workflows import WrongParameters

DECLARED = [
    pytest.param(name, each, id=f"{name}.{each.name}")
    for name, workflow in workflows.manifest().items()
    for each in workflow.parameters.known.values()
]


def faults(name: str, **values: Any) -> dict[str, str]:
    with pytest.raises(WrongParameters) as caught:
        workflows.filled(name, values)
    return dict(caught.value.faults)


@pytest.mark.parametrize(("name", "parameter"), DECLARED)
def test_every_default_fits_and_is_what_the_file_holds(name: str, parameter: Any) -> None:
    assert parameter.fault(parameter.default) is None
    assert parameter.sets
    graph = workflows.load(name)
    for node, field in parameter.sets:
        assert graph[node]["inputs"][field] == parameter.default


@pytest.mark.parametrize("name", workflows.names())
def test_every_workflow_says_what_may_be_set_in_valid_json_schema(name: str) -> None:
    schema = workflows.manifest()[name].parameters.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    defaults = {key: each["default"] for key, each in schema["properties"].items()}
    assert defaults
    jsonschema.validate(defaults, schema)


def test_values_reach_every_input_that_they_set_and_nothing_else() -> None:
    plain = workflows.load("upscale")
    made = workflows.filled("upscale", {"seed": 99, "prompt": "moss"})
    assert [made[node]["inputs"]["seed"] for node in ("5", "7")] == [99, 99]
    assert made["2"]["inputs"]["text"] == "moss"
    for node, field, value in (("5", "seed", 7), ("7", "seed", 7)):
        made[node]["inputs"][field] = value
    made["2"]["inputs"]["text"] = plain["2"]["inputs"]["text"]
    assert made == plain


def test_without_values_a_workflow_is_as_its_file() -> None:
    assert workflows.filled("upscale", {}) == workflows.load("upscale")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"seed": "1"}, "type integer"),
        ({"seed": True}, "type integer"),
        ({"seed": 1.5}, "type integer"),
        ({"seed": None}, "type integer"),
        ({"prompt": 1}, "type string"),
        ({"prompt": "x" * 10_001}, "10000 characters at most"),
        ({"cfg": "4"}, "type number"),
        ({"cfg": False}, "type number"),
        ({"seed": -1}, "0 or more"),
        ({"seed": 2**64}, "18446744073709551615 or less"),
        ({"cfg": 30.5}, "30.0 or less"),
        ({"width": 500}, "multiple of 16"),
        ({"promt": "x"}, "did you mean prompt"),
        ({"zzz": "x"}, "there are prompt, negative_prompt"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_the_rule(
    values: dict[str, Any], says: str
) -> None:
    assert says in faults("text_to_image", **values)[next(iter(values))]
    schema = workflows.manifest()["text_to_image"].parameters.schema()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, schema)


@pytest.mark.parametrize(
    "values", [{"seed": 0}, {"seed": 2**64 - 1}, {"cfg": 0}, {"cfg": 30.0}, {"width": 2048}]
)
def test_values_at_the_bounds_fit(values: dict[str, Any]) -> None:
    assert workflows.filled("text_to_image", values)
    assert workflows.filled("text_to_image", {"prompt": "x" * 10_000})


def test_everything_wrong_is_told_at_once() -> None:
    assert set(faults("text_to_image", seed="x", promt="x", cfg=4.0)) == {"seed", "promt"}
