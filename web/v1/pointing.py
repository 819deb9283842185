"""Where in the body that was sent a fault of the workflow lies that was made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import workflows
from comfy_runner.editor_format import is_editor_format
from web.errors import BodyError

WORKFLOW = "/workflow"
NAME = "/workflow/name"


def as_sent(body: object, faults: Iterable[BodyError]) -> list[BodyError]:
    """Return the faults, which point into a graph, with pointers to places of the body.

    A graph that was sent is in the body. Of one that was named there are only its name and the
    parameters that set its inputs; of one as the editor saves it, no node is where it was.
    """
    workflow = body.get("workflow") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(workflow, dict):
        return list(faults)
    if isinstance(workflow.get("name"), str):
        places = _parameters(workflow["name"], body.get("params"))
        return [replace(each, pointer=places.get(each.pointer, NAME)) for each in faults]
    if is_editor_format(workflow):
        return [replace(each, pointer=WORKFLOW) for each in faults]
    return list(faults)


def _parameters(name: str, given: object) -> dict[str, str]:
    """Return the pointer of each given parameter, by those of the inputs that it sets."""
    if not isinstance(given, dict) or name not in workflows.manifest():
        return {}
    known = workflows.manifest()[name].parameters.known
    return {
        f"{WORKFLOW}/{node}/inputs/{field}": f"/params/{each.name}"
        for each in known.values()
        if each.name in given
        for node, field in each.sets
    }
