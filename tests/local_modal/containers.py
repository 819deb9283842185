"""What containers ask and tell: life signs, inputs, outputs, the moment of their snapshot."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from typing import Literal

from modal_proto import api_pb2 as pb

from tests.local_modal.pool import Pool
from tests.local_modal.records import Call, Container, Input
from tests.local_modal.results import failed
from tests.local_modal.rpc import caller, rpc
from tests.local_modal.snapshot import snapshot_and_restore
from tests.local_modal.state import State

STREAM_SECONDS = 55.0  # after which a client asks again
SCALEDOWN_SECONDS = 60  # Modal's default for scaledown_window
NO_MORE = pb.FunctionGetInputsResponse(inputs=[pb.FunctionGetInputsItem(kill_switch=True)])


class Containers:
    """The container's side of the control plane."""

    def __init__(self, state: State, pool: Pool) -> None:
        self._state = state
        self._pool = pool

    def _caller(self) -> Container | None:
        return self._state.tasks.get(caller.get())

    @rpc("ContainerHello")
    async def hello(self, _: object) -> None:
        pass

    @rpc("ContainerStop")
    async def stop(self, request: pb.ContainerStopRequest) -> pb.ContainerStopResponse:
        task = self._state.tasks.get(request.task_id)
        if task is not None:
            self._pool.kill(task, signal.SIGINT)
            self._state.notify()
        return pb.ContainerStopResponse()

    @rpc("ContainerHeartbeat")
    async def heartbeat(self, _: object) -> pb.ContainerHeartbeatResponse:
        """Answer at once when there is something to cancel, else before the client gives up."""
        task, answer = self._caller(), pb.ContainerHeartbeatResponse()
        if task is None:
            return answer
        seconds = max(0.1, self._state.options.heartbeat_interval - 0.05)
        await self._state.wait_for(lambda: task.cancels or task.exited, seconds)
        if task.cancels:
            ids, task.cancels, task.cancel_sent = task.cancels, [], True
            answer.cancel_input_event.CopyFrom(pb.CancelInputEvent(input_ids=ids))
        return answer

    @rpc("ContainerCheckpoint")
    async def checkpoint(self, _: object) -> None:
        task = self._caller()
        if task is not None:
            task.checkpoints += 1
            self._state.in_background(snapshot_and_restore(self._state, self._pool, task))

    @rpc("TaskResult")
    async def result(self, request: pb.TaskResultRequest) -> None:
        task = self._caller()
        if task is not None:
            task.task_result = request.result

    @rpc("TaskCurrentInputs")
    async def current_inputs(self, _: object) -> pb.TaskCurrentInputsResponse:
        task = self._caller()
        return pb.TaskCurrentInputsResponse(input_ids=list(task.running) if task else [])

    @rpc("FunctionGetInputs")
    async def get_inputs(
        self, request: pb.FunctionGetInputsRequest
    ) -> pb.FunctionGetInputsResponse:
        task = self._caller()
        if task is None:
            return NO_MORE
        task.ready = True
        queue, state = task.fn.queue, self._state
        window = task.fn.proto.autoscaler_settings.scaledown_window or SCALEDOWN_SECONDS
        idle = state.options.idle_timeout or window
        await state.wait_for(lambda: task.stopping or queue, idle)
        if not queue and task.running and not task.stopping:
            return pb.FunctionGetInputsResponse()
        if task.stopping or not queue:
            task.stopping = True
            return NO_MORE
        if len(queue) < request.batch_max_size:
            linger = request.batch_linger_ms / 1000
            await state.wait_for(lambda: len(queue) >= request.batch_max_size, linger)
        count = min(max(1, request.batch_max_size), len(queue))
        taken = [self._take(task, queue.popleft()) for _ in range(count)]
        return pb.FunctionGetInputsResponse(inputs=taken)

    def _take(self, task: Container, each: Input) -> pb.FunctionGetInputsItem:
        each.status, each.task, each.started = "running", task, time.time()
        task.running[each.id] = each
        task.n_inputs += 1
        self._state.in_background(self._limit(task, each))
        return pb.FunctionGetInputsItem(
            input_id=each.id,
            input=each.message,
            function_call_id=each.call.id,
            function_call_invocation_type=each.call.invocation_type,
            retry_count=each.retries,
        )

    async def _limit(self, task: Container, each: Input) -> None:
        """Kill the container whose input runs longer than the function's timeout."""
        seconds, attempt = task.fn.proto.timeout_secs, each.retries
        if not seconds:
            return
        await asyncio.sleep(seconds)
        if each.status == "running" and each.task is task and each.retries == attempt:
            task.running.pop(each.id, None)
            self._pool.kill(task)
            text = f"Task's current input {each.id} hit its timeout of {seconds}s"
            result = failed(pb.GenericResult.GENERIC_STATUS_TIMEOUT, text)
            await self._pool.results.settle(each, result)

    @rpc("FunctionPutOutputs")
    async def put_outputs(self, request: pb.FunctionPutOutputsRequest) -> None:
        task = self._caller()
        for output in request.outputs:
            each = self._state.inputs.get(output.input_id)
            if each is None or each.status != "running":
                continue
            if task is not None:
                task.running.pop(each.id, None)
            await self._pool.results.settle(each, output.result, output.data_format)

    @rpc("FunctionCallGetDataIn")
    def data_in(self, request: pb.FunctionCallGetDataRequest) -> AsyncIterator[pb.DataChunk]:
        return self._stream(request, "data_in")

    @rpc("FunctionCallGetDataOut")
    def data_out(self, request: pb.FunctionCallGetDataRequest) -> AsyncIterator[pb.DataChunk]:
        return self._stream(request, "data_out")

    async def _stream(
        self, request: pb.FunctionCallGetDataRequest, which: Literal["data_in", "data_out"]
    ) -> AsyncIterator[pb.DataChunk]:
        call, last = self._state.calls[request.function_call_id], request.last_index
        until = time.monotonic() + STREAM_SECONDS
        while time.monotonic() < until:
            found = await self._state.wait_for(
                lambda after=last: later(call, which, after) or call.done,  # type: ignore[misc] # bound now
                until - time.monotonic(),
            )
            if not isinstance(found, list):
                return
            for chunk in found:
                last = chunk.index
                yield chunk

    @rpc("FunctionCallPutDataOut")
    async def put_data_out(self, request: pb.FunctionCallPutDataRequest) -> None:
        call = self._state.calls[request.function_call_id]
        seen = {each.index for each in call.data_out}
        call.data_out.extend(each for each in request.data_chunks if each.index not in seen)
        self._state.notify()


def later(call: Call, which: Literal["data_in", "data_out"], index: int) -> list[pb.DataChunk]:
    """Return the chunks of a call after that one."""
    chunks = call.data_in if which == "data_in" else call.data_out
    return [each for each in chunks if each.index > index]
