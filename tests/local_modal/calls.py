"""FunctionCalls: begun, asked for their results, cancelled, expired."""

from __future__ import annotations

import asyncio
import contextlib

from grpclib import GRPCError, Status
from modal._serialization import serialize
from modal_proto import api_pb2 as pb

from tests.local_modal.pool import Pool
from tests.local_modal.records import Call, Function, Input
from tests.local_modal.results import CANCELLED
from tests.local_modal.rpc import rpc
from tests.local_modal.state import State

ASYNC = pb.FUNCTION_CALL_INVOCATION_TYPE_ASYNC
SYNC = pb.FUNCTION_CALL_INVOCATION_TYPE_SYNC


class Calls:
    """The calls, whose inputs the containers of a pool take."""

    def __init__(self, state: State, pool: Pool) -> None:
        self._state = state
        self._pool = pool

    def begin(self, call: Call) -> Call:
        """Take up a new call, which has no inputs yet."""
        if call.function_id not in self._state.functions:
            raise GRPCError(Status.NOT_FOUND, f"function {call.function_id} not found")
        self._state.calls[call.id] = call
        return call

    def add(self, call: Call, message: pb.FunctionInput, index: int = 0) -> Input:
        """Queue one more input of a call."""
        each = Input(self._state.new_id("in"), index, call, message)
        call.inputs.append(each)
        self._state.inputs[each.id] = each
        function = self._state.functions[call.function_id]
        function.queue.append(each)
        self._pool.scale(function)
        self._state.notify()
        return each

    def fire(self, function: Function) -> Input:
        """Run a scheduled function, as its time has come."""
        call = self.begin(
            Call(self._state.new_id("fc"), function.id, "schedule", invocation_type=ASYNC)
        )
        nothing = serialize(((), {}))
        return self.add(call, pb.FunctionInput(args=nothing, data_format=pb.DATA_FORMAT_PICKLE))

    async def fire_for_ever(self, seconds: float) -> None:
        """Fire every scheduled function of every deployed app, again and again, overlapping."""
        while True:
            await asyncio.sleep(seconds)
            for function in self._scheduled():
                self.fire(function)

    def _scheduled(self) -> list[Function]:
        apps = [each for each in self._state.apps.values() if each.published]
        live = [each for each in apps if not each.done.is_set()]
        functions = [self._state.functions[i] for app in live for i in app.functions.values()]
        return [each for each in functions if each.proto.HasField("schedule")]

    @rpc("FunctionMap")
    async def map(self, request: pb.FunctionMapRequest) -> pb.FunctionMapResponse:
        self._refuse_too_many(request)
        kind = request.function_call_type
        call = self.begin(
            Call(
                self._state.new_id("fc"),
                request.function_id,
                "map" if kind == pb.FUNCTION_CALL_TYPE_MAP else "unary",
                request.parent_input_id,
                request.function_call_invocation_type,
            )
        )
        return pb.FunctionMapResponse(
            function_call_id=call.id,
            pipelined_inputs=[self._put(call, each) for each in request.pipelined_inputs],
            retry_policy=self._state.functions[call.function_id].proto.retry_policy,
            function_call_jwt=call.id,
            sync_client_retries_enabled=False,
            max_inputs_outstanding=1000,
        )

    def _refuse_too_many(self, request: pb.FunctionMapRequest) -> None:
        function = self._state.functions.get(request.function_id)
        limit = self._state.options.pending_input_limit
        if function is None or limit is None:
            return
        if len(function.queue) + len(request.pipelined_inputs) > limit:
            raise GRPCError(Status.RESOURCE_EXHAUSTED, "Function backlog limit exceeded")

    @rpc("FunctionPutInputs")
    async def put_inputs(
        self, request: pb.FunctionPutInputsRequest
    ) -> pb.FunctionPutInputsResponse:
        call = self._of(request.function_call_id)
        return pb.FunctionPutInputsResponse(inputs=[self._put(call, i) for i in request.inputs])

    def _put(self, call: Call, item: pb.FunctionPutInputsItem) -> pb.FunctionPutInputsResponseItem:
        each = self.add(call, item.input, item.idx)
        return pb.FunctionPutInputsResponseItem(idx=item.idx, input_id=each.id, input_jwt=each.id)

    @rpc("FunctionFinishInputs")
    async def finish_inputs(self, request: pb.FunctionFinishInputsRequest) -> None:
        self._of(request.function_call_id)

    @rpc("FunctionGetOutputs")
    async def get_outputs(
        self, request: pb.FunctionGetOutputsRequest
    ) -> pb.FunctionGetOutputsResponse:
        call = self._of(request.function_call_id)
        if call.expired:
            return pb.FunctionGetOutputsResponse(outputs=[], num_unfinished_inputs=0)
        last = int(request.last_entry_id.split("-")[0] or 0) if request.last_entry_id else 0

        def ready() -> list[Input]:
            done = [each for each in call.inputs if each.status == "done"]
            if request.HasField("start_idx"):
                return [i for i in done if request.start_idx <= i.index <= request.end_idx]
            return [each for each in done if each.entry > last]

        found = await self._state.wait_for(ready, request.timeout)
        return pb.FunctionGetOutputsResponse(
            idxs=[each.index for each in found],
            outputs=[each.output for each in found if each.output],
            last_entry_id=f"{max([each.entry for each in found], default=last)}-0",
            num_unfinished_inputs=sum(each.status != "done" for each in call.inputs),
        )

    @rpc("FunctionCallFromId")
    async def from_id(
        self, request: pb.FunctionCallFromIdRequest
    ) -> pb.FunctionCallFromIdResponse:
        call = self._of(request.function_call_id)
        app_id = self._state.functions[call.function_id].app_id
        return pb.FunctionCallFromIdResponse(
            function_call_id=call.id,
            num_inputs=len(call.inputs),
            metadata=pb.FunctionCallHandleMetadata(app_id=app_id, function_id=call.function_id),
        )

    @rpc("FunctionCallCancel")
    async def cancel_by_id(self, request: pb.FunctionCallCancelRequest) -> None:
        call = self._of(request.function_call_id)
        self.cancel(call, terminate=request.terminate_containers)

    def cancel(self, call: Call, *, terminate: bool = False) -> None:
        """End the inputs that wait, and interrupt (or kill the containers of) those that run."""
        call.cancelled = True
        for each in call.inputs:
            if each.status == "pending":
                with contextlib.suppress(ValueError):  # it may wait for its retry
                    self._state.functions[call.function_id].queue.remove(each)
                self._pool.results.finish(each, CANCELLED)
            elif each.status == "running" and each.task and not terminate:
                each.task.cancels.append(each.id)
            elif each.status == "running" and each.task:
                each.task.running.pop(each.id, None)
                self._pool.results.finish(each, CANCELLED)
                self._pool.kill(each.task)
        self._state.notify()

    @rpc("FunctionGetCallGraph")
    async def call_graph(
        self, request: pb.FunctionGetCallGraphRequest
    ) -> pb.FunctionGetCallGraphResponse:
        answer = pb.FunctionGetCallGraphResponse()
        left = [self._of(request.function_call_id)]
        while left:
            call = left.pop(0)
            self._describe(call, answer)
            ids = {each.id for each in call.inputs}
            left += [each for each in self._state.calls.values() if each.parent_input_id in ids]
        return answer

    def _describe(self, call: Call, answer: pb.FunctionGetCallGraphResponse) -> None:
        proto = self._state.functions[call.function_id].proto
        answer.function_calls.add(
            function_call_id=call.id,
            parent_input_id=call.parent_input_id,
            function_name=proto.function_name,
            module_name=proto.module_name,
        )
        for each in call.inputs:
            answer.inputs.add(
                input_id=each.id,
                function_call_id=call.id,
                task_id=each.task.id if each.task else "",
                status=each.output.result.status if each.output else 0,
            )

    def _of(self, call_id: str) -> Call:
        if call_id not in self._state.calls:
            raise GRPCError(Status.NOT_FOUND, f"No function call with ID '{call_id}' found")
        return self._state.calls[call_id]
