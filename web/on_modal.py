"""The API in a container of Modal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import settings
from apps import App
from tasks import on_modal
from tasks.kept_secret import webhook_secrets
from web import create_app
from web.bridge import Bridge

QUICK = 40
"""Threads that are kept for requests which do not wait: the others may be open streams."""


def application(app: App, *, threads: int, hydrated: Mapping[str, Any]) -> Bridge:
    """Return the API of `app` for a server that hands in at most `threads` requests at a time.

    Raises:
        SettingsError: a secret of the app lacks something.
    """
    told = settings.load(None)
    waiting = min(told.max_streams, threads - QUICK)
    chosen = told.replace(max_streams=waiting)
    on_modal.configure(chosen, app, hydrated=hydrated, hurried=True)
    webhook_secrets(chosen.webhook_secret)  # an operator may ask for it before it is needed
    bucket = on_modal.bucket_of(chosen, app, hurried=True)
    most = chosen.max_request_megabytes * 2**20
    return Bridge(create_app(chosen, bucket=bucket), threads=threads, most_bytes=most)
