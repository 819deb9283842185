"""A workflow that is run for nothing but to have its models loaded when the first job comes."""

from __future__ import annotations

from pathlib import Path

from comfy_runner.bucket.port import NoSuchFile
from comfy_runner.media import Policy
from comfy_runner.outputs import Output
from comfy_runner.progress import Snapshot
from comfy_runner.runner import Runner
from comfy_runner.server import ComfyServer
from comfy_runner.work import Work

NAME = "warm-up"


def warm_up(server: ComfyServer, work: Work, media: Policy) -> None:
    """Run the workflow on a ComfyUI that answers, and keep nothing of it.

    Raises:
        ComfyError: what went wrong, as `Runner.run` says.
    """
    Runner(server, _Nowhere(), media).run(work, job_id=NAME, listener=_Nobody())


class _Nowhere:
    """A bucket that keeps nothing."""

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        pass

    def fetch(self, key: str, path: Path) -> None:
        raise NoSuchFile(f"{key} for {path.name}: a warm-up has no files")

    def stored_at(self, key: str) -> float | None:
        del key
        return None

    def url(self, key: str, *, ttl_seconds: int) -> str:
        raise NoSuchFile(f"{key} for {ttl_seconds} s: a warm-up has no files")

    def delete(self, prefix: str) -> None:
        pass

    def purge(self, prefix: str, *, before: float) -> int:
        del prefix, before
        return 0


class _Nobody:
    """Hears, and does nothing."""

    def progress(self, snapshot: Snapshot) -> None:
        pass

    def outputs(self, outputs: tuple[Output, ...]) -> None:
        pass

    def log(self, line: str) -> None:
        pass
