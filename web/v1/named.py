"""Workflows that the app ships: what there is, and submissions that name one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

import workflows
from web.errors import BodyError, ProblemError
from workflows import UnknownWorkflow, Workflow, WrongParameters

Faults = list[BodyError]


def blueprint() -> Blueprint:
    """Return the routes under /v1/workflows that tell what there is."""
    routes = Blueprint("workflows", __name__, url_prefix="/v1/workflows")
    routes.get("")(listing)
    routes.get("/<name>")(one)
    return routes


def listing() -> dict[str, Any]:
    """Tell of all bundled workflows, in the manifest's order."""
    return {"workflows": [_document(each) for each in workflows.manifest().values()]}


def one(name: str) -> dict[str, Any]:
    """Tell of one bundled workflow, with the JSON Schema of its parameters."""
    known = workflows.manifest()
    if name not in known:
        raise ProblemError(404, "workflow_not_found", str(UnknownWorkflow(name)))
    return _document(known[name])


def expanded(body: object) -> tuple[object, Faults]:
    """Return a body whose workflow is a graph, where it was a name; and what is wrong with those.

    A graph can have a node whose id is "name", but no text in a node's place.
    """
    if not isinstance(body, dict):
        return body, []
    workflow = body.get("workflow")
    if not isinstance(workflow, dict) or not isinstance(workflow.get("name"), str):
        if "params" in body:
            return body, [BodyError("/params", 'is for a workflow that is {"name": ...}')]
        return body, []
    params = body.get("params", {})
    values = params if isinstance(params, dict) else {}
    faults = [_unknown(key) for key in workflow if key != "name"]
    graph: dict[str, Any] = {}
    try:
        graph = workflows.filled(workflow["name"], values)
    except UnknownWorkflow as error:
        faults.append(BodyError("/workflow/name", str(error)))
    except WrongParameters as error:
        faults += [BodyError(f"/params/{_escaped(name)}", text) for name, text in error.faults]
    return {**body, "workflow": graph}, faults


def _document(workflow: Workflow) -> dict[str, Any]:
    return {
        "name": workflow.name,
        "title": workflow.title,
        "description": workflow.description.strip(),
        "models": list(workflow.models),
        "outputs": [{"node_id": each.node, "kind": each.kind} for each in workflow.outputs],
        "params": workflow.parameters.schema(),
    }


def _unknown(key: str) -> BodyError:
    return BodyError(f"/workflow/{_escaped(key)}", "is not known beside a name; use params")


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
