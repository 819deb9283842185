"""The moment between snapshot and restore, as far as one process can live it."""

from __future__ import annotations

import asyncio
import json
import signal

from tests.local_modal.pool import Pool
from tests.local_modal.process_tree import descendants, sighting_of, signal_all
from tests.local_modal.records import Container
from tests.local_modal.state import State

CLIENT_CLOSES_SECONDS = 0.1  # the client closes its own connections first


async def snapshot_and_restore(state: State, pool: Pool, task: Container) -> None:
    """Look at the container as it would be frozen, freeze it if asked, and let it go on.

    A real snapshot fails with open connections; `strict_snapshot` kills such a container.
    """
    options = state.options
    await asyncio.sleep(max(CLIENT_CLOSES_SECONDS, options.snapshot_pause))
    assert task.proc is not None
    seen = sighting_of(task.proc.pid)
    seen["modal"] = [each for each in seen["connections"] if each.ports[1] in state.ports]
    seen["forbidden"] = [
        each
        for each in seen["connections"]
        if each.state == "ESTABLISHED" and not state.ports & set(each.ports)
    ]
    task.at_snapshot = seen
    if options.strict_snapshot and seen["forbidden"]:
        task.start_failure = f"snapshot refused, open connections: {seen['forbidden']}"
        with (task.dir / "container.log").open("a") as log:
            log.write(f"{task.start_failure}\n")
        pool.kill(task)
        return
    if options.snapshot_freeze:
        frozen = list(descendants(task.proc.pid))
        signal_all(frozen, signal.SIGSTOP)
        await asyncio.sleep(options.snapshot_freeze)
        signal_all(frozen, signal.SIGCONT)
    written = task.dir / "restore.tmp"
    written.write_text(json.dumps({"task_id": task.id, **options.restore_state}))
    written.rename(task.dir / "restore-state.json")
