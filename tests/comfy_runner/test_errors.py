"""The tree of errors as records and clients see it."""

from __future__ import annotations

import pytest

from comfy_runner import errors
from comfy_runner.errors import ComfyError, InvalidWorkflow, ModelMissing, NodeFailed, Problem


def every_error() -> list[type[ComfyError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type)]


def test_each_kind_of_failure_has_a_code_of_its_own_unless_it_says_how_to_fix_another() -> None:
    codes = {kind.__name__: kind.code for kind in every_error() if issubclass(kind, ComfyError)}
    assert codes == {
        "ComfyError": "comfyui_error",
        "InvalidWorkflow": "invalid_workflow",
        "ModelMissing": "model_missing",
        "NodeFailed": "node_failed",
        "OutOfMemory": "out_of_memory",
        "ComfyCrashed": "comfyui_crashed",
        "ComfyUnavailable": "comfyui_unavailable",
        "ComfyNotInstalled": "comfyui_unavailable",
        "Stalled": "stalled",
        "Interrupted": "cancelled",
        "MediaRejected": "media_rejected",
        "MediaUnreachable": "media_unreachable",
        "StorageFailed": "storage_failed",
        "OutputGone": "storage_failed",
        "NoOutputs": "no_outputs",
        "PicturesLost": "no_outputs",
    }


def test_details_name_the_node_where_one_is_known() -> None:
    error = NodeFailed("ValueError: no", node_id="3", node_type="KSampler")
    assert error.details == {"code": "node_failed", "node_id": "3", "node_type": "KSampler"}
    assert str(error) == error.message == "ValueError: no"


def test_a_node_is_given_the_class_and_title_that_the_graph_has_for_it() -> None:
    graph = {"3": {"class_type": "KSampler", "inputs": {}, "_meta": {"title": "Second pass"}}}
    error = NodeFailed("no", node_id="3").at(graph)
    assert (error.node_type, error.node_title) == ("KSampler", "Second pass")
    assert error.details["node_title"] == "Second pass"


@pytest.mark.parametrize("node", [None, [], {"_meta": []}, {"_meta": {"title": 3}}])
def test_a_title_that_is_none_is_left_out(node: object) -> None:
    assert NodeFailed("no", node_id="3").at({"3": node}).node_title is None


def test_details_leave_out_what_is_not_known() -> None:
    assert NodeFailed("why").details == {"code": "node_failed"}


def test_the_log_of_a_crash_is_in_its_details() -> None:
    assert errors.ComfyCrashed("gone", log=["a", "b"]).details["log"] == ["a", "b"]


def test_a_missing_model_is_told_with_how_to_add_it() -> None:
    told = ModelMissing("no file 'a.pt' in models/loras").message
    assert told.startswith("no file 'a.pt' in models/loras. The operator adds a model with")
    assert "models add OWNER/REPOSITORY/FILE --folder FOLDER`" in told


def test_an_invalid_workflow_keeps_every_problem() -> None:
    problems = [Problem("/3/inputs/steps", "too small"), Problem("/4", "no class")]
    assert InvalidWorkflow("two problems", problems=problems).problems == tuple(problems)


@pytest.mark.parametrize("kind", [errors.ComfyCrashed, errors.ComfyUnavailable])
def test_an_error_for_clients_does_not_carry_the_log_in_its_message(
    kind: type[ComfyError],
) -> None:
    assert "line" not in str(kind("gone", log=["last line"]))
