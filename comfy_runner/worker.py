"""A worker process's ComfyUI: started once, watched, and started again when it dies."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from comfy_runner import facts
from comfy_runner.awakening import BOOT, WAKE, WARM_UP, Awakening
from comfy_runner.billing import Billing
from comfy_runner.bucket import Bucket
from comfy_runner.errors import (
    ComfyCrashed,
    ComfyError,
    ComfyNotInstalled,
    ComfyUnavailable,
    Stalled,
)
from comfy_runner.installation import Installation
from comfy_runner.media import Policy
from comfy_runner.outputs import Output
from comfy_runner.stopwatch import Stopwatch
from comfy_runner.verdict import public
from comfy_runner.watchdog import Patience
from comfy_runner.work import Listener, Work
from tasks.framework.worker import Worker

if TYPE_CHECKING:
    from comfy_runner.catalog import Catalog
    from comfy_runner.runner import Runner
    from comfy_runner.server import ComfyServer

REPORTED_LINES = 10

logger = logging.getLogger(__name__)


class ComfyWorker(Worker):
    """Runs workflows one after another on a ComfyUI of its own.

    `directory` belongs to this worker alone; outputs go to `bucket`; `media` bounds input files;
    `on_catalog` gets what nodes and models there are, in a thread, after every wake and whenever
    models change; the rest is as in `ComfyServer`. `awakening` tells when it became able to work.

    With `snapshot`, ComfyUI starts without a GPU in `boot`, after which the process's memory may
    be saved, and gets it in `wake`. What makes that impossible, in either, is told in `fell_back`,
    and ComfyUI is started as usual in `wake`.
    """

    pool: ClassVar[str] = "comfy"

    billing: Billing | None = None
    """What its time costs: for whoever makes it to set, once the GPU can be asked for its name."""

    warm_up: Work | None = None
    """What to run after every wake, before the first job: for whoever makes it to set."""

    def __init__(
        self,
        installation: Installation,
        directory: Path,
        bucket: Bucket,
        media: Policy,
        *,
        device: Literal["cpu", "gpu"] = "cpu",
        arguments: Sequence[str] = (),
        start_timeout: float = 120.0,
        keep_metadata: bool = False,
        models_dir: Path | None = None,
        patience: Patience | None = None,
        on_catalog: Callable[[Catalog], None] | None = None,
        snapshot: bool = False,
    ) -> None:
        # A web process knows this class, because a task names it, and never makes one: it should
        # not load what only a worker needs.
        from comfy_runner.catalog_watch import CatalogWatch  # noqa: PLC0415 - see above
        from comfy_runner.runner import Runner  # noqa: PLC0415 - likewise
        from comfy_runner.server import ComfyServer  # noqa: PLC0415 - likewise

        self.server: ComfyServer = ComfyServer(
            installation,
            directory,
            device=device,
            arguments=arguments,
            start_timeout=start_timeout,
            keep_metadata=keep_metadata,
            models_dir=models_dir,
        )
        self._runner: Runner = Runner(self.server, bucket, media, patience=patience)
        self._watch = CatalogWatch(lambda: self.server.url, on_catalog) if on_catalog else None
        self.awakening = Awakening()
        self.fell_back: str | None = None
        self._media = media
        self._snapshot = snapshot
        self._gpu_expected = device == "gpu"

    @property
    def stopwatch(self) -> Stopwatch:
        """What the newest `run` spent its time on."""
        return self._runner.stopwatch

    @property
    def device_name(self) -> str:
        """What ComfyUI computes on, as it calls that: "cuda:0 NVIDIA L40S : ..."; else blank."""
        from comfy_runner.client import ComfyClient  # noqa: PLC0415 - as in __init__

        try:
            with ComfyClient(self.server.url) as client:
                devices = client.system_stats().get("devices") or [{}]
        except ComfyUnavailable:
            return ""
        return str(devices[0].get("name", ""))

    def boot(self) -> None:
        """Start ComfyUI and wait until it answers.

        Raises:
            ComfyUnavailable: it did not; nothing is left running. With `snapshot` that is left to
                `wake`, because where a snapshot is made there is no GPU to start it with.
        """
        self.fell_back = None
        with self._cleaning_up(), self.awakening.measure(BOOT):
            if not self._snapshot:
                self._start()
                return
            try:
                self._start(hide_cuda=True)
            except ComfyUnavailable as error:
                self._fall_back(f"ComfyUI did not start without a GPU: {error.message}", error.log)

    def wake(self) -> None:
        """Give ComfyUI its GPU, or start it if it does not live or does not take it.

        What it has is told from now on.

        Raises:
            ComfyUnavailable: it does not start; nothing is left running.
        """
        with self._cleaning_up():
            with self.awakening.measure(WAKE):
                if self.server.hidden and self.fell_back is None:
                    self._show_gpu()
                if self.server.alive:
                    self._reseed()
                else:
                    self._start()
            self._warm_up()
        if self._watch is not None:
            self._watch.start()

    def close(self) -> None:
        """Stop ComfyUI. Idempotent."""
        if self._watch is not None:
            self._watch.stop()
        self.server.stop()

    def run(self, work: Work, *, job_id: str, listener: Listener) -> tuple[Output, ...]:
        """Run one workflow; when ComfyUI dies or stalls, start it again and run it once more.

        Raises:
            ComfyCrashed: ComfyUI died twice; probably of this very workflow.
            Stalled: ComfyUI stopped working twice.
            ComfyUnavailable: ComfyUI does not start, or did not answer twice.
            ComfyError: anything else that went wrong, as `Runner.run` says.
        """
        self.stopwatch.reset()
        try:
            return self._run(work, job_id, listener)
        except ComfyNotInstalled:
            raise
        except (ComfyCrashed, ComfyUnavailable, Stalled) as error:
            for line in self._report(error):
                listener.log(line)
        self.server.kill()
        return self._run(work, job_id, listener)

    def _run(self, work: Work, job_id: str, listener: Listener) -> tuple[Output, ...]:
        if not self.server.alive:
            listener.log("starting ComfyUI")
            self.server.start()
        self.server.wait_ready()
        return self._runner.run(work, job_id=job_id, listener=listener)

    @contextmanager
    def _cleaning_up(self) -> Iterator[None]:
        """Leave nothing running behind whatever breaks off the block: Modal calls no exit then."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _start(self, *, hide_cuda: bool = False) -> None:
        self.server.start(hide_cuda=hide_cuda)
        facts.load()  # meanwhile
        self.server.wait_ready()
        if hide_cuda:
            from comfy_runner.snapshot import warm_up  # noqa: PLC0415 - as in __init__

            warm_up(self.server.url)

    def _warm_up(self) -> None:
        """Run the warm-up, if there is one; jobs can do without, whatever comes of it."""
        if self.warm_up is None:
            return
        from comfy_runner.warm_up import warm_up  # noqa: PLC0415 - as in __init__

        try:
            with self.awakening.measure(WARM_UP):
                warm_up(self.server, self.warm_up, self._media)
        except ComfyError as error:
            logger.warning("the warm-up failed: %s", error.message)
        except Exception:  # a fault of ours must not keep a worker from its jobs either
            logger.exception("the warm-up failed")
        if not self.server.alive:
            self._start()

    def _show_gpu(self) -> None:
        from comfy_runner.snapshot import GPU_SECONDS, give_gpu  # noqa: PLC0415 - as in __init__

        if not self.server.alive:
            self._fall_back(f"ComfyUI {self.server.ending} after its start without a GPU")
            return
        try:
            give_gpu(self.server.url, seconds=GPU_SECONDS if self._gpu_expected else 0.0)
        except ComfyUnavailable as error:
            self._fall_back(error.message)

    def _reseed(self) -> None:
        """Tell this ComfyUI's random numbers apart from those of others with the same memory."""
        from comfy_runner.client import ComfyClient  # noqa: PLC0415 - as in __init__

        try:
            with ComfyClient(self.server.url) as client:
                client.reseed()
        except ComfyUnavailable as error:  # it has seeds; they may only be those of others, too
            logger.warning("random numbers keep the seeds of the memory snapshot: %s", error)

    def _fall_back(self, reason: str, log: Sequence[str] = ()) -> None:
        logger.warning("no use is made of a memory snapshot: %s", reason)
        for line in log[-REPORTED_LINES:]:
            logger.warning("ComfyUI's log: %s", line)
        self.fell_back = reason
        self.server.kill()

    @staticmethod
    def _report(error: ComfyError) -> Iterator[str]:
        yield f"{error.message}; ComfyUI is started again and the workflow runs once more"
        for line in error.log[-REPORTED_LINES:]:
            yield f"ComfyUI's log: {public(line)}"
