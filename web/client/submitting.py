"""What a submission may say beside its workflow, and the body that is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class Choices(TypedDict, total=False):
    """What a submission may say beside its workflow, in the API's own words.

    `params` are for a workflow given by its name; `inputs` are overrides and `media` files as
    the API takes them. With `temp_outputs`, what nodes only show is kept beside what they save.
    The job's end is told at `webhook_url`, or whichever `webhook_events` are named. A run may
    take `timeout_seconds`, on another `gpu` than usual if the deployment allows it.
    """

    params: Mapping[str, Any]
    inputs: Sequence[Mapping[str, Any]]
    media: Sequence[Mapping[str, Any]]
    temp_outputs: bool
    user_id: str | None
    webhook_url: str | None
    webhook_events: Sequence[str]
    timeout_seconds: int | None
    gpu: str | None


def body_of(workflow: Mapping[str, Any] | str, choices: Choices) -> dict[str, Any]:
    """Return the JSON of a submission; what is empty is left out."""
    named = {"name": workflow} if isinstance(workflow, str) else workflow
    chosen = {
        name: value
        for name, value in choices.items()
        if value is not None and value is not False and value not in ((), [], {})
    }
    return {"workflow": named, **chosen}
