"""Jobs, and what delivers their webhooks, over a clock that is moved by hand."""

from __future__ import annotations

import ipaddress
import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from comfy_runner.awakening import Awakening
from comfy_runner.outputs import Output
from comfy_runner.safe_http import Outbound, Resolver, resolve
from comfy_runner.stopwatch import Stopwatch
from comfy_runner.work import Listener, Work
from comfy_runner.worker import ComfyWorker
from settings import Settings
from tasks import jobs
from tasks.document import job_document
from tasks.framework import Runtime
from tasks.framework.execute import execute
from tasks.framework.tick import tick
from tasks.webhook import Courier
from tasks.webhook_log import Delivery, deliveries, redeliver
from tasks.webhook_sending import Sender
from tasks.webhook_target import Webhook
from tests.tasks.framework.rig import Rig
from tests.tasks.receiver import SECRET

GRAPH = {"1": {"class_type": "X", "inputs": {}}}
LOOPBACK = ("127.0.0.0/8",)
BASE = "https://api.example"

Script = Callable[[Listener], tuple[Output, ...]]


def nothing(_: Listener) -> tuple[Output, ...]:
    return ()


class FakeComfy(ComfyWorker):
    """Stands for a ComfyUI: a job does what `script` says."""

    def __init__(self, script: Script = nothing) -> None:
        self.script = script
        self.awakening = Awakening()
        self.timed = Stopwatch()

    @property
    def stopwatch(self) -> Stopwatch:
        return self.timed

    def boot(self) -> None:
        pass

    def wake(self) -> None:
        pass

    def close(self) -> None:
        pass

    def run(self, work: Work, *, job_id: str, listener: Listener) -> tuple[Output, ...]:
        return self.script(listener)


class WebhookRig(Rig):
    """A rig with a courier that sends for real, and jobs that do what `script` says."""

    def __init__(
        self,
        *,
        allow: Collection[str] = LOOPBACK,
        secrets: Collection[str] = (SECRET,),
        resolver: Resolver = resolve,
        **parts: Any,
    ) -> None:
        super().__init__(**parts)
        self.clock.now = float(int(time.time()))
        self.script: Script = nothing
        self.slept: list[float] = []
        outbound = Outbound(tuple(map(ipaddress.ip_network, allow)), resolver=resolver)
        sender = Sender(
            outbound, [*secrets], seconds=0.4, clock=self.clock, sleep=self.slept.append
        )
        self.courier = Courier(sender, self.document, chance=Least())
        self.runtime = Runtime(
            self.protocol,
            {
                ComfyWorker: lambda: FakeComfy(self._run),
                Courier: lambda: self.courier,
            },
        )

    def _run(self, listener: Listener) -> tuple[Output, ...]:
        return self.script(listener)

    def document(self, job_id: str, base: str) -> Mapping[str, Any] | None:
        try:
            return job_document(jobs.get(job_id), lambda key: f"{base}/files/{key}")
        except jobs.JobNotFound:
            return None

    def submit(self, url: str, *events: str) -> str:
        """Send a job with a webhook; it has not been delivered to a worker yet."""
        webhook = Webhook.of(url, events, base=BASE)
        job = jobs.submit(GRAPH, user_id="u", settings=Settings(), webhook=webhook)
        return job.job_id

    def work(self) -> None:
        """Carry out every waiting message, and what follows, one after the other."""
        for _ in range(100):
            if not self.backend.waiting:
                return
            self.work_once()
        raise AssertionError("messages beget messages without end")

    def work_once(self) -> None:
        """Carry out the oldest waiting message."""
        call, message = next(iter(self.backend.waiting.items()))
        execute(message)
        self.backend.waiting.pop(call, None)
        wait_for_announcers()

    def pass_time(self, seconds: float) -> None:
        """Move the clock, have the tick look, and carry out what is due."""
        self.clock.now += seconds
        tick(self.protocol)
        self.work()

    def redeliver(self, job_id: str, event: str | None = None) -> None:
        """Have events sent anew, and see them arrive."""
        redeliver(jobs.get(job_id), event)
        self.work()

    def told(self, job_id: str) -> tuple[Delivery, ...]:
        return deliveries(jobs.get(job_id))

    def the_only(self, job_id: str) -> Delivery:
        (delivery,) = self.told(job_id)
        return delivery


def wait_for_announcers() -> None:
    """Wait until what jobs had to tell has been handed over."""
    for thread in threading.enumerate():
        if thread.name == "announcer":
            thread.join(10)


class Least(random.Random):
    """Draws the least of what it is asked for: a schedule without jitter."""

    def uniform(self, a: float, b: float) -> float:
        return a


def an_output(name: str = "a.png") -> Output:
    """Return a picture, as it is stored."""
    return Output.from_json(
        {
            "node_id": "1",
            "kind": "image",
            "filename": name,
            "key": f"outputs/j/1/0000-{name}",
            "size_bytes": 7,
            "content_type": "image/png",
            "text": None,
            "width": 16,
            "height": 16,
            "duration_seconds": None,
            "frames": 1,
            "temporary": False,
        }
    )
