"""The route that says whether a submission would be accepted, and does nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, request

from comfy_runner.catalog import Catalog
from comfy_runner.media import Policy
from comfy_runner.media.intake import Intake
from settings import Settings
from web import json_body
from web.auth import rights
from web.v1.hardware import Hardware
from web.v1.ports import Jobs
from web.v1.submission import Reception
from web.v1.telling import Document


@dataclass(frozen=True)
class ValidationRoutes:
    """The route, with what it judges by."""

    settings: Settings
    jobs: Jobs
    catalog: Callable[[], Catalog | None]

    def blueprint(self) -> Blueprint:
        """Return the route under /v1/workflows."""
        blueprint = Blueprint("validation", __name__, url_prefix="/v1/workflows")
        blueprint.post("/validate")(self.validate)
        return blueprint

    def validate(self) -> Document:
        """Judge the body as POST /v1/jobs would, and refuse it with the same problems."""
        with Intake(Policy.of(self.settings)) as intake:
            longest = self.settings.job_timeout_seconds
            bound_to = rights().user_id
            hardware = Hardware.of(self.settings)
            reception = Reception(
                self.jobs.get, intake, longest, self.catalog(), bound_to, hardware=hardware
            )
            asked = reception.accept(json_body.read(request))
        return {"valid": True, "nodes": len(asked.workflow), "media": len(asked.media)}
