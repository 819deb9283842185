"""Taking input files in with a submission: everything is checked before anything is stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from comfy_runner.addresses import BlockedAddress, vet
from comfy_runner.bucket import Bucket
from comfy_runner.errors import MediaRejected, Problem
from comfy_runner.media import base64_text
from comfy_runner.media.checks import check_file
from comfy_runner.media.item import FOLDER, Media, Policy

RENEW_SECONDS = 86_400.0
"""A file stored earlier than this is put again, long before a purge may take it."""


@dataclass(frozen=True)
class Sent:
    """A file as a client sends it: base64 `data`, a `url`, or the `key` of a file it may use."""

    name: str
    data: str | None = None
    url: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class _Decoded:
    """A file that was sent as text, as it lies on the disk until it is stored."""

    path: Path
    key: str
    content_type: str


class Intake:
    """The files of one submission, with room on the disk until the end of the block.

    The room is below `directory`, or where the system keeps temporary files.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        directory: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.policy = policy
        self._directory = directory
        self._clock = clock
        self._room = ExitStack()
        self._ready: list[tuple[Sent, _Decoded | None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._room.close()

    def check(self, sent: Sequence[Sent]) -> list[Problem]:
        """Return all that is wrong with the files, with pointers relative to their list."""
        if len(sent) > self.policy.max_files:
            limit = self.policy.max_files
            message = f"has {len(sent)} files; a job may have {limit} (MEDIA_MAX_FILES)"
            return [Problem("", message)]
        problems = []
        names: set[str] = set()
        for index, each in enumerate(sent):
            if each.name in names:
                problems.append(Problem(f"/{index}/name", "is the name of an earlier file too"))
            names.add(each.name)
            try:
                self._ready.append((each, self._look_at(each)))
            except (MediaRejected, BlockedAddress) as error:
                field = "data" if each.data is not None else "url"
                problems.append(Problem(f"/{index}/{field}", f"is not taken: {error}"))
        return problems

    def store(self, bucket: Bucket) -> tuple[Media, ...]:
        """Store what was checked and has to be; return the files as a job carries them.

        Raises:
            StorageFailed: The bucket did not take a file.
        """
        return tuple(self._store(sent, decoded, bucket) for sent, decoded in self._ready)

    def _look_at(self, sent: Sent) -> _Decoded | None:
        if sent.data is not None:
            return self._decode(sent.data)
        if sent.url is not None:
            vet(sent.url, self.policy.allow)
        return None

    def _decode(self, data: str) -> _Decoded:
        room = TemporaryDirectory(prefix="media-", dir=self._directory)
        path = Path(self._room.enter_context(room)) / "file"
        declared, start = base64_text.unwrap(data)
        most = self.policy.max_bytes
        content_hash = base64_text.write(data, start, path, max_bytes=most)
        kind = check_file(path, max_bytes=most, declared=declared)
        return _Decoded(path, f"{FOLDER}/{content_hash}", kind.content_type)

    def _store(self, sent: Sent, decoded: _Decoded | None, bucket: Bucket) -> Media:
        if decoded is None:
            return Media(sent.name, key=sent.key, url=sent.url)
        stored = bucket.stored_at(decoded.key)
        if stored is None or stored < self._clock() - RENEW_SECONDS:
            name = decoded.key.rpartition("/")[2]
            bucket.put(decoded.key, decoded.path, content_type=decoded.content_type, filename=name)
        return Media(sent.name, key=decoded.key)
