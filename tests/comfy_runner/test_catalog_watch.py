"""A catalogue that is told in the background, over a ComfyUI's interface of our making."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from comfy_runner.catalog import Catalog
from comfy_runner.catalog_watch import CatalogWatch
from tests.waiting import eventually


class Comfy(ThreadingHTTPServer):
    """Answers what a catalogue is read from; not at all while it is `silent`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.models = ["a.safetensors"]
        self.silent = False
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Comfy

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        known = {
            "/models": ["checkpoints"],
            "/models/checkpoints": self.server.models,
            "/object_info": {},
            "/system_stats": {"system": {"comfyui_version": "1.2.3"}},
        }
        if self.path not in known or self.server.silent:
            self.send_error(500 if self.server.silent else 404)
            return
        body = json.dumps(known[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def comfy() -> Iterator[Comfy]:
    with Comfy() as comfy:
        thread = threading.Thread(target=comfy.serve_forever, args=(0.02,))
        thread.start()
        yield comfy
        comfy.shutdown()
        thread.join()


@pytest.fixture
def told() -> list[Catalog]:
    return []


@pytest.fixture
def watch(comfy: Comfy, told: list[Catalog]) -> Iterator[CatalogWatch]:
    watch = CatalogWatch(lambda: comfy.url, told.append, period=0.02)
    yield watch
    watch.stop()


def test_the_catalogue_is_told_once_while_nothing_changes(
    comfy: Comfy, watch: CatalogWatch, told: list[Catalog]
) -> None:
    watch.start()
    eventually(lambda: comfy.asked.count("/models") > 3)
    assert [list(each.models["checkpoints"]) for each in told] == [["a.safetensors"]]
    assert comfy.asked.count("/object_info") == 1


def test_a_new_model_is_told(comfy: Comfy, watch: CatalogWatch, told: list[Catalog]) -> None:
    watch.start()
    eventually(lambda: told)
    comfy.models = ["a.safetensors", "b.safetensors"]
    eventually(lambda: len(told) == 2)
    assert list(told[1].models["checkpoints"]) == comfy.models


def test_a_comfyui_that_does_not_answer_is_asked_again(
    comfy: Comfy, watch: CatalogWatch, told: list[Catalog]
) -> None:
    comfy.silent = True
    watch.start()
    eventually(lambda: len(comfy.asked) > 3)
    assert told == []
    comfy.silent = False
    eventually(lambda: told)


def test_after_a_stop_nobody_is_asked_and_it_can_start_again(
    comfy: Comfy, watch: CatalogWatch, told: list[Catalog]
) -> None:
    watch.start()
    watch.start()
    eventually(lambda: told)
    watch.stop()
    watch.stop()
    assert not [each for each in threading.enumerate() if each.name == "catalogue"]
    asked = len(comfy.asked)
    watch.start()
    eventually(lambda: len(comfy.asked) > asked)
    eventually(lambda: len(told) == 2)
