"""From the body of a request to a graph that can be sent: shape, workflow, overrides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from comfy_runner import graph
from comfy_runner.errors import InvalidWorkflow
from web.errors import BodyError, ProblemError
from web.v1 import schemas


def accept(body: object) -> schemas.Submission:
    """Return the submission in the JSON value `body`, its overrides applied to its workflow.

    Raises:
        ProblemError: 422 with everything that is wrong, shape and workflow at once, or 501 for
            what this version cannot do yet.
    """
    faults = _workflow_faults(body)
    try:
        submission = schemas.read_submission(body)
    except schemas.Misshapen as error:
        detail = "The request has fields that are missing, unknown or wrong; see errors."
        faults = [*error.errors, *faults]
        raise ProblemError(422, "invalid_request", detail, errors=faults) from error
    if faults:
        raise _invalid_workflow("The workflow cannot run as it is; see errors.", faults)
    _refuse_unsupported(submission)
    try:
        filled = graph.apply(submission.workflow, submission.inputs)
    except InvalidWorkflow as error:
        detail = "The inputs do not fit the workflow; see errors."
        raise _invalid_workflow(detail, _pointed(error, "/inputs")) from error
    if faults := _workflow_faults({"workflow": filled}):
        raise _invalid_workflow("With its inputs applied the workflow cannot run.", faults)
    return replace(submission, workflow=filled, inputs=())


def _workflow_faults(body: object) -> list[BodyError]:
    """Check the workflow in `body` if one is there, whatever else is wrong with the body."""
    workflow = body.get("workflow") if isinstance(body, dict) else None
    if not isinstance(workflow, dict):
        return []
    try:
        graph.check(workflow)
    except InvalidWorkflow as error:
        return _pointed(error, "/workflow")
    return []


def _pointed(error: InvalidWorkflow, prefix: str) -> list[BodyError]:
    """Return the problems of `error` with pointers from the root of the body."""
    found = [BodyError(prefix + each.pointer, each.message) for each in error.problems]
    return found or [BodyError(prefix, error.message)]


def _invalid_workflow(detail: str, faults: Sequence[BodyError]) -> ProblemError:
    return ProblemError(422, "invalid_workflow", detail, errors=faults)


def _refuse_unsupported(submission: schemas.Submission) -> None:
    """Refuse what would otherwise be accepted and then ignored."""
    asked = {"media": bool(submission.media), "webhook_url": submission.webhook_url is not None}
    missing = [
        BodyError(f"/{name}", "is not supported yet; leave it out")
        for name, present in asked.items()
        if present
    ]
    if missing:
        detail = "This version takes no input media and calls no webhooks; see errors."
        raise ProblemError(501, "not_implemented", detail, errors=missing)
