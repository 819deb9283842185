"""The courier of this deployment: its bucket, its secrets, and where it may go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from comfy_runner.bucket import Bucket, open_bucket
from comfy_runner.safe_http import Outbound
from settings import Settings
from tasks import jobs
from tasks.document import job_document
from tasks.webhook import Courier
from tasks.webhook_sending import Sender
from tasks.webhook_signing import secrets_of


def courier(
    settings: Settings, *, bucket: Bucket | None = None, secrets: Sequence[str] | None = None
) -> Courier:
    """Return what delivers webhooks, as the settings say; signed with other `secrets` if given.

    Raises:
        BucketError: a kept secret was damaged.
    """
    files = bucket or open_bucket(settings, hurried=True)
    signing = tuple(secrets or secrets_of(settings.webhook_secret, settings.data_dir))

    def document(job_id: str, base: str) -> Mapping[str, Any] | None:
        def link(key: str) -> str:
            url = files.url(key, ttl_seconds=settings.r2_url_ttl_seconds)
            return f"{settings.public_url or base}{url}" if url.startswith("/") else url

        try:
            return job_document(jobs.get(job_id), link)
        except jobs.JobNotFound:
            return None

    allow = tuple(map(ip_network, settings.outbound_allow))
    return Courier(Sender(Outbound(allow), signing), document)
