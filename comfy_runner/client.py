"""ComfyUI's HTTP and WebSocket interface as typed calls."""

from __future__ import annotations

from typing import Any, Self
from urllib.parse import quote

import requests
import websocket

from comfy_runner.errors import ComfyUnavailable
from comfy_runner.events import Event, parse
from comfy_runner.graph import Graph
from comfy_runner.verdict import refusal

ANSWER_SECONDS = 30.0
LOOK_SECONDS = 5.0
CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 1


class StreamClosed(ComfyUnavailable):
    """The event stream ended; the prompt goes on without it."""


class EventStream:
    """ComfyUI's events for one client id, over one WebSocket."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket = socket

    def recv(self, timeout: float) -> Event | None:
        """Return the next event; None after `timeout` seconds or a frame that says nothing to us.

        Raises:
            StreamClosed: the connection is gone.
        """
        try:
            self._socket.settimeout(timeout)
            opcode, frame = self._socket.recv_data()
        except websocket.WebSocketTimeoutException:
            return None
        except (websocket.WebSocketException, OSError) as error:
            raise StreamClosed("ComfyUI closed its event stream") from error
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise StreamClosed("ComfyUI closed its event stream")
        if opcode == websocket.ABNF.OPCODE_BINARY:
            return parse(bytes(frame))
        if opcode != websocket.ABNF.OPCODE_TEXT:
            return None
        return parse(frame.decode(errors="replace"))

    def close(self) -> None:
        """Close the connection, waiting a moment for ComfyUI to agree. Idempotent."""
        self._socket.close(timeout=CLOSE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ComfyClient:
    """Calls to one ComfyUI over one kept connection; `timeout` in seconds bounds each answer.

    Every call raises `ComfyUnavailable` when ComfyUI cannot be reached or answers nonsense.
    """

    def __init__(self, url: str, timeout: float = ANSWER_SECONDS) -> None:
        self._url = url
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False  # proxies of the environment are not for loopback

    def submit(self, graph: Graph, *, client_id: str, prompt_id: str) -> None:
        """Queue a prompt.

        `prompt_id` has to be a lower-case UUID: newer versions refuse anything else.

        Raises:
            InvalidWorkflow: ComfyUI refused it, or would run only a part of it and has queued
                that part (it answers 200 with `node_errors`): the caller has to cancel it.
        """
        body = {"prompt": graph, "client_id": client_id, "prompt_id": prompt_id}
        response = self._send("POST", "/prompt", body)
        if response.status_code == 400:
            raise refusal(self._json(response), graph)
        answer = self._json(self._accepted(response))
        if answer.get("node_errors"):
            raise refusal(answer, graph)

    def queue(self) -> frozenset[str]:
        """Return the ids of the prompts that run or wait."""
        answer = self._json(self._look("/queue"))
        entries = answer.get("queue_running", []) + answer.get("queue_pending", [])
        return frozenset(str(entry[1]) for entry in entries)

    def history(self, prompt_id: str) -> dict[str, Any] | None:
        """Return how a prompt ended; None while it waits or runs, or is unknown."""
        item = self._json(self._look(f"/history/{quote(prompt_id, safe='')}")).get(prompt_id)
        return item if isinstance(item, dict) else None

    def interrupt(self, prompt_id: str) -> None:
        """Interrupt the prompt if it runs, at its next step; nothing happens if it does not."""
        self._accepted(self._send("POST", "/interrupt", {"prompt_id": prompt_id}))

    def delete_queued(self, prompt_id: str) -> None:
        """Take the prompt out of the queue if it still waits there."""
        self._accepted(self._send("POST", "/queue", {"delete": [prompt_id]}))

    def system_stats(self) -> dict[str, Any]:
        """Return versions, devices and memory; the quickest sign of life."""
        return self._json(self._get("/system_stats"))

    def object_info(self) -> dict[str, Any]:
        """Return every node class with its inputs and outputs (about 0.4 MB)."""
        return self._json(self._get("/object_info"))

    def has_node(self, node_class: str) -> bool:
        """Whether there is a node class of this name."""
        path = f"/object_info/{quote(node_class, safe='')}"
        return node_class in self._json(self._get(path))

    def model_folders(self) -> tuple[str, ...]:
        """Return the names of the folders that models lie in."""
        return self._names(self._get("/models"))

    def models(self, folder: str) -> tuple[str, ...]:
        """Return the model files in one folder, as nodes list them."""
        return self._names(self._get(f"/models/{quote(folder, safe='')}"))

    def free(self) -> None:
        """Have ComfyUI drop its models and the results it kept, once it runs no prompt."""
        self._accepted(self._send("POST", "/free", {"unload_models": True, "free_memory": True}))

    def set_device(self) -> dict[str, Any]:
        """Have the memory snapshot helper give ComfyUI its GPU; return what it tells of it.

        Raises:
            ComfyUnavailable: it cannot, or cannot yet; the message says why.
        """
        response = self._send("POST", "/cuda/set_device", {"device": 0})
        if response.status_code == 503:
            reason = self._json(response).get("error", "it gives no reason")
            raise ComfyUnavailable(f"ComfyUI has no GPU: {reason}")
        return self._json(self._accepted(response))

    def companion(self, question: str) -> dict[str, Any] | None:
        """Return what our companion node tells ("state" or "validators"); None if not loaded."""
        response = self._send("GET", f"/comfyui_jobs/{question}", timeout=LOOK_SECONDS)
        return None if response.status_code == 404 else self._json(self._accepted(response))

    def reseed(self) -> None:
        """Have our companion node give ComfyUI's random numbers new seeds."""
        self._accepted(self._send("POST", "/comfyui_jobs/seeds"))

    def connect(self, client_id: str) -> EventStream:
        """Return the events addressed to `client_id`, from now on.

        Raises:
            ComfyUnavailable: the connection was refused.
        """
        address = self._url.replace("http", "ws", 1) + f"/ws?clientId={quote(client_id, safe='')}"
        try:
            socket = websocket.create_connection(
                address, timeout=CONNECT_SECONDS, suppress_origin=True, http_no_proxy=["*"]
            )
        except (websocket.WebSocketException, OSError) as error:
            raise ComfyUnavailable("ComfyUI does not take an event stream") from error
        return EventStream(socket)

    def close(self) -> None:
        """Close the kept connection. Idempotent."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _get(self, path: str) -> requests.Response:
        return self._accepted(self._send("GET", path))

    def _look(self, path: str) -> requests.Response:
        """Get what is asked again and again: no answer is soon an answer too."""
        return self._accepted(self._send("GET", path, timeout=LOOK_SECONDS))

    def _send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        timeout: float = ANSWER_SECONDS,
    ) -> requests.Response:
        answer = min(timeout, self._timeout)
        limits = (min(CONNECT_SECONDS, answer), answer)
        try:
            return self._session.request(method, self._url + path, json=body, timeout=limits)
        except requests.RequestException as error:
            raise ComfyUnavailable(f"ComfyUI does not answer {method} {path}") from error

    @staticmethod
    def _accepted(response: requests.Response) -> requests.Response:
        if response.ok:
            return response
        what = f"{response.request.method} {response.request.path_url}"
        raise ComfyUnavailable(f"ComfyUI answered HTTP {response.status_code} to {what}")

    @staticmethod
    def _names(response: requests.Response) -> tuple[str, ...]:
        try:
            answer = response.json()
        except requests.JSONDecodeError as error:
            raise ComfyUnavailable("ComfyUI answered something that is not JSON") from error
        if not isinstance(answer, list):
            raise ComfyUnavailable("ComfyUI answered JSON that is not a list")
        return tuple(str(name) for name in answer)

    @staticmethod
    def _json(response: requests.Response) -> dict[str, Any]:
        try:
            answer = response.json()
        except requests.JSONDecodeError as error:
            raise ComfyUnavailable("ComfyUI answered something that is not JSON") from error
        if not isinstance(answer, dict):
            raise ComfyUnavailable("ComfyUI answered JSON that is not an object")
        return answer
