"""What ComfyUI says of a prompt, refused or ended, as our errors: safe to show to clients."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from comfy_runner.errors import (
    ComfyError,
    Interrupted,
    InvalidWorkflow,
    ModelMissing,
    NodeFailed,
    OutOfMemory,
    Problem,
    StorageFailed,
    in_words,
)
from comfy_runner.graph import pointer_to

SHOWN_LINES = 3
SHOWN_CHARACTERS = 500
_NO_MEMORY = re.compile(
    r"OutOfMemoryError$|^MemoryError$|out of memory|not enough memory|can't allocate memory",
    re.IGNORECASE,
)
"""PyTorch's words for it on CUDA, MPS and CPU (c10/core/CPUAllocator.cpp), and Python's own."""

_MODEL_FILES = (".safetensors", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl", ".sft", ".gguf")
"""How model files end (folder_paths.py, supported_pt_extensions; GGUF is a common node pack's)."""

_NO_SPACE = "No space left on device"
_DIRECTORIES = re.compile(r"""(?<![\w:/])(?:/[^\s/'",;:]+)+/(?=[^\s/])""")


def refusal(answer: Mapping[str, Any], graph: Mapping[str, Any]) -> InvalidWorkflow:
    """Return why `/prompt` refused `graph`, or a part of it, from its JSON answer."""
    node_errors = answer.get("node_errors")
    listed = node_errors if isinstance(node_errors, dict) else {}
    found = [each for node, errors in listed.items() for each in _node_problems(node, errors)]
    if found:
        node, errors = next(iter(listed.items()))
        refused = _invalid(found, node_id=str(node), node_type=errors.get("class_type"))
        all_models = all(map(_names_no_model, listed.values()))
        return _as_missing_model(refused) if all_models else refused
    error = answer.get("error")
    return _whole_refused(error if isinstance(error, dict) else {"message": error}, graph)


def failure(item: Mapping[str, Any]) -> ComfyError | None:
    """Return why the prompt of a history item failed; None if it succeeded."""
    status = item.get("status") or {}
    if status.get("status_str") == "success":
        return None
    for event, data in reversed(status.get("messages") or []):
        if event == "execution_error":
            return node_failed(
                data.get("node_id"),
                data.get("node_type"),
                exception=data.get("exception_type") or "Error",
                message=data.get("exception_message") or "",
            )
        if event == "execution_interrupted":
            return Interrupted(
                "somebody interrupted the prompt in ComfyUI",
                node_id=data.get("node_id"),
                node_type=data.get("node_type"),
            )
    return NodeFailed("ComfyUI says that the prompt failed, and not why")


def node_failed(
    node_id: str | None, node_type: str | None, *, exception: str, message: str
) -> ComfyError:
    """Return the error of a node that raised: the exception's type and first lines."""
    lines = [line.strip() for line in message.splitlines() if line.strip()][:SHOWN_LINES]
    text = public("\n".join(lines))
    summary = f"{exception}: {text}" if text else exception
    if _NO_MEMORY.search(exception) or _NO_MEMORY.search(text):
        advice = "use a smaller size or batch, or a worker with more memory"
        return OutOfMemory(f"{summary}; {advice}", node_id=node_id, node_type=node_type)
    if _NO_SPACE in text:
        full = "the worker's disk is full"
        return StorageFailed(f"{full} ({summary})", node_id=node_id, node_type=node_type)
    return NodeFailed(summary, node_id=node_id, node_type=node_type)


def public(text: str) -> str:
    """Return `text` without the directories of this machine, and not too long."""
    return _DIRECTORIES.sub("", text)[:SHOWN_CHARACTERS]


def _node_problems(node: str, report: Mapping[str, Any]) -> Iterator[Problem]:
    who = f"node {node} ({report.get('class_type')})"
    for error in report.get("errors") or [{"message": "is not valid"}]:
        name = (error.get("extra_info") or {}).get("input_name")
        where = f"input '{name}' of {who}" if name else who
        pointer = pointer_to(node) + (f"/inputs{pointer_to(str(name))}" if name else "")
        yield Problem(pointer, f"{where}: {_explain(error, name)}")


def _names_no_model(report: Mapping[str, Any]) -> bool:
    """Whether all that is wrong with a node are model files that are not in its lists."""
    errors = report.get("errors") or [{}]
    return all(
        error.get("type") == "value_not_in_list"
        and str((error.get("extra_info") or {}).get("received_value")).endswith(_MODEL_FILES)
        for error in errors
    )


def _as_missing_model(refused: InvalidWorkflow) -> ModelMissing:
    return ModelMissing(
        refused.message,
        problems=refused.problems,
        node_id=refused.node_id,
        node_type=refused.node_type,
    )


def _explain(error: Mapping[str, Any], name: str | None) -> str:
    """Return message and details without the input's name, which stands before them already."""
    message, details = str(error.get("message") or ""), str(error.get("details") or "")
    if name:
        details = re.sub(rf"^{re.escape(name)}(?:: |, | - |$)", "", details)
    return public(f"{message}: {details}" if details else message)


def _whole_refused(error: Mapping[str, Any], graph: Mapping[str, Any]) -> InvalidWorkflow:
    kind = error.get("type")
    message, details = str(error.get("message") or ""), str(error.get("details") or "")
    if kind in {"invalid_prompt", "missing_node_type"}:
        return _unknown_class(error, graph)
    if kind == "prompt_no_outputs":
        return _invalid([Problem("", "no node of the workflow is an output, such as SaveImage")])
    if not details and kind == "prompt_outputs_failed_validation":
        details = "its nodes are linked in a circle"  # 0.3.x says nothing at all
    told = message if details in {"", message} else f"{message}: {details}"
    return _invalid([Problem("", public(told or "ComfyUI refused the workflow"))])


def _unknown_class(error: Mapping[str, Any], graph: Mapping[str, Any]) -> InvalidWorkflow:
    told = re.search(r"#(.+)'", str(error.get("details") or ""))
    extra = error.get("extra_info") or {}
    node = str(extra.get("node_id") or (told.group(1) if told else ""))
    entry = graph.get(node)
    node_type = entry.get("class_type") if isinstance(entry, dict) else None
    if not node_type:
        where = pointer_to(node) if node else ""
        return _invalid([Problem(where, public(str(error.get("message"))))], node_id=node or None)
    missing = (
        f"node {node}: this ComfyUI has no node class '{node_type}'; correct its name or install"
        " the custom node that brings it"
    )
    pointer = f"{pointer_to(node)}/class_type"
    return _invalid([Problem(pointer, missing)], node_id=node, node_type=node_type)


def _invalid(
    problems: list[Problem], *, node_id: str | None = None, node_type: str | None = None
) -> InvalidWorkflow:
    return InvalidWorkflow(
        in_words(problems), problems=problems, node_id=node_id, node_type=node_type
    )
