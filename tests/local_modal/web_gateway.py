"""The HTTP side of web functions: a port of this machine for each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from modal._serialization import deserialize_data_format, serialize, serialize_data_format
from modal_proto import api_pb2 as pb

from tests.local_modal.calls import SYNC, Calls
from tests.local_modal.containers import later
from tests.local_modal.records import Call
from tests.local_modal.state import State

CALL_PARAMETER = "__modal_function_call_id"
OF_ONE_HOP = frozenset({"content-length", "transfer-encoding", "connection"})
LARGEST_BODY = 2**31

Serve = Callable[[web.Application], Awaitable[str]]


class WebGateway:
    """Turns requests into calls of web functions, and what they send into responses."""

    def __init__(self, state: State, calls: Calls, serve: Serve) -> None:
        self._state = state
        self._calls = calls
        self._serve = serve
        self.urls: dict[str, str] = {}  # function, or function.method: URL

    async def open(self, function_id: str, method: str) -> str:
        """Give a web function (or a method of a class) a port; return its URL."""

        async def answer(request: web.Request) -> web.StreamResponse:
            return await self._answer(function_id, method, request)

        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/{tail:.*}", answer)
        url = await self._serve(app)
        name = self._state.functions[function_id].name
        self.urls[f"{name}.{method}" if method else name] = url
        return url

    async def _answer(
        self, function_id: str, method: str, request: web.Request
    ) -> web.StreamResponse:
        refusal = self._refuse(function_id, method, request)
        if refusal is not None:
            return refusal
        call_id = request.query.get(CALL_PARAMETER)
        if call_id is not None and call_id not in self._state.calls:
            return web.Response(status=404, text="modal-http: invalid function call\n")
        if call_id is not None:
            call = self._state.calls[call_id]
        else:
            call = await self._begin(function_id, method, request)
        relay = Relay(self._state, call, request)
        try:
            return await relay.run()
        except asyncio.CancelledError:  # the client has gone: Modal cancels the input
            self._calls.cancel(call)
            raise
        except ConnectionResetError:  # the same, seen only when writing
            self._calls.cancel(call)
            return relay.response or web.Response()

    def _refuse(self, function_id: str, method: str, request: web.Request) -> web.Response | None:
        proto = self._state.functions[function_id].proto
        config = (
            proto.method_definitions[method].webhook_config if method else proto.webhook_config
        )
        if config.requires_proxy_auth:
            key, secret = request.headers.get("Modal-Key"), request.headers.get("Modal-Secret")
            if not key or self._state.options.proxy_tokens.get(key) != secret:
                text = "modal-http: missing credentials for proxy authorization\n"
                return web.Response(status=401, text=text)
        if CALL_PARAMETER in request.query and request.method not in {"GET", "HEAD"}:
            return web.Response(status=400, text="modal-http: bad redirect method\n")
        return None

    async def _begin(self, function_id: str, method: str, request: web.Request) -> Call:
        body = {"type": "http.request", "body": await request.read(), "more_body": False}
        call = self._calls.begin(
            Call(self._state.new_id("fc"), function_id, "web", invocation_type=SYNC)
        )
        data = serialize_data_format(body, pb.DATA_FORMAT_ASGI)
        call.data_in.append(pb.DataChunk(index=1, data_format=pb.DATA_FORMAT_ASGI, data=data))
        message = pb.FunctionInput(
            args=serialize(((scope_of(request),), {})),
            data_format=pb.DATA_FORMAT_PICKLE,
            method_name=method,
        )
        self._calls.add(call, message)
        return call


class Relay:
    """Passes on to one HTTP client what a call sends."""

    def __init__(self, state: State, call: Call, request: web.Request) -> None:
        self.response: web.StreamResponse | None = None
        self._state = state
        self._call = call
        self._request = request
        self._last = 0
        self._complete = False

    async def run(self) -> web.StreamResponse:
        """Return the response, or a redirect to wait on when it takes too long to begin."""
        until = time.monotonic() + self._state.options.web_timeout
        while not self._complete:
            await self._state.wait_for(self._news, 1.0 if self.response else wait_until(until))
            for chunk in self._chunks():
                await self._pass_on(chunk)
            if self._call.done and not self._chunks():
                break
            if self.response is None and time.monotonic() > until:
                query = {**self._request.query, CALL_PARAMETER: self._call.id}
                url = f"{self._request.path}?{urlencode(query)}"
                return web.Response(status=303, headers={"Location": url})
        if self.response is None:
            return self._failure()
        if not self._complete:
            await self.response.write_eof()
        return self.response

    def _news(self) -> bool:
        return bool(self._chunks()) or self._call.done

    def _chunks(self) -> list[pb.DataChunk]:
        return later(self._call, "data_out", self._last)

    async def _pass_on(self, chunk: pb.DataChunk) -> None:
        self._last = chunk.index
        data = self._state.blobs[chunk.data_blob_id] if chunk.data_blob_id else chunk.data
        message = deserialize_data_format(data, pb.DATA_FORMAT_ASGI, None)
        if message is None:
            return
        if message["type"] == "http.response.start":
            self.response = await self._start(message)
        elif message["type"] == "http.response.body" and self.response is not None:
            await self.response.write(message["body"])
            if not message["more_body"]:
                await self.response.write_eof()
                self._complete = True

    async def _start(self, message: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(status=message["status"])
        for name, value in message["headers"]:
            if name.decode().lower() not in OF_ONE_HOP:
                response.headers.add(name.decode(), value.decode())
        response.headers["modal-function-call-id"] = self._call.id
        await response.prepare(self._request)
        return response

    def _failure(self) -> web.Response:
        output = self._call.inputs[0].output
        why = output.result if output else pb.GenericResult()
        name = pb.GenericResult.GenericStatus.Name(why.status)
        text = f"modal-http: internal error: function call failed ({name}: {why.exception})\n"
        return web.Response(status=500, text=text)


def wait_until(moment: float) -> float:
    return max(0.05, min(1.0, moment - time.monotonic()))


def scope_of(request: web.Request) -> dict[str, Any]:
    """Return the ASGI scope of a request."""
    return {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "query_string": request.query_string.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in request.headers.items()],
        "client": (request.remote or "127.0.0.1", 0),
    }
