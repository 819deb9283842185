"""Everything of the stand-in that runs on its event loop, put together, started and stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpclib.server
from aiohttp import web
from grpclib.protocol import H2Protocol
from modal_proto import api_grpc

from tests.local_modal.apps import Apps
from tests.local_modal.calls import Calls
from tests.local_modal.containers import Containers
from tests.local_modal.dicts import Dicts
from tests.local_modal.files import Files
from tests.local_modal.functions import Functions
from tests.local_modal.options import Options
from tests.local_modal.pool import Pool
from tests.local_modal.rpc import Switchboard
from tests.local_modal.secrets import Secrets
from tests.local_modal.session import Session
from tests.local_modal.state import State
from tests.local_modal.volumes import Volumes
from tests.local_modal.web_gateway import LARGEST_BODY, WebGateway

STOP_SECONDS = 10.0


class GrpcServer(grpclib.server.Server):
    """A server that can hang up on its clients, as asyncio's own can from Python 3.13 on."""

    def __init__(self, service: api_grpc.ModalClientBase) -> None:
        super().__init__([service])
        self._protocols: list[H2Protocol] = []

    def _protocol_factory(self) -> H2Protocol:
        made = super()._protocol_factory()
        self._protocols.append(made)
        return made

    def hang_up(self) -> None:
        """Close every connection; the loop has to go round once more."""
        for each in self._protocols:
            if hasattr(each, "connection"):  # not so before it is made
                each.connection.close()


class ControlPlane:
    """A gRPC server that speaks Modal's protocol, an HTTP server for blobs, and the containers."""

    def __init__(self, options: Options, directory: Path) -> None:
        self.state = State(options, directory)
        self.pool = Pool(self.state)
        self.calls = Calls(self.state, self.pool)
        self.dicts = Dicts(self.state)
        self.gateway = WebGateway(self.state, self.calls, self._serve)
        self._files = Files(self.state)
        self._volumes = Volumes(self.state)
        self.switchboard = Switchboard(
            options,
            [
                Session(self.state),
                Apps(self.state, self.pool.start),
                Functions(self.state, self.gateway.open),
                self.calls,
                Containers(self.state, self.pool),
                self._files,
                Secrets(self.state),
                self._volumes,
                self.dicts,
            ],
        )
        self._runners: list[web.AppRunner] = []
        self._grpc = GrpcServer(self.switchboard.service())

    async def start(self) -> None:
        """Listen on free ports of loopback."""
        await self._grpc.start("127.0.0.1", 0)
        server = self._grpc._server  # grpclib tells the port nowhere else
        assert isinstance(server, asyncio.Server)
        port = server.sockets[0].getsockname()[1]
        self.state.grpc_url = f"http://127.0.0.1:{port}"
        app = web.Application(client_max_size=LARGEST_BODY)
        app.add_routes([*self._files.routes(), *self._volumes.routes()])
        self.state.blob_url = await self._serve(app)
        if seconds := self.state.options.fire_crons_every:
            self.state.in_background(self.calls.fire_for_ever(seconds))

    async def _serve(self, app: web.Application) -> str:
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Kill every container with all it has started, then stop listening."""
        self.state.closing = True
        await self.state.wait_for(self._all_gone, STOP_SECONDS)
        self.state.stop_background()
        for runner in self._runners:
            await runner.cleanup()
        self._grpc.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for each in rest:
            each.cancel()
        if rest:
            await asyncio.wait(rest, timeout=STOP_SECONDS)
        self._grpc.hang_up()
        await asyncio.sleep(0)
        for link in self.state.links:
            link.unlink(missing_ok=True)

    def _all_gone(self) -> bool:
        for task in self.state.tasks.values():
            self.pool.kill(task)
        return not self.state.tasks
