"""What the service and its workers log, and how: lines for people, or JSON for programs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from settings import Settings
from tasks.framework import current
from web.tracing import request_id

OURS = ("comfy_runner", "commands", "tasks", "web")
"""The loggers that LOG_LEVEL is for.

Libraries log warnings at most: what they say while they work may have signatures and keys in it.
"""


@contextmanager
def configured(chosen: Settings, stream: TextIO | None = None) -> Iterator[None]:
    """Log to ``stream``, the standard error if absent, as the settings say, during the block."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if chosen.log_format == "json" else TextLines())
    handler.addFilter(_identify)
    root = logging.getLogger()
    loggers = [logging.getLogger(name) for name in OURS]
    before = [(logger, logger.level) for logger in loggers]
    root.addHandler(handler)
    for logger in loggers:
        logger.setLevel(chosen.log_level.upper())
    try:
        yield
    finally:
        root.removeHandler(handler)
        for logger, level in before:
            logger.setLevel(level)


def start(chosen: Settings) -> None:
    """Log as the settings say for as long as this process lives; the first call decides."""
    if not _STARTED:
        _STARTED.append(configured(chosen))
        _STARTED[0].__enter__()


_STARTED: list[AbstractContextManager[None]] = []


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; what is unknown is left out."""
        told: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
            **_ids(record),
            **_fields(record),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        known = {name: value for name, value in told.items() if value is not None}
        return json.dumps(known, default=str)


class TextLines(logging.Formatter):
    """One line each, and a traceback below it; nothing in it can pass for another line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or lines."""
        ids = "".join(f" {name}={value}" for name, value in _ids(record).items())
        message = "".join(map(_visible, record.getMessage()))
        line = f"{_time(record)} {record.levelname.lower():<8} {record.name}: {message}{ids}"
        if not record.exc_info:
            return line
        # indented, so that a message with line breaks cannot pass for a line of the log
        below = self.formatException(record.exc_info).splitlines()
        return "\n".join([line, *(f"  {''.join(map(_visible, each))}" for each in below)])


def _identify(record: logging.LogRecord) -> bool:
    """Note which request or job is at hand in this thread, unless the line says so itself."""
    if not hasattr(record, "job_id"):
        record.job_id = current.id
    record.request_id = request_id()
    return True


def _ids(record: logging.LogRecord) -> dict[str, str]:
    found = {name: getattr(record, name, None) for name in ("request_id", "job_id")}
    return {name: value for name, value in found.items() if value}


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = getattr(record, "fields", {})
    return found


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _visible(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]
