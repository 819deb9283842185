"""Outputs on their way into the bucket, several at a time, while the prompt still runs."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from comfy_runner.bucket import Bucket
from comfy_runner.errors import StorageFailed
from comfy_runner.outputs import FileReference, Output, Reference, inspect, key_for

PARALLEL = 4
"""Files under way at a time; the bucket may cut each into parts of its own."""

DIGEST_CHARACTERS = 16
NAMED_FILES = 10
"""How many files an error names; a batch of a thousand would drown it."""


@dataclass(eq=False)
class _Upload:
    """One file: stored once `output` is set, lost once `error` is."""

    reference: FileReference
    index: int
    output: Output | None = None
    error: Exception | None = None


class Uploads:
    """Stores the outputs of one prompt as files of `job_id`; `places` are ComfyUI's folders.

    The threads are daemons and end with the last file: a cancel does not wait for a network.
    What was under way then still arrives whole, or not at all.
    """

    def __init__(self, bucket: Bucket, job_id: str, places: Mapping[str, Path]) -> None:
        self._bucket = bucket
        self._job_id = job_id
        self.places = places
        self._texts: dict[object, Output] = {}
        self._files: dict[object, _Upload] = {}
        self._indices: Counter[str] = Counter()
        self._waiting: deque[_Upload] = deque()
        self._changed = threading.Condition()
        self._threads = 0
        self._pending = 0

    def add(self, identity: object, reference: Reference) -> None:
        """Store an output soon, unless one of this identity was added before."""
        if not isinstance(reference, FileReference):
            self._texts.setdefault(identity, reference.to_output())
            return
        if identity in self._files:
            return
        index = self._indices[reference.node_id]
        self._indices[reference.node_id] += 1
        upload = self._files[identity] = _Upload(reference, index)
        with self._changed:
            self._pending += 1
            self._waiting.append(upload)
            if self._threads < min(PARALLEL, self._pending):
                self._threads += 1
                threading.Thread(target=self._work, name="upload", daemon=True).start()

    @property
    def stored(self) -> tuple[Output, ...]:
        """What is in the bucket by now, and every text."""
        with self._changed:
            files = [each.output for each in self._files.values() if each.output]
        return (*self._texts.values(), *files)

    @property
    def pending(self) -> int:
        """How many files are on their way or wait."""
        with self._changed:
            return self._pending

    def check(self) -> None:
        """Raise as soon as one output is lost, while others may still be on their way.

        Raises:
            StorageFailed: an output cannot be stored.
        """
        with self._changed:
            failed = any(each.error for each in self._files.values())
        if failed:
            raise self._failure()

    def wait(self, seconds: float) -> bool:
        """Wait until none is on its way, at most so long; return whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._pending == 0, seconds)

    def abandon(self) -> None:
        """Begin no further upload."""
        with self._changed:
            self._pending -= len(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while upload := self._next():
            output, error = self._store(upload)
            with self._changed:
                upload.output, upload.error = output, error
                self._pending -= 1
                self._changed.notify_all()

    def _next(self) -> _Upload | None:
        with self._changed:
            if self._waiting:
                return self._waiting.popleft()
            self._threads -= 1
            return None

    def _store(self, upload: _Upload) -> tuple[Output | None, Exception | None]:
        reference = upload.reference
        try:
            path, output = inspect(reference, self.places, key="")
            digest = _digest_of(path)
            output = replace(output, key=self._key(upload, digest), sha256=digest)
            content_type, filename = output.content_type, output.filename
            self._bucket.put(output.key, path, content_type=content_type, filename=filename)
        except Exception as error:  # noqa: BLE001 - whatever it is, the main thread has to know
            return None, error
        return output, None

    def _key(self, upload: _Upload, digest: str) -> str:
        """Return the same key for the same content only.

        A worker that was wrongly taken for dead may finish its upload after the job ran again
        elsewhere: it must not replace what the job's record describes.
        """
        reference = upload.reference
        name = f"{digest[:DIGEST_CHARACTERS]}-{reference.filename}"
        return key_for(self._job_id, reference.node_id, upload.index, name)

    def _failure(self) -> StorageFailed:
        with self._changed:
            files = list(self._files.values())
            lost = [each for each in files if each.error]
            safe = [each.reference.filename for each in files if each.output]
        first = lost[0].error
        reason = first.message if isinstance(first, StorageFailed) else "unexpected failure"
        names = _listed([each.reference.filename for each in lost])
        told = f"{len(lost)} of {len(files)} output files could not be stored ({names}): {reason}"
        kept = f"stored: {_listed(safe)}" if safe else "none was stored"
        failure = StorageFailed(f"{told}; {kept}", node_id=lost[0].reference.node_id)
        failure.__cause__ = first
        return failure


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED_FILES
    return ", ".join(names[:NAMED_FILES]) + (f" and {more} more" if more > 0 else "")
