"""Reading model files before they are wanted, so that the first job finds them in memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

CHUNK_BYTES = 16 * 2**20
STOP_SECONDS = 10.0
"""How long one chunk of a slow disk is waited for; the thread ends with its process anyway."""

logger = logging.getLogger(__name__)


class ReadAhead:
    """Reads files from a slow disk, one after another in a thread, and keeps nothing of them.

    What was read stays in the memory that the kernel keeps files in, as far as that reaches, so
    that reading it again costs little. A file that cannot be read is told and left to the job
    that wants it, which then says so.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._read_all, name="read-ahead", daemon=True)
        self.bytes = 0

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more. May be called twice, and before `start`."""
        self._enough.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most so long; say whether it has come."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _read_all(self) -> None:
        for file in self._files:
            try:
                self._read(file)
            except OSError as error:
                logger.warning("%s cannot be read ahead: %s", file.name, error.strerror or error)

    def _read(self, file: Path) -> None:
        with file.open("rb", buffering=0) as opened:
            while not self._enough.is_set() and (chunk := opened.read(CHUNK_BYTES)):
                self.bytes += len(chunk)
