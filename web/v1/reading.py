"""The routes that look at one job: as it is, or as soon as it changes; and its log."""

from __future__ import annotations

import time
from dataclasses import dataclass

from flask import Blueprint, Response, abort, jsonify, request

from tasks.jobs import Job
from web.auth import caller
from web.v1.finding import found
from web.v1.ports import Jobs
from web.v1.queries import read_wait
from web.v1.telling import Telling
from web.waiting import Waiting, pointless

LOOK_SECONDS = 1.0
"""How often a request that waits sees to it that somebody still wants its answer."""


@dataclass(frozen=True)
class ReadingRoutes:
    """The routes, with what they work on."""

    jobs: Jobs
    telling: Telling
    waiting: Waiting

    def blueprint(self) -> Blueprint:
        """Return the routes under /v1/jobs/{job_id}."""
        blueprint = Blueprint("reading", __name__, url_prefix="/v1/jobs/<job_id>")
        blueprint.get("")(self.get)
        blueprint.get("/logs")(self.logs)
        return blueprint

    def get(self, job_id: str) -> Response:
        """Tell how the job is doing; with `wait`, once that is another way than now."""
        seconds = read_wait(request.args)
        job = found(self.jobs.get, job_id)
        if seconds and not job.ended:
            job = self._changed(job, seconds)
        response = jsonify(self.telling.document(job))
        response.set_etag(self.telling.tag(job), weak=True)
        response.make_conditional(request)
        if response.status_code == 412:
            abort(412)
        return response

    def logs(self, job_id: str) -> Response:
        """Tell what happened in the job: lines of text, or JSON for who prefers that."""
        job = found(self.jobs.get, job_id)
        best = request.accept_mimetypes.best_match(["text/plain", "application/json"])
        if best == "application/json":
            response = jsonify({"job_id": job.job_id, "logs": list(job.logs)})
        else:
            text = "".join(f"{line}\n" for line in job.logs)
            response = Response(text, content_type="text/plain; charset=utf-8")
        response.vary.add("Accept")
        return response

    def _changed(self, job: Job, seconds: int) -> Job:
        """Return the job once it is not as it was, or not as the client knows it."""
        known = self.telling.tag(job)
        if request.if_none_match and not request.if_none_match.contains_weak(known):
            return job
        until = time.monotonic() + seconds
        in_vain = pointless()
        with self.waiting.enter(caller()), self.jobs.watch() as wait:
            while not in_vain():
                job = found(self.jobs.get, job.job_id)
                left = until - time.monotonic()
                if job.ended or left <= 0 or self.telling.tag(job) != known:
                    break
                wait(min(left, LOOK_SECONDS))
        return job
