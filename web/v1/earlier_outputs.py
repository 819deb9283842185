"""An output of an earlier job as the input of the next: only one's own, and only what is taken."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from comfy_runner.errors import MediaRejected, MediaUnreachable
from comfy_runner.media.checks import too_large
from comfy_runner.media.kinds import ACCEPTED, is_taken
from tasks.jobs import Job, JobNotFound

JOB_ID = re.compile("[A-Za-z0-9_+-]{1,128}")
"""What an id of a job may look like; no other reaches the store."""

FindJob = Callable[[str], Job]


class Refused(ValueError):
    """The output cannot be an input of this job; `field` names what is wrong."""

    def __init__(self, code: str, field: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


@dataclass(frozen=True)
class EarlierOutputs:
    """The outputs of one user's jobs; `find_job` raises JobNotFound."""

    find_job: FindJob
    user_id: str | None
    max_bytes: int

    def key_of(self, job_id: str, filename: str) -> str:
        """Return where in the bucket the output lies.

        Raises:
            Refused: The user has no such job, the job no such file, or it may not be an input.
        """
        job = self._own_job(job_id)
        if job is None:
            raise _unknown("job_id", "is not the id of an earlier job of this user_id")
        files = [each for each in job.outputs if each.key]
        found = [each for each in files if each.filename == filename]
        if not found:
            has = ", ".join(repr(each.filename) for each in files[:10])
            has = has or f"no file; its status is {job.status.value}"
            raise _unknown("filename", f"is not an output of that job, which has {has}")
        if len(found) > 1:
            remedy = "give their nodes different filename_prefix values"
            raise _unknown("filename", f"is the name of {len(found)} outputs of it; {remedy}")
        self._check(found[0].content_type, found[0].size_bytes)
        return found[0].key

    def _own_job(self, job_id: str) -> Job | None:
        if not JOB_ID.fullmatch(job_id):
            return None
        try:
            job = self.find_job(job_id)
        except JobNotFound:
            return None
        return job if job.user_id == self.user_id else None

    def _check(self, content_type: str, size_bytes: int) -> None:
        if not is_taken(content_type):
            message = f"is {content_type}; an input may be {ACCEPTED}"
            raise Refused(MediaRejected.code, "filename", message)
        if size_bytes > self.max_bytes:
            message = str(too_large(self.max_bytes))
            raise Refused(MediaRejected.code, "filename", f"is not taken: {message}")


def _unknown(field: str, message: str) -> Refused:
    return Refused(MediaUnreachable.code, field, message)
