"""A worker process's ComfyUI: started once, watched, and started again when it dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from comfy_runner import facts
from comfy_runner.awakening import BOOT, WAKE, Awakening
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


class ComfyWorker(Worker):
    """Runs workflows one after another on a ComfyUI of its own.

    `directory` belongs to this worker alone; outputs go to `bucket`; `media` bounds input files;
    `on_catalog` gets what nodes and models there are, in a thread, after every wake and whenever
    models change; the rest is as in `ComfyServer`. `awakening` tells when it became able to work.
    """

    pool: ClassVar[str] = "comfy"

    billing: Billing | None = None
    """What its time costs: for whoever makes it to set, once the GPU can be asked for its name."""

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
        patience: Patience | None = None,
        on_catalog: Callable[[Catalog], None] | None = None,
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
        )
        self._runner: Runner = Runner(self.server, bucket, media, patience=patience)
        self._watch = CatalogWatch(lambda: self.server.url, on_catalog) if on_catalog else None
        self.awakening = Awakening()

    @property
    def stopwatch(self) -> Stopwatch:
        """What the newest `run` spent its time on."""
        return self._runner.stopwatch

    def boot(self) -> None:
        """Start ComfyUI and wait until it answers.

        Raises:
            ComfyUnavailable: it did not; nothing is left running.
        """
        try:
            with self.awakening.measure(BOOT):
                self.server.start()
                facts.load()  # meanwhile
                self.server.wait_ready()
        except BaseException:
            self.close()
            raise

    def wake(self) -> None:
        """Start ComfyUI again if it did not live through the snapshot, and begin telling of it.

        Raises:
            ComfyUnavailable: it does not start.
        """
        with self.awakening.measure(WAKE):
            if not self.server.alive:
                self.boot()
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

    @staticmethod
    def _report(error: ComfyError) -> Iterator[str]:
        yield f"{error.message}; ComfyUI is started again and the workflow runs once more"
        for line in error.log[-REPORTED_LINES:]:
            yield f"ComfyUI's log: {public(line)}"
