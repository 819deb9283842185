"""The stand-in's life: started, reached by clients, deployed to, and stopped with all it began."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import modal
from modal_proto import api_pb2 as pb

from tests.local_modal.control_plane import ControlPlane
from tests.local_modal.options import Options

T = TypeVar("T")
TOKEN = ("ak-local", "as-local")
DEPLOY_SECONDS = 120
STOP_SECONDS = 60.0


class DeployFailed(Exception):
    """`modal deploy` has ended with an error, which this repeats."""


class Running(Options):
    """A control plane on an event loop in a thread of its own, from `with` to the block's end."""

    def __enter__(self) -> Self:
        self.directory = self.workdir or Path(tempfile.mkdtemp(prefix="local-modal-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="local-modal")
        self._thread.start()
        try:
            self._do(self._start(), STOP_SECONDS)
        except BaseException:
            self._end()
            raise
        return self

    async def _start(self) -> None:
        self.plane = ControlPlane(self, self.directory)
        await self.plane.start()

    def __exit__(self, *_: object) -> None:
        try:
            self._do(self.plane.stop(), STOP_SECONDS)
        finally:
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if not self.keep_workdir:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _do(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    # Talking to it.

    def env(self) -> dict[str, str]:
        """Return the environment that leads a Modal client or the command line here."""
        return {
            "MODAL_SERVER_URL": self.plane.state.grpc_url,
            "MODAL_TOKEN_ID": TOKEN[0],
            "MODAL_TOKEN_SECRET": TOKEN[1],
            "MODAL_ENVIRONMENT": "main",
            "MODAL_CONFIG_PATH": "/nonexistent/modal.toml",
        }

    @contextlib.contextmanager
    def as_env_client(self) -> Iterator[modal.Client]:
        """Make `modal` in this process talk to the stand-in."""
        client = self.client()
        modal.Client._set_env_client(client)
        try:
            yield client
        finally:
            modal.Client._set_env_client(None)
            client.__exit__(None, None, None)  # type: ignore[no-untyped-call] # so in its stubs

    def client(self) -> modal.Client:
        """Return a client of the stand-in, open until its `__exit__`: for `client=...`."""
        url, kind = self.plane.state.grpc_url, int(pb.CLIENT_TYPE_CLIENT)
        client = modal.Client(url, kind, TOKEN)
        client.__enter__()  # type: ignore[no-untyped-call] # so in its stubs
        return client

    def deploy(
        self,
        ref: str,
        *,
        cwd: str | os.PathLike[str] | None = None,
        module: bool = False,
        name: str | None = None,
        env: Mapping[str, str] | None = None,
        extra_args: Sequence[str] = (),
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run the real `modal deploy REF`: a file, or with `module` a module.

        Raises:
            DeployFailed: it has failed, and `check` is set.
        """
        command = [sys.executable, "-m", "modal", "deploy", *(["-m"] if module else []), ref]
        done = subprocess.run(
            [*command, *extra_args, *(["--name", name] if name else [])],
            cwd=cwd,
            env={**os.environ, **self.env(), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEPLOY_SECONDS,
            check=False,
        )
        if check and done.returncode:
            raise DeployFailed(f"code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done
