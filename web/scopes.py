"""Which scope each route wants that wants a key: one table, complete by test."""

from __future__ import annotations

from tasks.keys import ADMIN, READ, WRITE

SCOPES = {
    "metrics.metrics": ADMIN,
    "jobs.submit": WRITE,
    "jobs.retry": WRITE,
    "jobs.end": WRITE,
    "jobs.list_jobs": READ,
    "reading.get": READ,
    "reading.logs": READ,
    "events.events": READ,
    "validation.validate": WRITE,  # it fetches and stores as a submission does
    "workflows.listing": READ,
    "workflows.one": READ,
    "usage.usage": READ,  # it adds up what the jobs themselves tell
    "webhooks.listing": READ,
    "webhooks.redeliver": WRITE,
}
"""The scope by endpoint."""
