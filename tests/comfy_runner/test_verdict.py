"""ComfyUI's answers, recorded from the real one where they could be, read as our errors."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_runner.errors import (
    Interrupted,
    InvalidWorkflow,
    ModelMissing,
    NodeFailed,
    OutOfMemory,
    Problem,
    StorageFailed,
)
from comfy_runner.verdict import failure, node_failed, public, refusal

GRAPH = {
    "1": {"class_type": "NopeNode", "inputs": {}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
}


def input_error(kind: str, message: str, details: str, name: str) -> dict[str, Any]:
    return {
        "type": kind,
        "message": message,
        "details": details,
        "extra_info": {"input_name": name},
    }


def answer(errors: list[dict[str, Any]], node: str = "3") -> dict[str, Any]:
    return {
        "error": {"type": "prompt_outputs_failed_validation", "message": "", "details": ""},
        "node_errors": {node: {"errors": errors, "class_type": "KSampler"}},
    }


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            input_error(
                "value_smaller_than_min", "Value 0 smaller than min of 1", "steps", "steps"
            ),
            "input 'steps' of node 3 (KSampler): Value 0 smaller than min of 1",
        ),
        (
            input_error(
                "value_not_in_list", "Value not in list", "steps: 'x' not in ['a']", "steps"
            ),
            "input 'steps' of node 3 (KSampler): Value not in list: 'x' not in ['a']",
        ),
        (
            input_error("return_type_mismatch", "Mismatch", "steps, received_type(A)", "steps"),
            "input 'steps' of node 3 (KSampler): Mismatch: received_type(A)",
        ),
        (
            input_error("custom_validation_failed", "Custom", "steps - no such file", "steps"),
            "input 'steps' of node 3 (KSampler): Custom: no such file",
        ),
    ],
)
def test_a_refused_input_is_told_with_its_node_and_a_pointer(
    error: dict[str, Any], told: str
) -> None:
    refused = refusal(answer([error]), {})
    assert refused.problems == (Problem("/3/inputs/steps", told),)
    assert (refused.message, refused.node_id, refused.node_type) == (told, "3", "KSampler")


def test_a_problem_of_a_whole_node_points_at_the_node() -> None:
    error = {"type": "exception_during_validation", "message": "Exception", "details": "'1'"}
    assert refusal(answer([error]), {}).problems == (
        Problem("/3", "node 3 (KSampler): Exception: '1'"),
    )


def test_every_problem_is_listed_and_the_message_stays_short() -> None:
    errors = [input_error("x", f"bad {n}", f"in{n}", f"in{n}") for n in range(8)]
    refused = refusal(answer(errors), {})
    assert len(refused.problems) == 8
    assert refused.message.endswith("; and 3 more")


def test_a_pointer_escapes_slashes_and_tildes() -> None:
    refused = refusal(answer([input_error("x", "bad", "a/b~c", "a/b~c")], node="5/1"), {})
    assert refused.problems[0].pointer == "/5~11/inputs/a~1b~0c"


@pytest.mark.parametrize(
    "error",
    [
        {
            "type": "invalid_prompt",
            "message": "Cannot execute because node NopeNode does not exist.",
            "details": "Node ID '#1'",
            "extra_info": {},
        },
        {
            "type": "missing_node_type",
            "message": "Node 'My Title' not found",
            "details": "",
            "extra_info": {"node_id": "1", "class_type": "NopeNode"},
        },
    ],
)
def test_an_unknown_class_is_told_with_its_node(error: dict[str, Any]) -> None:
    refused = refusal({"error": error, "node_errors": {}}, GRAPH)
    assert (refused.node_id, refused.node_type) == ("1", "NopeNode")
    assert refused.problems[0].pointer == "/1/class_type"
    assert "no node class 'NopeNode'" in refused.message


def test_a_workflow_without_an_output_is_told_so() -> None:
    error = {"type": "prompt_no_outputs", "message": "Prompt has no outputs", "details": ""}
    assert "SaveImage" in refusal({"error": error, "node_errors": {}}, GRAPH).message


def test_a_refusal_that_says_nothing_is_a_circle() -> None:
    error = {
        "type": "prompt_outputs_failed_validation",
        "message": "Prompt outputs failed validation",
        "details": "",
    }
    assert "circle" in refusal({"error": error, "node_errors": {}}, GRAPH).message


def test_a_refusal_of_a_kind_we_do_not_know_is_passed_on() -> None:
    error = {"type": "new_rule", "message": "No Mondays", "details": "it is Monday"}
    assert refusal({"error": error}, GRAPH).message == "No Mondays: it is Monday"


def history(status: str, *messages: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {"status": {"status_str": status, "messages": [list(each) for each in messages]}}


def test_a_success_is_no_failure() -> None:
    assert failure(history("success", ("execution_success", {}))) is None


def test_a_node_that_raised_is_told_by_type_and_first_lines() -> None:
    data = {
        "node_id": "2",
        "node_type": "FailNode",
        "exception_type": "ValueError",
        "exception_message": "deliberate failure\n\nsecond\nthird\nfourth\n",
        "traceback": ['File "/opt/ComfyUI/execution.py"'],
        "current_inputs": {"text": ["a secret prompt"]},
    }
    error = failure(history("error", ("execution_start", {}), ("execution_error", data)))
    assert isinstance(error, NodeFailed)
    assert str(error) == "ValueError: deliberate failure\nsecond\nthird"
    assert error.details == {"code": "node_failed", "node_id": "2", "node_type": "FailNode"}


def test_an_interrupted_prompt_is_told_so() -> None:
    data = {"node_id": "1", "node_type": "StepNode"}
    error = failure(history("error", ("execution_interrupted", data)))
    assert isinstance(error, Interrupted)
    assert error.node_id == "1"


def test_an_error_without_a_reason_is_still_a_failure() -> None:
    assert isinstance(failure({"status": {"status_str": "error", "messages": []}}), NodeFailed)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No such file: '/opt/models/vae/x.pt'", "No such file: 'x.pt'"),
        ("see https://host/a/b/c", "see https://host/a/b/c"),
        ("ratio a/b and 1/2", "ratio a/b and 1/2"),
        ("(/srv/in/cat.png)", "(cat.png)"),
    ],
)
def test_directories_of_the_machine_are_not_shown(text: str, shown: str) -> None:
    assert public(text) == shown


def test_a_long_message_is_cut() -> None:
    long = node_failed("1", "X", exception="E", message="x" * 10_000)
    assert len(str(long)) <= 510


def not_in_list(value: object, name: str = "ckpt_name") -> dict[str, Any]:
    error = input_error("value_not_in_list", "Value not in list", f"{name}: {value!r}", name)
    return {**error, "extra_info": {"input_name": name, "received_value": value}}


def test_a_refusal_for_nothing_but_missing_models_says_so_by_its_code() -> None:
    refused = refusal(answer([not_in_list("sd15.safetensors"), not_in_list("a.vae.pt")]), GRAPH)
    assert isinstance(refused, ModelMissing)
    assert len(refused.problems) == 2
    assert "sd15.safetensors" in refused.message


@pytest.mark.parametrize(
    "others",
    [
        [not_in_list("euler_b", "sampler_name")],
        [not_in_list(None)],
        [input_error("value_smaller_than_min", "Value 0 smaller than min of 1", "", "steps")],
    ],
)
def test_a_refusal_for_more_than_missing_models_is_an_invalid_workflow(
    others: list[dict[str, Any]],
) -> None:
    refused = refusal(answer([not_in_list("sd15.safetensors"), *others]), GRAPH)
    assert type(refused) is InvalidWorkflow


@pytest.mark.parametrize(
    ("exception", "message"),
    [
        ("torch.OutOfMemoryError", "Allocation on device"),
        ("torch.cuda.OutOfMemoryError", "CUDA out of memory. Tried to allocate 2 GiB"),
        ("RuntimeError", "CUDA error: out of memory"),
        ("RuntimeError", "[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        ("RuntimeError", "DefaultCPUAllocator: not enough memory: you tried to allocate 4 bytes"),
        ("MemoryError", ""),
    ],
)
def test_a_node_without_memory_is_told_apart_with_advice(exception: str, message: str) -> None:
    error = node_failed("3", "KSampler", exception=exception, message=message)
    assert isinstance(error, OutOfMemory)
    assert error.node_id == "3"
    assert error.message.startswith(exception)
    assert "smaller size or batch" in error.message


def test_a_full_disk_is_told_apart() -> None:
    message = "[Errno 28] No space left on device: '/srv/comfy/output/a.png'"
    error = node_failed("9", "SaveImage", exception="OSError", message=message)
    assert isinstance(error, StorageFailed)
    assert "disk is full" in error.message
    assert "/srv" not in error.message


def test_an_ordinary_failure_is_neither() -> None:
    error = node_failed("9", "X", exception="ValueError", message="no memory of that file")
    assert type(error) is NodeFailed
