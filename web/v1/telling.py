"""How this deployment tells of its jobs: with links that clients can follow, and an ETag."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import request

from comfy_runner.bucket import Bucket
from settings import Settings
from tasks.document import job_document
from tasks.jobs import Job

Document = dict[str, Any]

COUNTED_DOWN = "estimated_wait_seconds"
"""What changes by itself as time goes by; a client can count it down without asking."""


@dataclass(frozen=True)
class Telling:
    """Makes the JSON of jobs whose files lie in `bucket`."""

    settings: Settings
    bucket: Bucket

    def document(self, job: Job) -> Document:
        """Return the job for the request at hand."""
        return self.teller()(job)

    def teller(self) -> Callable[[Job], Document]:
        """Return what tells jobs as `document` does, also when the request is over."""
        base = self.base()

        def link(key: str) -> str:
            url = self.bucket.url(key, ttl_seconds=self.settings.r2_url_ttl_seconds)
            return f"{base}{url}" if url.startswith("/") else url

        return lambda job: job_document(job, link)

    def base(self) -> str:
        """Return the address clients know us by; without a usable Host, links are relative."""
        asked = request.host_url.rstrip("/") if request.host else ""
        return self.settings.public_url or asked

    def tag(self, job: Job) -> str:
        """Return what changes with whatever a client can see of the job.

        Links are signed anew in every answer and count as the same, but not for so long that
        they could expire in the hands of a client that is told nothing has changed.
        """
        told = plain_document(job)
        del told[COUNTED_DOWN]
        if any(output.key for output in job.outputs):
            told["links"] = int(time.time() // (self.settings.r2_url_ttl_seconds / 2))
        text = json.dumps(told, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def plain_document(job: Job) -> Document:
    """Return the job with the keys of its files in place of links: alike for all readers."""
    return job_document(job, lambda key: key)
