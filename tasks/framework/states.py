"""The states of a run, and which of them are final."""

from __future__ import annotations

import enum


class State(enum.StrEnum):
    """What is known of a run.

    ``scheduled > queued > started (> retrying > started)*`` and then one of the four final ones.
    The state is never stored: it follows from which records exist (see `reading.read`).
    """

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    STARTED = "started"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REVOKED = "revoked"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        """Whether no further transition is possible."""
        return self in FINAL_STATES


FINAL_STATES = frozenset({State.SUCCEEDED, State.FAILED, State.REVOKED, State.EXPIRED})
