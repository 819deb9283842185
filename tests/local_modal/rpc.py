"""Calls of Modal's own protocol, handed to the service that answers each."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from google.protobuf.empty_pb2 import Empty
from grpclib import GRPCError, Status
from modal_proto import api_grpc

from tests.local_modal.options import Options

TASK_HEADER = "x-local-task-id"
# Those that the client repeats under one key when it has seen no answer.
REPEATED = frozenset(
    {
        "FunctionMap",
        "FunctionPutInputs",
        "FunctionPutOutputs",
        "DictUpdate",
        "DictPop",
        "QueuePut",
        "QueueGet",
        "AppCreate",
    }
)
ANSWERS_KEPT = 1000

Reply = Callable[[Any], Any]
F = TypeVar("F", bound=Callable[..., Any])

# The container that makes the call being answered, or "" for a client outside.
caller: ContextVar[str] = ContextVar("caller", default="")


def rpc(name: str) -> Callable[[F], F]:
    """Mark the method that answers this rpc: a coroutine function, or an async generator."""

    def mark(method: F) -> F:
        method.rpc_name = name  # type: ignore[attr-defined] # functions take attributes
        return method

    return mark


@dataclass(frozen=True)
class Request:
    """One call as it came in."""

    name: str
    message: Any
    task_id: str


@dataclass
class Fault:
    """A failure to come, `left` times."""

    when: Literal["before", "after"]
    rpc: str
    left: int
    match: Callable[[Any, str], bool] | None
    effect: Status | Callable[[Any, str], None]

    def strike(self, when: str, request: Request) -> None:
        """Fail the call if it is meant.

        Raises:
            GRPCError: as told; or whatever the effect raises.
        """
        if (self.when, self.rpc) != (when, request.name) or self.left <= 0:
            return
        if self.match is not None and not self.match(request.message, request.task_id):
            return
        self.left -= 1
        if isinstance(self.effect, Status):
            raise GRPCError(self.effect, "injected by the test")
        self.effect(request.message, request.task_id)


class Switchboard:
    """The whole of Modal's service, of which some calls have an answer."""

    def __init__(self, options: Options, services: Iterable[object]) -> None:
        self.log: list[Request] = []
        self.unimplemented: set[str] = set()
        self.faults: list[Fault] = []
        self._options = options
        self._answers: dict[str, Any] = {}
        self._replies = {
            method.rpc_name: method
            for service in services
            for method in (getattr(service, name) for name in dir(service) if name[0] != "_")
            if hasattr(method, "rpc_name")
        }
        # A container that dies in the middle of a call makes grpclib print a traceback.
        logging.getLogger("grpclib.server").setLevel(logging.CRITICAL)

    def service(self) -> api_grpc.ModalClientBase:
        """Return what a gRPC server takes."""
        base = api_grpc.ModalClientBase
        names: Iterable[str] = base.__abstractmethods__
        made: api_grpc.ModalClientBase = type(
            "Service", (base,), {name: self._answer_to(name) for name in names}
        )()
        return made

    def _answer_to(self, name: str) -> Callable[[Any, Any], Awaitable[None]]:
        async def answer(_: object, stream: Any) -> None:
            message = await stream.recv_message()
            request = Request(name, message, stream.metadata.get(TASK_HEADER, ""))
            caller.set(request.task_id)
            self.log.append(request)
            try:
                await self._answer(request, stream)
            except (GRPCError, asyncio.CancelledError):
                raise
            except Exception as error:  # a mistake of the stand-in's must be seen as one
                traceback.print_exc()
                text = f"mistake of the stand-in in {name}: {error!r}"
                raise GRPCError(Status.INTERNAL, text) from error

        return answer

    async def _answer(self, request: Request, stream: Any) -> None:
        reply = self._replies.get(request.name)
        if reply is None:
            self.unimplemented.add(request.name)
            raise GRPCError(Status.UNIMPLEMENTED, f"the stand-in has no {request.name}")
        if self._options.rpc_delay:
            await asyncio.sleep(self._options.rpc_delay)
        self._strike("before", request)
        made = reply(request.message)
        if isinstance(made, AsyncIterator):
            async for each in made:
                await stream.send_message(each)
            return
        answer = await self._once(request, made, stream.metadata.get("x-idempotency-key"))
        self._strike("after", request)
        await stream.send_message(Empty() if answer is None else answer)

    async def _once(self, request: Request, work: Any, key: str | None) -> Any:
        """Do the work, unless a call with this key has done it: then answer as then."""
        if key is None or request.name not in REPEATED or not self._options.dedupe_retries:
            return await work
        if key in self._answers:
            work.close()
            return self._answers[key]
        self._answers[key] = await work
        while len(self._answers) > ANSWERS_KEPT:
            self._answers.pop(next(iter(self._answers)))
        return self._answers[key]

    def _strike(self, when: str, request: Request) -> None:
        for fault in self.faults:
            fault.strike(when, request)


def not_found(what: str) -> GRPCError:
    """Say that there is no such thing."""
    return GRPCError(Status.NOT_FOUND, f"{what} not found in environment 'main'")
