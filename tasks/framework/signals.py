"""What happens to runs, as blinker signals: in this process, at most once, harmless if they fail.

A handler receives the record as sender: a `Job` for ``queued``, a `Run` with ``run_id=`` for
``started``, ``progressed`` and ``retrying``, a `Final` for the rest. Each is sent once, by
whoever caused it; a process that dies in between sends none. What must happen belongs in a
``link``.
"""

from __future__ import annotations

import logging

from blinker import Signal

from tasks.framework.states import State

log = logging.getLogger(__name__)

queued = Signal("A run was accepted.")
started = Signal("An attempt began.")
progressed = Signal("A body reported progress.")
retrying = Signal("An attempt raised, and another will be made.")
succeeded = Signal("A run ended well.")
failed = Signal("A run failed.")
revoked = Signal("A run was revoked.")
expired = Signal("A run was not started in time.")

ENDINGS = {
    State.SUCCEEDED: succeeded,
    State.FAILED: failed,
    State.REVOKED: revoked,
    State.EXPIRED: expired,
}


def send(signal: Signal, sender: object, **values: object) -> None:
    """Tell every handler; one that raises is logged, and the others still hear of it."""
    for receiver in list(signal.receivers_for(sender)):
        try:
            receiver(sender, **values)
        except Exception:  # a handler is a stranger's code and may harm nothing
            log.exception("signal handler %r failed", receiver)
