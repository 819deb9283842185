"""What a client may set in a bundled workflow by name, within which bounds."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
}
"""The types of a parameter, in the words of JSON Schema."""

LONGEST_TEXT = 10_000


class WrongParameters(ValueError):
    """Values that do not fit; `faults` are the wrong names with what is wrong, all of them."""

    def __init__(self, faults: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{name} {text}" for name, text in faults))
        self.faults = faults


@dataclass(frozen=True)
class Parameter:
    """One name, and the inputs that get its value, each as a node and a field."""

    name: str
    type: str
    default: str | int | float
    help: str
    sets: tuple[tuple[str, str], ...]
    minimum: int | float | None = None
    maximum: int | float | None = None
    multiple_of: int | None = None

    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""
        bounds = {
            "minimum": self.minimum,
            "maximum": self.maximum,
            "multipleOf": self.multiple_of,
            "maxLength": LONGEST_TEXT if self.type == "string" else None,
        }
        told = {name: value for name, value in bounds.items() if value is not None}
        return {"type": self.type, "description": self.help, "default": self.default, **told}

    def fault(self, value: object) -> str | None:
        """Say what is wrong with a value; None if it fits."""
        # JSON's true is no number, though Python's is
        if isinstance(value, bool) or not isinstance(value, TYPES[self.type]):
            return f"must be of type {self.type}, such as {self.default!r}"
        if isinstance(value, str):
            too_long = len(value) > LONGEST_TEXT
            return f"must have {LONGEST_TEXT} characters at most" if too_long else None
        return self._out_of_bounds(value)  # type: ignore[arg-type]  # all the others are numbers

    def _out_of_bounds(self, value: float) -> str | None:
        if self.minimum is not None and value < self.minimum:
            return f"must be {self.minimum} or more"
        if self.maximum is not None and value > self.maximum:
            return f"must be {self.maximum} or less"
        if self.multiple_of is not None and value % self.multiple_of:
            return f"must be a multiple of {self.multiple_of}"
        return None


@dataclass(frozen=True)
class Parameters:
    """All that may be set in one workflow, by name and in the manifest's order."""

    known: Mapping[str, Parameter] = field(default_factory=dict)

    def schema(self) -> dict[str, Any]:
        """Return what `params` must be as JSON Schema, in its version 2020-12."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {name: each.schema() for name, each in self.known.items()},
            "additionalProperties": False,
        }

    def filled(self, graph: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the graph with the values in it; those not given are as they are.

        Raises:
            WrongParameters: some are unknown, of another type, or out of bounds.
        """
        faults = tuple(self._faults(values))
        if faults:
            raise WrongParameters(faults)
        made = {node_id: {**node, "inputs": {**node["inputs"]}} for node_id, node in graph.items()}
        for name, value in values.items():
            for node_id, input_name in self.known[name].sets:
                made[node_id]["inputs"][input_name] = value
        return made

    def _faults(self, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for name, value in values.items():
            known = self.known.get(name)
            text = known.fault(value) if known else self._unknown(name)
            if text:
                yield name, text

    def _unknown(self, name: str) -> str:
        near = difflib.get_close_matches(name[:100], self.known)
        if near:
            return f"is not a parameter; did you mean {' or '.join(near)}?"
        return f"is not a parameter; there are {', '.join(self.known) or 'none'}"


def read_parameters(tables: list[Mapping[str, Any]]) -> Parameters:
    """Read the manifest's tables, in which `sets` lists NODE.FIELD."""
    known = {}
    for table in tables:
        places = tuple((node, name) for node, _, name in (x.partition(".") for x in table["sets"]))
        known[table["name"]] = Parameter(**{**table, "sets": places})
    return Parameters(known)
