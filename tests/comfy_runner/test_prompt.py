"""A prompt whose events, interruption or process go wrong, on the real ComfyUI."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from comfy_runner.bucket import LocalBucket
from comfy_runner.client import ComfyClient
from comfy_runner.errors import ComfyCrashed, Interrupted
from comfy_runner.server import ComfyServer
from tests.comfy_runner.proxy import Proxy
from tests.comfy_runner.runs import (
    Heard,
    ProxiedServer,
    cancelled_after,
    image,
    node,
    run,
    steps,
    working_on,
)

pytestmark = pytest.mark.live


def test_an_interruption_by_somebody_else_is_told(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    def interrupt() -> None:
        with ComfyClient(server.url) as client:
            for prompt_id in client.queue():
                client.interrupt(prompt_id)

    with pytest.raises(Interrupted):
        run(server, bucket, steps(1000, 0.02), Heard(interrupt))


def test_a_broken_event_stream_is_connected_again_and_goes_on(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    with Proxy(server.port) as proxy:
        listener = Heard(proxy.drop)
        outputs = run(ProxiedServer(server, proxy), bucket, steps(30, 0.05), listener)
        assert proxy.streams_seen == 2
    assert len(outputs) == 1
    assert listener.snapshots[-1].progress == 100
    seen = [s.current_step for s in listener.snapshots if s.current_step]
    assert len(seen) > 3, "no progress after the break"


def test_an_end_that_no_event_told_of_is_found_in_the_history(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    with Proxy(server.port) as proxy:

        def drop_until_the_end() -> None:
            proxy.drop(refuse_next=True)

            def allow() -> None:
                while working_on(server):
                    time.sleep(0.02)
                proxy.drop(refuse_next=False)

            threading.Thread(target=allow).start()

        listener = Heard(drop_until_the_end)
        outputs = run(ProxiedServer(server, proxy), bucket, steps(8, 0.05), listener)
    assert len(outputs) == 1
    assert listener.snapshots[-1].progress == 100


def test_an_end_is_found_even_if_the_event_stream_falls_silent(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    with Proxy(server.port) as proxy, cancelled_after(30):
        listener = Heard(proxy.deafen)
        outputs = run(ProxiedServer(server, proxy), bucket, steps(8, 0.05), listener)
    assert len(outputs) == 1
    assert listener.snapshots[-1].progress == 100


def test_a_death_of_comfyui_is_told_with_its_last_lines(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    with pytest.raises(ComfyCrashed) as caught:
        run(server, bucket, {"1": node("ExitNode", once=""), "2": image("1")})
    assert "ExitNode ends the process" in caught.value.details["log"]
    assert not server.alive


def test_a_killed_comfyui_is_told(server: ComfyServer, bucket: LocalBucket) -> None:
    def kill() -> None:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)

    with pytest.raises(ComfyCrashed):
        run(server, bucket, steps(1000, 0.02), Heard(kill))
