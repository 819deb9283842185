"""A bucket on disk with a clock to turn, and its signed URLs taken apart."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from comfy_runner.bucket import LocalBucket

SECRET = b"s" * 32
KEY = "outputs/job/9/0000-a.png"


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Place:
    """A bucket with a clock to turn, and a way to store bytes in it."""

    root: Path
    clock: Clock = field(default_factory=Clock)

    @property
    def bucket(self) -> LocalBucket:
        return LocalBucket(self.root / "files", SECRET, self.clock)

    def put(self, key: str, content: bytes, filename: str = "a.png") -> None:
        source = self.root / f"source-{hashlib.sha256(content).hexdigest()}"
        source.write_bytes(content)
        self.bucket.put(key, source, content_type="image/png", filename=filename)

    def everything(self) -> set[str]:
        files = self.root / "files"
        return {str(path.relative_to(files)) for path in files.rglob("*") if path.is_file()}


def parts(url: str) -> tuple[str, str, str]:
    split = urlsplit(url)
    query = parse_qs(split.query)
    return split.path.removeprefix("/files/"), query["expires"][0], query["signature"][0]
