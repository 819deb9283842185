"""Results of inputs, and the retries before one is final."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from modal_proto import api_pb2 as pb

from tests.local_modal.records import Function, Input
from tests.local_modal.state import State

STATUS = pb.GenericResult
RETRIED = frozenset(
    {
        STATUS.GENERIC_STATUS_FAILURE,
        STATUS.GENERIC_STATUS_TIMEOUT,
        STATUS.GENERIC_STATUS_INTERNAL_FAILURE,
    }
)


def failed(status: pb.GenericResult.GenericStatus.ValueType, text: str) -> pb.GenericResult:
    """Return a result that says why there is none."""
    return pb.GenericResult(status=status, exception=text)


CANCELLED = failed(STATUS.GENERIC_STATUS_TERMINATED, "Input was cancelled by user")


class Results:
    """Ends inputs; `scale(function)` is told when one is to run again."""

    def __init__(self, state: State, scale: Callable[[Function], None]) -> None:
        self._state = state
        self._scale = scale

    def finish(
        self,
        each: Input,
        result: pb.GenericResult,
        data_format: pb.DataFormat.ValueType = pb.DATA_FORMAT_PICKLE,
    ) -> None:
        """Give the input its final result, unless it has one."""
        if each.status == "done":
            return
        each.status, each.entry = "done", self._state.number("entry")
        each.output = pb.FunctionGetOutputsItem(
            result=result,
            idx=each.index,
            input_id=each.id,
            data_format=data_format,
            task_id=each.task.id if each.task else "",
            retry_count=each.retries,
            input_started_at=each.started,
            output_created_at=time.time(),
        )

    async def settle(
        self,
        each: Input,
        result: pb.GenericResult,
        data_format: pb.DataFormat.ValueType = pb.DATA_FORMAT_PICKLE,
    ) -> None:
        """Finish the input, or let it run again as its function's retries say."""
        function = self._state.functions[each.call.function_id]
        policy = function.proto.retry_policy
        if result.status in RETRIED and each.retries < policy.retries and not each.call.cancelled:
            each.status, each.task, each.retries = "pending", None, each.retries + 1
            self._state.in_background(self._run_again(each, function))
        else:
            self.finish(each, result, data_format)
        self._state.notify()

    async def _run_again(self, each: Input, function: Function) -> None:
        policy = function.proto.retry_policy
        delay = policy.initial_delay_ms * policy.backoff_coefficient ** (each.retries - 1)
        delay = min(delay, policy.max_delay_ms or delay) / 1000
        await asyncio.sleep(delay * self._state.options.retry_delay_scale)
        if each.status == "pending":  # not cancelled while it waited
            function.queue.append(each)
            self._scale(function)
            self._state.notify()
