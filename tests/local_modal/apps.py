"""Apps: created, published, stopped, and what their containers print."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable

from modal_proto import api_pb2 as pb

from tests.local_modal.handles import layout_of
from tests.local_modal.records import App, Container, Function
from tests.local_modal.rpc import not_found, rpc
from tests.local_modal.state import State

LOG_POLL_SECONDS = 0.2


class Apps:
    """The apps by id; `start(function)` begins one container of a function."""

    def __init__(self, state: State, start: Callable[[Function], object]) -> None:
        self._state = state
        self._start = start

    @rpc("AppCreate")
    async def create(self, request: pb.AppCreateRequest) -> pb.AppCreateResponse:
        app = self._new(request.description)
        return pb.AppCreateResponse(app_id=app.id, app_page_url=f"http://local/apps/{app.id}")

    @rpc("AppGetOrCreate")
    async def get_or_create(self, request: pb.AppGetOrCreateRequest) -> pb.AppGetOrCreateResponse:
        name, deployed = request.app_name, self._state.deployed
        if name not in deployed:
            if request.object_creation_type != pb.OBJECT_CREATION_TYPE_CREATE_IF_MISSING:
                raise not_found(f"App '{name}'")
            deployed[name] = self._new(name).id
        return pb.AppGetOrCreateResponse(app_id=deployed[name])

    def _new(self, name: str) -> App:
        app = App(self._state.new_id("ap"), name)
        self._state.apps[app.id] = app
        return app

    @rpc("AppGetByDeploymentName")
    async def get_by_name(
        self, request: pb.AppGetByDeploymentNameRequest
    ) -> pb.AppGetByDeploymentNameResponse:
        app_id = self._state.deployed.get(request.name, "")
        return pb.AppGetByDeploymentNameResponse(app_id=app_id)

    @rpc("AppGetLayout")
    async def layout(self, request: pb.AppGetLayoutRequest) -> pb.AppGetLayoutResponse:
        app = self._state.apps[request.app_id]
        return pb.AppGetLayoutResponse(app_layout=layout_of(self._state, app))

    @rpc("AppPublish")
    async def publish(self, request: pb.AppPublishRequest) -> pb.AppPublishResponse:
        app = self._state.apps[request.app_id]
        app.functions, app.classes = dict(request.function_ids), dict(request.class_ids)
        app.tags, app.published = dict(request.tags), app.published + 1
        if request.name:
            self._state.deployed[request.name] = app.id
            app.name = request.name
        if app.published > 1:  # containers of the version before finish what they do, and end
            self._stop_containers(app.id)
        for function_id in (
            app.functions.values() if self._state.options.start_min_containers else ()
        ):
            function = self._state.functions[function_id]
            for _ in range(function.proto.autoscaler_settings.min_containers):
                self._start(function)
        self._state.notify()
        return pb.AppPublishResponse(url=f"http://local/apps/{app.id}", deployed_at=time.time())

    @rpc("AppHeartbeat")
    async def heartbeat(self, request: pb.AppHeartbeatRequest) -> None:
        self._state.apps[request.app_id]

    @rpc("AppClientDisconnect")
    async def client_disconnect(self, request: pb.AppClientDisconnectRequest) -> None:
        self._end(request.app_id)

    @rpc("AppStop")
    async def stop(self, request: pb.AppStopRequest) -> None:
        deployed = self._state.deployed
        for name in [each for each, app_id in deployed.items() if app_id == request.app_id]:
            del deployed[name]
        self._end(request.app_id)

    def _end(self, app_id: str) -> None:
        self._state.apps[app_id].done.set()
        self._stop_containers(app_id)
        self._state.notify()

    def _stop_containers(self, app_id: str) -> None:
        for function in self._state.functions_of(app_id):
            for task in function.tasks.values():
                task.stopping = True

    @rpc("AppGetLogs")
    async def logs(self, request: pb.AppGetLogsRequest) -> AsyncIterator[pb.TaskLogsBatch]:
        """Yield what containers print, as `modal run` and `modal app logs -f` show it."""
        seen: dict[str, int] = json.loads(request.last_entry_id or "{}")
        app, until = self._state.apps[request.app_id], time.monotonic() + (request.timeout or 55)
        while True:
            ended = app.done.is_set()
            tasks = [task for task in self._state.all_tasks if task.fn.app_id == app.id]
            for task in tasks:
                batch = news_of(task, seen) if request.task_id in {"", task.id} else None
                if batch is not None:
                    yield batch
            if ended or time.monotonic() > until:
                yield pb.TaskLogsBatch(app_done=ended, entry_id=json.dumps(seen))
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(app.done.wait(), LOG_POLL_SECONDS)


def news_of(task: Container, seen: dict[str, int]) -> pb.TaskLogsBatch | None:
    """Return the whole lines that a container has printed since, and count them as seen."""
    file = task.dir / "container.log"
    text = file.read_bytes()[seen.get(task.id, 0) :] if file.exists() else b""
    text = text if task.exited else text[: text.rfind(b"\n") + 1]
    if not text:
        return None
    seen[task.id] = seen.get(task.id, 0) + len(text)
    line = pb.TaskLogs(
        data=text.decode(errors="replace"),
        timestamp=time.time(),
        file_descriptor=pb.FILE_DESCRIPTOR_STDOUT,
    )
    return pb.TaskLogsBatch(
        task_id=task.id, function_id=task.fn.id, entry_id=json.dumps(seen), items=[line]
    )
