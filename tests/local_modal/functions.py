"""Functions and classes: announced, defined, looked up, and bound to parameters and options."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from grpclib import GRPCError, Status
from modal_proto import api_pb2 as pb

from tests.local_modal.handles import data_of, handle_of
from tests.local_modal.records import App, Function
from tests.local_modal.rpc import not_found, rpc
from tests.local_modal.state import State

OpenGateway = Callable[[str, str], Awaitable[str]]


class Functions:
    """The definitions; `open_gateway(function id, method)` gives a web function its URL."""

    def __init__(self, state: State, open_gateway: OpenGateway) -> None:
        self._state = state
        self._open_gateway = open_gateway
        self._bound: dict[bytes, str] = {}

    @rpc("FunctionPrecreate")
    async def precreate(
        self, request: pb.FunctionPrecreateRequest
    ) -> pb.FunctionPrecreateResponse:
        name = request.function_name
        function = self._known(request.existing_function_id, request.app_id, name)
        function.precreated, function.created = request, False
        await self._give_urls(function, request)
        return pb.FunctionPrecreateResponse(
            function_id=function.id, handle_metadata=handle_of(function)
        )

    @rpc("FunctionCreate")
    async def create(self, request: pb.FunctionCreateRequest) -> pb.FunctionCreateResponse:
        ranked = [each.function for each in request.function_data.ranked_functions]
        proto = pb.Function()
        proto.CopyFrom(ranked[0] if ranked else request.function)
        if request.HasField("schedule") and not proto.HasField("schedule"):
            proto.schedule.CopyFrom(request.schedule)
        function = self._known(request.existing_function_id, request.app_id, proto.function_name)
        function.proto, function.ranked, function.created = proto, ranked, True
        await self._give_urls(function, proto)
        proto.web_url = function.web_url
        for name, url in function.method_urls.items():
            proto.method_definitions[name].web_url = url
        return pb.FunctionCreateResponse(
            function_id=function.id,
            function=proto,
            handle_metadata=handle_of(function),
            function_data=data_of(function),
        )

    def _known(self, function_id: str, app_id: str, name: str) -> Function:
        function_id = function_id or self._state.new_id("fu")
        function = self._state.functions.setdefault(
            function_id, Function(function_id, app_id, name)
        )
        function.app_id, function.name = app_id, name
        return function

    async def _give_urls(
        self, function: Function, told: pb.Function | pb.FunctionPrecreateRequest
    ) -> None:
        if told.webhook_config.type and not function.web_url:
            function.web_url = await self._open_gateway(function.id, "")
        for name, method in told.method_definitions.items():
            if method.webhook_config.type and name not in function.method_urls:
                function.method_urls[name] = await self._open_gateway(function.id, name)

    @rpc("ClassCreate")
    async def create_class(self, request: pb.ClassCreateRequest) -> pb.ClassCreateResponse:
        class_id = request.existing_class_id or self._state.new_id("cs")
        return pb.ClassCreateResponse(class_id=class_id, handle_metadata=pb.ClassHandleMetadata())

    @rpc("FunctionGet")
    async def get(self, request: pb.FunctionGetRequest) -> pb.FunctionGetResponse:
        app = self._app(request.app_name)
        function_id = app.functions.get(request.object_tag)
        if function_id is None:
            raise not_found(f"Function '{request.object_tag}' of App '{app.name}'")
        function = self._state.functions[function_id]
        return pb.FunctionGetResponse(
            function_id=function_id,
            handle_metadata=handle_of(function),
            function=data_of(function),
        )

    @rpc("FunctionGetById")
    async def get_by_id(self, request: pb.FunctionGetByIdRequest) -> pb.FunctionGetByIdResponse:
        function = self._state.functions[request.function_id]
        return pb.FunctionGetByIdResponse(
            handle_metadata=handle_of(function), function=data_of(function)
        )

    @rpc("ClassGet")
    async def get_class(self, request: pb.ClassGetRequest) -> pb.ClassGetResponse:
        app = self._app(request.app_name)
        class_id = app.classes.get(request.object_tag)
        if class_id is None:
            raise not_found(f"Class '{request.object_tag}' of App '{app.name}'")
        return pb.ClassGetResponse(class_id=class_id, handle_metadata=pb.ClassHandleMetadata())

    def _app(self, name: str) -> App:
        app_id = self._state.deployed.get(name)
        if app_id is None:
            raise not_found(f"App '{name}'")
        return self._state.apps[app_id]

    @rpc("FunctionBindParams")
    async def bind(self, request: pb.FunctionBindParamsRequest) -> pb.FunctionBindParamsResponse:
        key = request.SerializeToString(deterministic=True)
        if key not in self._bound:
            self._bound[key] = self._bind(request)
        function = self._state.functions[self._bound[key]]
        return pb.FunctionBindParamsResponse(
            bound_function_id=function.id, handle_metadata=handle_of(function)
        )

    def _bind(self, request: pb.FunctionBindParamsRequest) -> str:
        base = self._state.functions.get(request.function_id)
        if base is None:
            raise GRPCError(Status.NOT_FOUND, f"function {request.function_id} not found")
        function_id = self._state.new_id("fu")
        self._state.functions[function_id] = Function(
            function_id,
            base.app_id,
            base.name,
            proto=with_options(base.proto, request.function_options),
            created=True,
            base_id=base.id,
            serialized_params=request.serialized_params,
        )
        return function_id

    @rpc("FunctionUpdateSchedulingParams")
    async def update_autoscaler(
        self, request: pb.FunctionUpdateSchedulingParamsRequest
    ) -> pb.FunctionUpdateSchedulingParamsResponse:
        settings = self._state.functions[request.function_id].proto.autoscaler_settings
        settings.MergeFrom(request.settings)
        return pb.FunctionUpdateSchedulingParamsResponse(current_settings=settings)

    @rpc("FunctionGetCurrentStats")
    async def stats(self, request: pb.FunctionGetCurrentStatsRequest) -> pb.FunctionStats:
        function = self._state.functions[request.function_id]
        running = sum(len(task.running) for task in function.tasks.values())
        return pb.FunctionStats(
            backlog=len(function.queue),
            num_total_tasks=len(function.tasks),
            num_running_inputs=running,
        )

    @rpc("FunctionGetDynamicConcurrency")
    async def dynamic_concurrency(
        self, request: pb.FunctionGetDynamicConcurrencyRequest
    ) -> pb.FunctionGetDynamicConcurrencyResponse:
        return pb.FunctionGetDynamicConcurrencyResponse(concurrency=request.target_concurrency)


def with_options(base: pb.Function, options: pb.FunctionOptions) -> pb.Function:
    """Return the definition as `with_options` and `with_concurrency` change it."""
    proto = pb.Function()
    proto.CopyFrom(base)
    proto.resources.MergeFrom(options.resources)
    if options.HasField("timeout_secs"):
        proto.timeout_secs = options.timeout_secs
    if options.HasField("concurrency_limit"):
        proto.autoscaler_settings.max_containers = options.concurrency_limit
    if options.HasField("max_concurrent_inputs"):
        proto.max_concurrent_inputs = options.max_concurrent_inputs
    if options.HasField("retry_policy"):
        proto.retry_policy.CopyFrom(options.retry_policy)
    if options.replace_secret_ids:
        proto.secret_ids[:] = options.secret_ids
    if options.replace_volume_mounts:
        del proto.volume_mounts[:]
        proto.volume_mounts.extend(options.volume_mounts)
    return proto
