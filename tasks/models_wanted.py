"""Seeing that a deployed app's models are downloaded, once after each change of what it wants."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable

from apps import App
from tasks.framework import runtime

log = logging.getLogger(__name__)

AGAIN_SECONDS = 7 * 3600.0
"""After how long a download that was begun and never finished is begun again: longer than one
may take, and more than the seconds that two containers' clocks are apart."""


def ensure(app: App, pull: Callable[[], object]) -> bool:
    """Begin the download of the app's models, unless that was done; say whether it was begun.

    Of many callers at once one begins it. `pull` need not wait for its end.
    """
    if not app.models:
        return False
    protocol, key = runtime().protocol, _key(app)
    now = protocol.clock()
    known = protocol.store.get(key)
    if known is None:
        begins = protocol.store.add(key, {"begun": now})
    else:
        begins = not known.get("done") and now - known["begun"] >= AGAIN_SECONDS
        if begins:
            protocol.store.put(key, {"begun": now})
    if begins:
        log.info("downloading %d models of %s", len(app.models), app.name)
        pull()
    return begins


def note_done(app: App) -> None:
    """Say that all of the app's models are there."""
    protocol = runtime().protocol
    protocol.store.put(_key(app), {"begun": protocol.clock(), "done": True})


def note_failed(app: App) -> None:
    """Say that the download failed, so that the next look begins it again."""
    runtime().protocol.store.delete(_key(app))


def _key(app: App) -> str:
    """Return the record's key: another list of models has another one."""
    wanted = json.dumps([dataclasses.asdict(model) for model in app.models], sort_keys=True)
    return f"models:{hashlib.sha256(wanted.encode()).hexdigest()}"
