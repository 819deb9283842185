"""Seeing that a deployed app's models are downloaded, once after each change of what it wants."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from apps import App
from tasks.framework import runtime

log = logging.getLogger(__name__)

AGAIN_SECONDS = 7 * 3600.0
"""After how long a download that was begun and never ended is begun again: longer than one may
take, and more than the seconds that two containers' clocks are apart."""

PAUSES = (60.0, 300.0, 1800.0, 7200.0, 43_200.0)
"""Seconds between a failure and the next download. After one more it is left to a person: a
repository that is closed, or a volume that is full, does not mend itself."""

BY_HAND = "`python manage.py models pull --on modal` tells why and begins anew"


def ensure(app: App, pull: Callable[[], object]) -> bool:
    """Begin the download of the app's models, unless that was done; say whether it was begun.

    Of many callers at once one begins it. `pull` need not wait for its end; if it raises, nothing
    was begun.
    """
    if not app.models:
        return False
    protocol, key = runtime().protocol, _key(app)
    now = protocol.clock()
    known = protocol.store.get(key)
    if known is not None and not _is_due(known, now):
        return False
    begun = {"begun": now, "failures": known["failures"] if known else 0}
    if known is not None:
        protocol.store.put(key, begun)
    elif not protocol.store.add(key, begun):
        return False
    log.info("downloading %d models of %s", len(app.models), app.name)
    try:
        pull()
    except BaseException:
        if known is None:
            protocol.store.delete(key)
        else:
            protocol.store.put(key, known)
        raise
    return True


def note_done(app: App) -> None:
    """Say that all of the app's models are there."""
    protocol = runtime().protocol
    protocol.store.put(_key(app), {"done": protocol.clock(), "failures": 0})


def note_failed(app: App) -> None:
    """Say that a download failed, so that it is begun again after a pause, if it may be."""
    protocol, key = runtime().protocol, _key(app)
    known = protocol.store.get(key)
    failures = 1 + (known["failures"] if known else 0)
    protocol.store.put(key, {"failed": protocol.clock(), "failures": failures})
    if failures > len(PAUSES):
        log.error("the models of %s could not be had %d times; %s", app.name, failures, BY_HAND)


def _is_due(known: Mapping[str, Any], now: float) -> bool:
    if "done" in known:
        return False
    if "failed" not in known:
        return now - float(known["begun"]) >= AGAIN_SECONDS
    failures, failed = int(known["failures"]), float(known["failed"])
    return failures <= len(PAUSES) and now - failed >= PAUSES[failures - 1]


def _key(app: App) -> str:
    """Return the record's key: another list of models has another one."""
    wanted = json.dumps([dataclasses.asdict(model) for model in app.models], sort_keys=True)
    return f"models:{hashlib.sha256(wanted.encode()).hexdigest()}"
