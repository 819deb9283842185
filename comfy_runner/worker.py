"""A worker process's ComfyUI: started once, watched, and started again when it dies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from comfy_runner.bucket import Bucket
from comfy_runner.errors import ComfyCrashed
from comfy_runner.graph import Graph
from comfy_runner.installation import Installation
from comfy_runner.outputs import Output
from comfy_runner.progress import Snapshot
from tasks.framework.worker import Worker

if TYPE_CHECKING:
    from comfy_runner.runner import Runner
    from comfy_runner.server import ComfyServer


class ComfyWorker(Worker):
    """Runs workflows one after another on a ComfyUI of its own.

    `directory` belongs to this worker alone; outputs go to `bucket`; the rest is as in
    `ComfyServer`.
    """

    pool: ClassVar[str] = "comfy"

    def __init__(
        self,
        installation: Installation,
        directory: Path,
        bucket: Bucket,
        *,
        device: Literal["cpu", "gpu"] = "cpu",
        arguments: Sequence[str] = (),
        start_timeout: float = 120.0,
    ) -> None:
        # A web process knows this class, because a task names it, and never makes one: it should
        # not load what only a worker needs.
        from comfy_runner.runner import Runner  # noqa: PLC0415 - see above
        from comfy_runner.server import ComfyServer  # noqa: PLC0415 - likewise

        self.server: ComfyServer = ComfyServer(
            installation,
            directory,
            device=device,
            arguments=arguments,
            start_timeout=start_timeout,
        )
        self._runner: Runner = Runner(self.server, bucket)

    def boot(self) -> None:
        """Start ComfyUI and wait until it answers.

        Raises:
            ComfyUnavailable: it did not; nothing is left running.
        """
        try:
            self.server.start()
            self.server.wait_ready()
        except BaseException:
            self.close()
            raise

    def wake(self) -> None:
        """Start ComfyUI again if it did not live through the snapshot."""
        if not self.server.alive:
            self.boot()

    def close(self) -> None:
        """Stop ComfyUI. Idempotent."""
        self.server.stop()

    def run(
        self,
        graph: Graph,
        *,
        job_id: str,
        on_progress: Callable[[Snapshot], None],
        on_log: Callable[[str], None],
    ) -> tuple[Output, ...]:
        """Run one workflow; when ComfyUI dies under it, start ComfyUI again and run it once more.

        Raises:
            ComfyCrashed: ComfyUI died twice; probably of this very workflow.
            ComfyError: anything else that went wrong, as `Runner.run` says.
        """
        if not self.server.alive:
            on_log("ComfyUI is not running; starting it")
            self.boot()
        try:
            return self._runner.run(graph, job_id=job_id, on_progress=on_progress, on_log=on_log)
        except ComfyCrashed:
            on_log("ComfyUI crashed; it is started again and the workflow runs once more")
            self.boot()
            return self._runner.run(graph, job_id=job_id, on_progress=on_progress, on_log=on_log)
