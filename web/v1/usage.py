"""The route that tells what jobs have used of workers, and what that cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request

from tasks.jobs import InvalidCursor, Sum, Usage
from web.errors import ParameterError, invalid_parameters
from web.v1 import queries
from web.v1.ports import Jobs


@dataclass(frozen=True)
class UsageRoutes:
    """The route, with what it reads."""

    jobs: Jobs

    def blueprint(self) -> Blueprint:
        """Return the route under /v1/usage."""
        blueprint = Blueprint("usage", __name__, url_prefix="/v1/usage")
        blueprint.get("")(self.usage)
        return blueprint

    def usage(self) -> dict[str, Any]:
        """Add up what ended jobs have used, some hundred of them at a time."""
        asked = queries.read_usage(request.args)
        try:
            found = self.jobs.usage(
                asked.by,
                user_id=asked.user_id,
                since=asked.since,
                until=asked.until,
                after=asked.after,
            )
        except InvalidCursor as error:
            wrong = ParameterError("after", "must be the `next` of an earlier answer")
            raise invalid_parameters((wrong,)) from error
        return _document(found)


def _document(usage: Usage) -> dict[str, Any]:
    return {"sums": [_sum(each) for each in usage.sums], "next": usage.next}


def _sum(each: Sum) -> dict[str, Any]:
    usd = None if each.usd is None else round(each.usd, 6)
    return {
        "name": each.name,
        "jobs": each.jobs,
        "gpu_seconds": round(each.seconds, 3),
        "usd": usd,
    }
