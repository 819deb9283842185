"""A worker whose ComfyUI is reached through a proxy, and whose bucket waits for a word."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from comfy_runner.bucket import Bucket
from comfy_runner.installation import Installation
from comfy_runner.media import Policy
from comfy_runner.progress import Snapshot
from comfy_runner.runner import Runner
from comfy_runner.server import ComfyServer
from comfy_runner.watchdog import Patience
from comfy_runner.worker import ComfyWorker
from tests.comfy_runner.proxy import Proxy
from tests.comfy_runner.runs import POLICY, CancelledByTest, Heard

SHORT = Patience(unanswered=2.0, idle=6.0, settle=1.5)
START_SECONDS = 40.0
"""How long a ComfyUI may take to start; it takes four when the machine is quiet."""

HOLD_SECONDS = 30.0


class ReachedThrough(ComfyServer):
    """A ComfyUI that answers at the proxy's port; its next start may be given up on early."""

    proxy: Proxy
    next_start_seconds: float | None = None

    @property
    def url(self) -> str:
        return self.proxy.url

    def wait_ready(self) -> None:
        self._start_timeout = self.next_start_seconds or START_SECONDS
        self.next_start_seconds = None
        super().wait_ready()


class DisturbedWorker(ComfyWorker):
    """A `ComfyWorker` behind a proxy, with little patience."""

    def __init__(
        self,
        installation: Installation,
        directory: Path,
        bucket: Bucket,
        *,
        arguments: Sequence[str],
        media: Policy = POLICY,
    ) -> None:
        super().__init__(installation, directory, bucket, media)
        server = ReachedThrough(installation, directory, arguments=arguments)
        self.proxy = server.proxy = Proxy(lambda: server.port)
        self.server = self._reached = server
        self._runner = Runner(server, bucket, media, patience=SHORT)

    def give_up_start_after(self, seconds: float) -> None:
        """Wait no longer for a ComfyUI that is starting; the one after it has its usual time."""
        self._reached.next_start_seconds = seconds

    def close(self) -> None:
        super().close()
        self.proxy.close()


class HeldBucket:
    """Passes everything on to `inner`, which may be exchanged; while held, a put waits."""

    def __init__(self, inner: Bucket) -> None:
        self.inner = inner
        self.begun = threading.Event()
        self._gate = threading.Event()
        self._gate.set()

    def hold(self) -> Callable[[], None]:
        """Let every put wait from now on, after it has begun; return what ends this."""
        self.begun.clear()
        gate = self._gate = threading.Event()
        return gate.set

    def release(self) -> None:
        """Let all puts go on."""
        self._gate.set()

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        self.begun.set()
        assert self._gate.wait(HOLD_SECONDS)
        self.inner.put(key, path, content_type=content_type, filename=filename)

    def fetch(self, key: str, path: Path) -> None:
        self.inner.fetch(key, path)

    def stored_at(self, key: str) -> float | None:
        return self.inner.stored_at(key)

    def url(self, key: str, *, ttl_seconds: int) -> str:
        return self.inner.url(key, ttl_seconds=ttl_seconds)

    def delete(self, prefix: str) -> None:
        self.inner.delete(prefix)

    def purge(self, prefix: str, *, before: float) -> int:
        return self.inner.purge(prefix, before=before)


class Watching(Heard):
    """Hears a job, and acts once: at a step or the start of the node `at`, or at the "end"."""

    def __init__(self, at: str, act: Callable[[], None], *, step: bool = True) -> None:
        super().__init__()
        self._at = at
        self._step = step
        self._act: Callable[[], None] | None = act

    def progress(self, snapshot: Snapshot) -> None:
        super().progress(snapshot)
        begun = snapshot.current_node == self._at and (snapshot.current_step or not self._step)
        ended = self._at == "end" and snapshot.progress == 100
        if self._act is not None and (begun or ended):
            act, self._act = self._act, None
            act()


@contextmanager
def cancelling() -> Iterator[Callable[[], None]]:
    """Give a way to cancel from any thread: a signal that raises in the main one."""

    def strike(_signal: int, _frame: Any) -> None:
        raise CancelledByTest

    before = signal.signal(signal.SIGUSR1, strike)
    try:
        yield lambda: os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def later(seconds: float, act: Callable[[], None]) -> None:
    """Act after a while, in another thread."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
