"""All that the control plane knows, on the one event loop where everything of it happens."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from modal_proto import api_pb2 as pb

from tests.local_modal.options import Options
from tests.local_modal.records import App, Call, Container, Function, Image, Input, Volume

T = TypeVar("T")


class State:
    """The tables, and the waiting for a change in them."""

    def __init__(self, options: Options, directory: Path) -> None:
        self.options = options
        self.directory = directory
        self.grpc_url = ""
        self.blob_url = ""

        self.apps: dict[str, App] = {}
        self.deployed: dict[str, str] = {}  # name: app id
        self.functions: dict[str, Function] = {}
        self.calls: dict[str, Call] = {}
        self.inputs: dict[str, Input] = {}
        self.tasks: dict[str, Container] = {}  # that live
        self.all_tasks: list[Container] = []

        self.blobs: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}  # by SHA-256
        self.mounts: dict[str, list[pb.MountFile]] = {}
        self.images: dict[str, Image] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.secret_names: dict[str, str] = {}
        self.volumes: dict[str, Volume] = {}
        self.volume_names: dict[str, str] = {}
        self.volume_commits: dict[str, int] = defaultdict(int)
        self.volume_reloads: dict[str, int] = defaultdict(int)
        self.links: list[Path] = []  # mount paths made on this machine
        self.closing = False

        self._numbers: dict[str, int] = defaultdict(int)
        self._changed = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()

    @property
    def ports(self) -> set[int]:
        """The control plane's own ports."""
        return {int(url.rpartition(":")[2]) for url in (self.grpc_url, self.blob_url) if url}

    def number(self, what: str) -> int:
        """Count one more of these."""
        self._numbers[what] += 1
        return self._numbers[what]

    def new_id(self, prefix: str) -> str:
        """Return an id of Modal's form, such as "fc-7"."""
        return f"{prefix}-{self.number(prefix)}"

    def in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin the work; `stop_background` ends it."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    def stop_background(self) -> None:
        """Cancel all that was begun in the background."""
        for task in list(self._background):
            task.cancel()

    def notify(self) -> None:
        """Wake all who wait: something has changed."""
        before, self._changed = self._changed, asyncio.Event()
        before.set()

    async def wait_for(self, look: Callable[[], T], seconds: float) -> T:
        """Return what `look` finds as soon as it is truthy, or what it finds at the end."""
        until = time.monotonic() + seconds
        while True:
            changed = self._changed
            found = look()
            left = until - time.monotonic()
            if found or left <= 0:
                return found
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), left)

    def functions_of(self, app_id: str) -> list[Function]:
        """Return the functions and classes of an app, with their variants."""
        return [each for each in self.functions.values() if each.app_id == app_id]
