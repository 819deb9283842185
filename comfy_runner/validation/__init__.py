"""Whether ComfyUI would run a workflow, and everything that is wrong with it, without ComfyUI.

Whatever ComfyUI accepts is accepted, whatever it refuses is refused for the same nodes and
inputs; learned from ComfyUI 0.3.75 by asking it, and compared with it in the tests. Beyond
that we refuse what ComfyUI takes and then cannot end: see `walk.dead_ends`. What a node
checks in code of its own cannot be known here, and is accepted, but for files that are not there.
"""

from __future__ import annotations

from collections.abc import Collection

from comfy_runner import graph as graphs
from comfy_runner.catalog import Catalog
from comfy_runner.errors import InvalidWorkflow, ModelMissing, in_words
from comfy_runner.validation.findings import Finding, Kind
from comfy_runner.validation.walk import findings

__all__ = ["Finding", "Kind", "find", "validate"]


def validate(graph: object, catalog: Catalog, *, media: Collection[str] = ()) -> None:
    """Say everything that is wrong with a workflow, up to 200 things; return if nothing is.

    `media` are the names of the files that come with the job: they may stand for any value.
    The pointers of the problems are relative to the workflow, such as `/3/inputs/model`.

    Raises:
        ModelMissing: All that is wrong is that model files are not there.
        InvalidWorkflow: Something else is wrong; `problems` lists it in the workflow's order.
    """
    workflow = graphs.checked_form(graph)
    found = find(workflow, catalog, media=media)
    prefixes = graphs.prefix_problems(workflow)
    if not found and not prefixes:
        return
    problems = [*(each.problem for each in found), *prefixes]
    only_models = not prefixes and all(each.model_missing for each in found)
    error = ModelMissing if only_models else InvalidWorkflow
    raise error(
        in_words(problems),
        problems=problems,
        node_id=found[0].node if found else None,
        node_type=found[0].class_type if found else None,
    ).at(workflow)


def find(graph: graphs.Graph, catalog: Catalog, *, media: Collection[str] = ()) -> list[Finding]:
    """Return what is wrong with a workflow of the right form, in the workflow's order."""
    return findings(graph, catalog, media=frozenset(media))
