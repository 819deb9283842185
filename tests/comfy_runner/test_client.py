"""Calls to the real ComfyUI, and to servers that are none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import uuid4

import pytest

from comfy_runner.client import ComfyClient, EventStream, StreamClosed
from comfy_runner.errors import ComfyUnavailable, InvalidWorkflow
from comfy_runner.events import Event, Executing, Status
from comfy_runner.server import ComfyServer, free_port
from tests.comfy_runner.proxy import Proxy


def text_graph(text: str = "hello") -> dict[str, Any]:
    return {"1": {"class_type": "TextNode", "inputs": {"text": text}}}


def step_graph(steps: int, seconds: float) -> dict[str, Any]:
    return {
        "1": {"class_type": "StepNode", "inputs": {"steps": steps, "seconds": seconds}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }


@pytest.fixture
def client(server: ComfyServer) -> Iterator[ComfyClient]:
    with ComfyClient(server.url) as made:
        yield made


def until_end(stream: EventStream) -> list[Event]:
    events: list[Event] = []
    for _ in range(1000):
        event = stream.recv(10.0)
        assert event is not None, "ComfyUI fell silent"
        events.append(event)
        if isinstance(event, Executing) and event.node is None:
            return events
    raise AssertionError("no end of events")


@pytest.mark.live
def test_a_prompt_is_queued_told_of_and_in_history(client: ComfyClient) -> None:
    prompt_id, client_id = str(uuid4()), uuid4().hex
    with client.connect(client_id) as stream:
        client.submit(text_graph(), client_id=client_id, prompt_id=prompt_id)
        until_end(stream)
    item = client.history(prompt_id)
    assert item is not None
    assert item["outputs"]["1"] == {"text": ["hello"]}
    assert prompt_id not in client.queue()


@pytest.mark.live
def test_a_running_prompt_is_in_the_queue_and_not_in_history(client: ComfyClient) -> None:
    prompt_id, client_id = str(uuid4()), uuid4().hex
    with client.connect(client_id) as stream:
        client.submit(step_graph(1000, 0.02), client_id=client_id, prompt_id=prompt_id)
        assert prompt_id in client.queue()
        assert client.history(prompt_id) is None
        while not isinstance(stream.recv(10.0), Executing):
            pass
        client.interrupt(str(uuid4()))
        assert prompt_id in client.queue()
        client.interrupt(prompt_id)
        until_end(stream)
    assert prompt_id not in client.queue()


@pytest.mark.live
def test_a_waiting_prompt_can_be_taken_out(client: ComfyClient) -> None:
    running, waiting = str(uuid4()), str(uuid4())
    client.submit(step_graph(1000, 0.02), client_id="a", prompt_id=running)
    client.submit(text_graph("other"), client_id="a", prompt_id=waiting)
    client.delete_queued(waiting)
    client.delete_queued(running)  # running: not deleted, only interrupting ends it
    assert client.queue() == {running}
    client.interrupt(running)
    assert client.history(waiting) is None


@pytest.mark.live
def test_a_refused_workflow_names_node_class_and_input(client: ComfyClient) -> None:
    graph = step_graph(0, 0.1)
    with pytest.raises(InvalidWorkflow) as caught:
        client.submit(graph, client_id="a", prompt_id=str(uuid4()))
    problem = caught.value.problems[0]
    assert problem.pointer == "/1/inputs/steps"
    assert problem.message == ("input 'steps' of node 1 (StepNode): Value 0 smaller than min of 1")


@pytest.mark.live
def test_an_unknown_class_is_refused_by_name(client: ComfyClient) -> None:
    graph = {**text_graph(), "7": {"class_type": "NopeNode", "inputs": {}}}
    with pytest.raises(InvalidWorkflow, match=r"node 7.*NopeNode") as caught:
        client.submit(graph, client_id="a", prompt_id=str(uuid4()))
    assert (caught.value.node_id, caught.value.node_type) == ("7", "NopeNode")


@pytest.mark.live
def test_a_partly_valid_workflow_is_refused(client: ComfyClient) -> None:
    bad = {"3": {"class_type": "PreviewImage", "inputs": {}}}
    with pytest.raises(InvalidWorkflow, match="'images' of node 3"):
        client.submit({**text_graph(), **bad}, client_id="a", prompt_id=str(uuid4()))


@pytest.mark.live
def test_an_answer_500_is_an_error_of_ours(client: ComfyClient) -> None:
    nothing: Any = None
    with pytest.raises(ComfyUnavailable, match="HTTP 500 to POST /prompt"):
        client.submit(nothing, client_id="a", prompt_id=str(uuid4()))


@pytest.mark.live
def test_silence_is_no_event(client: ComfyClient) -> None:
    with client.connect(uuid4().hex) as stream:
        assert isinstance(stream.recv(10.0), Status)
        # prompts of earlier tests may still be ending
        assert any(stream.recv(0.05) is None for _ in range(100))


@pytest.mark.live
def test_a_broken_event_stream_is_told_and_can_be_closed_twice(server: ComfyServer) -> None:
    with Proxy(server.port) as proxy, ComfyClient(proxy.url) as client:
        stream = client.connect(uuid4().hex)
        proxy.drop()
        with pytest.raises(StreamClosed):  # after the greeting, which may have come through
            until_end(stream)
        stream.close()
        stream.close()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with ComfyClient(f"http://127.0.0.1:{free_port()}") as client:
        with pytest.raises(ComfyUnavailable, match="GET /system_stats"):
            client.system_stats()
        with pytest.raises(ComfyUnavailable, match="event stream"):
            client.connect("a")


@pytest.mark.parametrize("body", [b"<html>", b"[1]"])
def test_an_answer_that_is_no_json_object_is_unavailable(body: bytes) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as other:
        thread = threading.Thread(target=other.handle_request)
        thread.start()
        with (
            pytest.raises(ComfyUnavailable, match="JSON"),
            ComfyClient(f"http://127.0.0.1:{other.server_port}") as client,
        ):
            client.system_stats()
        thread.join()
