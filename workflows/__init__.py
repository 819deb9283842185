"""Workflows that run as they stand, and the manifest that says what each needs."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from workflows.parameters import Parameters, WrongParameters, read_parameters

__all__ = [
    "Output",
    "Parameters",
    "Suggestion",
    "UnknownWorkflow",
    "Workflow",
    "WrongParameters",
    "filled",
    "load",
    "manifest",
    "names",
]

_DIRECTORY = Path(__file__).resolve().parent


class UnknownWorkflow(LookupError):
    """No workflow has this name; the message lists the nearest ones, or all."""

    def __init__(self, name: str) -> None:
        known = names()
        near = difflib.get_close_matches(name[:100], known)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(known)}."
        super().__init__(f"There is no workflow called {name[:100]!r}. {hint}")


@dataclass(frozen=True)
class Output:
    """One file that a workflow leaves behind: the node that saves it, and its kind."""

    node: str
    kind: str


@dataclass(frozen=True)
class Suggestion:
    """An input worth overriding, a value to try and what it means."""

    node: str
    field: str
    value: str | int | float
    meaning: str


@dataclass(frozen=True)
class Workflow:
    """What the manifest says of one workflow."""

    name: str
    title: str
    description: str
    models: tuple[str, ...]
    """Files it loads, as paths inside ComfyUI's models directory."""
    outputs: tuple[Output, ...]
    suggestions: tuple[Suggestion, ...]
    parameters: Parameters

    @property
    def path(self) -> Path:
        """The file that holds its graph in API format."""
        return _DIRECTORY / f"{self.name}.json"


def names() -> tuple[str, ...]:
    """Name all workflows, in the manifest's order."""
    return tuple(manifest())


def manifest() -> Mapping[str, Workflow]:
    """Read what the manifest says of every workflow, by name and in its order."""
    tables = tomllib.loads((_DIRECTORY / "manifest.toml").read_text(encoding="utf-8"))
    return MappingProxyType({name: _workflow(name, table) for name, table in tables.items()})


def load(name: str) -> dict[str, Any]:
    """Read a workflow's graph in API format: a new copy each time, free to be changed.

    Raises:
        UnknownWorkflow: there is none of this name.
    """
    workflow = manifest().get(name)
    if workflow is None:
        raise UnknownWorkflow(name)
    graph: dict[str, Any] = json.loads(workflow.path.read_text(encoding="utf-8"))
    return graph


def filled(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Read a workflow's graph with the parameters' values in it.

    Raises:
        UnknownWorkflow: there is none of this name.
        WrongParameters: it has no such parameters, or they cannot have these values.
    """
    graph = load(name)
    return manifest()[name].parameters.filled(graph, values)


def _workflow(name: str, table: Mapping[str, Any]) -> Workflow:
    return Workflow(
        name=name,
        title=table["title"],
        description=table["description"],
        models=tuple(table["models"]),
        outputs=tuple(Output(**output) for output in table["outputs"]),
        suggestions=tuple(Suggestion(**suggestion) for suggestion in table["suggestions"]),
        parameters=read_parameters(table["parameters"]),
    )
