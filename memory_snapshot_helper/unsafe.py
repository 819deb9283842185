"""What is known or seen not to stand being started without a GPU, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from memory_snapshot_helper.hiding import Curtain

PACKAGES = {
    "bitsandbytes": "picks its CPU or CUDA library while it is imported",
    "insightface": "opens onnxruntime sessions, which keep the provider they were opened with",
    "onnxruntime": "opens sessions that keep their provider: one from before stays on the CPU",
    "sageattention": "loads CUDA extensions and looks at the GPU while it is imported",
    "xformers": "loads CUDA extensions and looks at the GPU while it is imported",
}
"""Python packages that decide about the GPU while they are imported, and what they decide."""

NODES = {
    "comfyui-kjnodes": "chooses attention functions by the GPU it finds while it is imported",
}
"""Custom nodes that do so themselves, by folder name in lower case with `-` for `_`."""


def warnings(curtain: Curtain, modules: Mapping[str, Any], nodes: Iterable[str]) -> list[str]:
    """Return what may not work as it would after a start with the GPU, one sentence each.

    Args:
        curtain: what it has seen.
        modules: what is imported.
        nodes: the folder names of the custom nodes that are loaded.
    """
    found = [
        f"The package {name} is loaded: it {reason}"
        for name, reason in PACKAGES.items()
        if name in modules
    ]
    for node in sorted(nodes):
        reason = NODES.get(node.lower().replace("_", "-"))
        if reason is not None:
            found.append(f"The custom node {node} {reason}")
    for node, asker in sorted(curtain.asked.items()):
        found.append(
            f"The custom node {node} asked whether there is CUDA while it was hidden, at"
            f" {asker.place}: if it keeps the answer, it stays on the CPU"
        )
    return found + curtain.refused
