"""From the body of a request to a job that can be sent: shape, workflow, files, overrides."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from comfy_runner import graph
from comfy_runner.catalog import Catalog
from comfy_runner.editor_format import convert, is_editor_format
from comfy_runner.errors import InvalidWorkflow, MediaRejected, MediaUnreachable
from comfy_runner.graph import Graph, Override
from comfy_runner.media.intake import Intake, Sent
from comfy_runner.validation import validate
from web.errors import BodyError, ProblemError
from web.v1 import named, schemas, webhooks
from web.v1.earlier_outputs import EarlierOutputs, FindJob, Refused
from web.v1.hardware import Hardware
from web.v1.pointing import as_sent


@dataclass(frozen=True)
class Reception:
    """Judges submissions by what there is: earlier jobs, limits that hold, the catalogue.

    Without a catalogue a workflow is judged by its form alone, and by ComfyUI when it runs.
    """

    find_job: FindJob
    intake: Intake
    longest_run_seconds: int
    catalog: Catalog | None = None
    bound_to: str | None = None
    """The user in whose name alone the caller may submit, if there is one."""
    hardware: Hardware | None = None

    def accept(self, body: object) -> schemas.Submission:
        """Return the submission in the JSON value `body`, its overrides applied to its workflow.

        A workflow as the editor saves it comes back in the API format. The files have been
        checked and wait in the intake to be stored.

        Raises:
            ProblemError: 422 with everything that is wrong, shape, workflow and files at once.
        """
        sent = body
        body, naming_faults = named.expanded(body)
        # a workflow that could not be found has no form to look at
        body, faults = (body, naming_faults) if naming_faults else self._form(body)
        request_faults = _owner_faults(body, self.bound_to)
        request_faults += self.hardware.faults(body) if self.hardware else []
        request_faults += webhooks.webhook_faults(body, self.intake.policy.allow)
        try:
            asked = schemas.read_submission(body, self.longest_run_seconds)
        except schemas.Misshapen as error:
            raise _invalid_request([*error.errors, *request_faults, *faults]) from error
        asked = replace(asked, user_id=self.bound_to or asked.user_id)
        media_faults, code = self._media_faults(asked)
        if request_faults or naming_faults:
            raise _invalid_request([*request_faults, *faults, *media_faults])
        if faults:
            detail = "The workflow cannot run as it is; see errors."
            raise _invalid_workflow(detail, faults, media_faults)
        filled = self._filled(asked, media_faults, sent)
        if media_faults:
            detail = "The input files cannot be used; see errors."
            raise ProblemError(422, code, detail, errors=media_faults)
        return replace(asked, workflow=filled, inputs=())

    def _form(self, body: object) -> tuple[object, list[BodyError]]:
        """Return the body with its workflow in the API format, and what is wrong with its form.

        The workflow is looked at if there is one, whatever else is wrong with the body.
        """
        workflow = body.get("workflow") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(workflow, dict):
            return body, []
        try:
            if self.catalog is None:
                graph.check(workflow)
            elif is_editor_format(workflow):
                return {**body, "workflow": convert(workflow, self.catalog)}, []
            else:
                graph.checked_form(workflow)
        except InvalidWorkflow as error:
            return body, _pointed(error, "/workflow")
        return body, []

    def _filled(
        self, asked: schemas.Submission, media_faults: Sequence[BodyError], sent: object
    ) -> Graph:
        """Return the workflow with the overrides in it; `sent` is the body as it came."""
        names = [each.name for each in asked.media]
        unknown = _unknown_media(asked.inputs, names)
        overrides = [replace(each, type="raw") for each in asked.inputs]
        try:
            filled = graph.apply(asked.workflow, overrides)
        except InvalidWorkflow as error:
            detail = "The inputs do not fit the workflow; see errors."
            faults = [*_pointed(error, "/inputs"), *unknown]
            raise _invalid_workflow(detail, faults, media_faults) from error
        if unknown:
            detail = "The inputs name files that are not among the media; see errors."
            raise _invalid_workflow(detail, unknown, media_faults)
        try:
            self._check(filled, names)
        except InvalidWorkflow as error:
            faults = as_sent(sent, _pointed(error, "/workflow"))
            detail = f"With its inputs applied the workflow cannot run: {error.message}"
            raise _invalid_workflow(detail, faults, media_faults, error.code) from error
        return filled

    def _check(self, filled: Graph, names: Collection[str]) -> None:
        """Raise InvalidWorkflow unless the workflow can run, as far as that can be known."""
        if self.catalog is None:
            graph.check(filled)
            return
        validate(filled, self.catalog, media=names)
        if problems := graph.prefix_problems(filled):
            raise InvalidWorkflow(problems[0].message, problems=problems)

    def _media_faults(self, asked: schemas.Submission) -> tuple[list[BodyError], str]:
        """Check every file; return what is wrong, and the code that says it in a word."""
        earlier = EarlierOutputs(self.find_job, asked.user_id, self.intake.policy.max_bytes)
        sent: list[Sent] = []
        faults: list[BodyError] = []
        codes: set[str] = set()
        for index, each in enumerate(asked.media):
            try:
                sent.append(_sent(each, earlier))
            except Refused as error:
                codes.add(error.code)
                faults.append(BodyError(f"/media/{index}/{error.field}", str(error)))
                sent.append(Sent(each.name))
        problems = self.intake.check(sent)
        faults += [BodyError(f"/media{each.pointer}", each.message) for each in problems]
        unreachable = not problems and codes == {MediaUnreachable.code}
        return faults, MediaUnreachable.code if unreachable else MediaRejected.code


def _owner_faults(body: object, bound_to: str | None) -> list[BodyError]:
    """Check whose job it is to be, if its shape is right: a key that is bound is for one user."""
    user_id = body.get("user_id") if isinstance(body, dict) else None
    if bound_to is None or not isinstance(user_id, str) or user_id == bound_to:
        return []
    return [BodyError("/user_id", f"must be {bound_to!r}, whom this key is for, or be left out")]


def _sent(media: schemas.SentMedia, earlier: EarlierOutputs) -> Sent:
    if media.job_id is None or media.filename is None:
        return Sent(media.name, data=media.data, url=media.url)
    return Sent(media.name, key=earlier.key_of(media.job_id, media.filename))


def _unknown_media(overrides: Sequence[Override], names: Collection[str]) -> list[BodyError]:
    """Find the overrides of type "media" whose value is the name of no file that was sent."""
    return [
        BodyError(f"/inputs/{index}/value", _no_such_media(override.value, names))
        for index, override in enumerate(overrides)
        if override.type == "media" and override.value not in names
    ]


def _no_such_media(value: object, names: Collection[str]) -> str:
    if not names:
        return "must be the name of one of media, and there are none"
    near = difflib.get_close_matches(value, names, n=3) if isinstance(value, str) else []
    hint = ", ".join(map(repr, near or list(names)[:5]))
    return f"must be the name of one of media, such as {hint}"


def _pointed(error: InvalidWorkflow, prefix: str) -> list[BodyError]:
    """Return the problems of `error` with pointers from the root of the body."""
    found = [BodyError(prefix + each.pointer, each.message) for each in error.problems]
    return found or [BodyError(prefix, error.message)]


def _invalid_workflow(
    detail: str,
    faults: Sequence[BodyError],
    media_faults: Sequence[BodyError],
    code: str = InvalidWorkflow.code,
) -> ProblemError:
    return ProblemError(422, code, detail, errors=[*faults, *media_faults])


def _invalid_request(faults: Sequence[BodyError]) -> ProblemError:
    detail = "The request has fields that are missing, unknown or wrong; see errors."
    return ProblemError(422, "invalid_request", detail, errors=faults)
