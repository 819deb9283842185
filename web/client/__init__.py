"""A typed client of the job API, for our command line and for other Python programs."""

from __future__ import annotations

from web.client.connection import Patience, is_loopback
from web.client.errors import (
    ApiError,
    ApiUnreachable,
    ClientError,
    DownloadFailed,
    TookTooLong,
    UnexpectedAnswer,
)
from web.client.events import (
    Ended,
    Event,
    LogLine,
    OutputStored,
    Progressed,
    Snapshot,
    StatusChanged,
)
from web.client.jobs import JobsClient
from web.client.submitting import Choices

__all__ = [
    "ApiError",
    "ApiUnreachable",
    "Choices",
    "ClientError",
    "DownloadFailed",
    "Ended",
    "Event",
    "JobsClient",
    "LogLine",
    "OutputStored",
    "Patience",
    "Progressed",
    "Snapshot",
    "StatusChanged",
    "TookTooLong",
    "UnexpectedAnswer",
    "is_loopback",
]
