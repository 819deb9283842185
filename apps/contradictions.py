"""What values of an app file must be to each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

RESERVED_NODES = ("memory_snapshot_helper",)
"""Folders of custom_nodes that are this project's own."""


def contradictions(document: Mapping[str, Any]) -> list[str]:
    """Return what values of a document contradict each other; what is missing does not."""
    return [
        *_limits(document.get("limits", {})),
        *_twice("gpu", document.get("gpu", ())),
        *_twice("allowed_gpus", document.get("allowed_gpus", ())),
        *_models(document),
        *_nodes(document.get("custom_nodes", ())),
        *_snapshot(document),
    ]


def path_of(model: Mapping[str, Any]) -> str:
    """Return where a model lies inside the models folder."""
    return f"{model.get('folder')}/{str(model.get('file')).rpartition('/')[2]}"


def _limits(limits: Mapping[str, Any]) -> Iterator[str]:
    for pool in ("gpu", "api"):
        least, most = f"{pool}_min_containers", f"{pool}_max_containers"
        low, high = limits.get(least), limits.get(most)
        if low is not None and high is not None and low > high:
            remedy = "lower the first or raise the second"
            yield f"limits.{least} = {low}: must not exceed {most} = {high}; {remedy}"


def _models(document: Mapping[str, Any]) -> Iterator[str]:
    paths = [path_of(each) for each in document.get("models", ())]
    yield from _twice("models", paths, why="lies where an earlier one does")
    for number, path in enumerate(document.get("warm", ())):
        if path not in paths:
            known = f"there are {', '.join(paths)}" if paths else "the app has no models"
            yield f'warm[{number}] = "{path}": must be folder/file of a model above; {known}'


def _nodes(nodes: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    names = [
        str(each.get("url")).rpartition("/")[2].removesuffix(".git").lower() for each in nodes
    ]
    yield from _twice("custom_nodes", names, why="has the folder of an earlier one")
    for number, name in enumerate(names):
        if name in RESERVED_NODES:
            yield f'custom_nodes[{number}].url: "{name}" is built in; remove it here'


def _snapshot(document: Mapping[str, Any]) -> Iterator[str]:
    if document.get("snapshot") != "gpu":
        return
    for key in ("gpu", "allowed_gpus"):
        for each in document.get(key, ()):
            if each.partition(":")[2] not in {"", "1"}:
                fact = f"Modal cannot snapshot the memory of several GPUs ({key} has {each})"
                yield f'snapshot = "gpu": {fact}; take "cpu", or one GPU'


def _twice(key: str, values: Iterable[str], *, why: str = "is named twice") -> Iterator[str]:
    seen = set()
    for number, value in enumerate(values):
        if value in seen:
            yield f'{key}[{number}]: "{value}" {why}; remove one of them'
        seen.add(value)
