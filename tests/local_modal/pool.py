"""Containers: how many there are, and what becomes of inputs when one ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from modal_proto import api_pb2 as pb

from tests.local_modal.launching import CannotStart, launch
from tests.local_modal.process_tree import (
    command_of,
    descendants,
    process_table,
    signal_all,
)
from tests.local_modal.records import Container, Function, Input
from tests.local_modal.results import CANCELLED, Results, failed
from tests.local_modal.state import State

WATCH_SECONDS = 0.25  # between two looks at what a container has started
DEATH_SECONDS = 0.05  # for the kernel to end those who die with their parent


class Pool:
    """All containers; a function has as many as its inputs need, up to its maximum."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.results = Results(state, self.scale)

    def scale(self, function: Function) -> None:
        """Start the containers that the inputs of a function need."""
        options = self._state.options
        if not options.run_containers or self._state.closing:
            return
        live = [task for task in function.tasks.values() if not task.stopping]
        inputs = len(function.queue) + sum(len(task.running) for task in live)
        settings = function.proto.autoscaler_settings
        need = -(-inputs // max(1, function.proto.max_concurrent_inputs))
        if options.start_min_containers and not self._state.apps[function.app_id].done.is_set():
            need = max(need, settings.min_containers)
        most = settings.max_containers or options.container_cap
        for _ in range(min(need, most, options.container_cap) - len(live)):
            self.start(function)

    def start(self, function: Function) -> Container:
        """Begin one more container."""
        task_id = self._state.new_id("ta")
        task = Container(task_id, function, self._state.directory / "tasks" / task_id)
        task.dir.mkdir(parents=True)
        function.tasks[task.id] = self._state.tasks[task.id] = task
        self._state.all_tasks.append(task)
        self._state.in_background(self._run(task))
        return task

    async def _run(self, task: Container) -> None:
        try:
            task.proc = await launch(self._state, task)
        except CannotStart as refusal:
            task.returncode, task.start_failure = 1, str(refusal)
            (task.dir / "container.log").write_text(f"Runner failed with exception: {refusal}\n")
        else:
            if self._state.closing:  # it was about to start when the stop came
                self.kill(task)
            guard = self._state.in_background(self._limit_start(task))
            watch = self._state.in_background(self._watch_family(task))
            task.returncode = await task.proc.wait()
            watch.cancel()
            guard.cancel()
            await self._end_family(task)
        await self._ended(task)

    async def _ended(self, task: Container) -> None:
        task.exited = True
        function = task.fn
        function.tasks.pop(task.id, None)
        self._state.tasks.pop(task.id, None)
        lost, task.running = list(task.running.values()), {}
        for each in lost:
            await self._lost(task, each)
        failure = failure_to_start(task)
        if failure is None:
            self.scale(function)
        while failure is not None and function.queue:
            self.results.finish(function.queue.popleft(), failure)
        self._state.notify()

    async def _lost(self, task: Container, each: Input) -> None:
        """Decide on an input that ran in a container when it ended."""
        if each.status != "running":
            return
        if each.call.cancelled:
            self.results.finish(each, CANCELLED)
        elif task.redeliver or task.cancel_sent:  # the latter: bystanders of a cancelled input
            each.status, each.task = "pending", None
            task.fn.queue.appendleft(each)
        else:
            text = f"container {task.id} exited with code {task.returncode}"
            await self.results.settle(
                each, failed(pb.GenericResult.GENERIC_STATUS_INTERNAL_FAILURE, text)
            )

    async def _limit_start(self, task: Container) -> None:
        """Kill a container that does not ask for inputs within the time for its start."""
        seconds = task.fn.proto.startup_timeout_secs or task.fn.proto.timeout_secs
        if not seconds:
            return
        await asyncio.sleep(seconds)
        if not task.ready:
            task.start_failure = f"Container startup timed out after {seconds} s"
            self.kill(task)

    def kill(
        self, task: Container, signum: signal.Signals = signal.SIGKILL, *, group: bool = False
    ) -> None:
        """Signal a container, which gets no more inputs; SIGKILL takes all its processes."""
        task.stopping = True
        if task.proc is None or task.proc.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if signum == signal.SIGKILL:
                self.note_family(task)
                os.killpg(task.proc.pid, signum)
                signal_all(surviving(task), signum)
            elif group:
                os.killpg(task.proc.pid, signum)
            else:
                task.proc.send_signal(signum)

    def note_family(self, task: Container) -> None:
        """Remember which processes the container has now."""
        assert task.proc is not None
        for pid, start in descendants(task.proc.pid).items():
            if pid != task.proc.pid and task.family.get(pid, ("",))[0] != start:
                task.family[pid] = (start, command_of(pid))

    async def _watch_family(self, task: Container) -> None:
        while True:
            self.note_family(task)
            await asyncio.sleep(WATCH_SECONDS)

    async def _end_family(self, task: Container) -> None:
        """End what is left: a Modal container dies as a whole, here a session would live on."""
        await asyncio.sleep(DEATH_SECONDS)
        left = surviving(task)
        task.orphans += [command_of(pid) or task.family[pid][1] for pid in left]
        if not self._state.options.keep_orphans:
            table = process_table()
            signal_all([each for pid in left for each in descendants(pid, table)], signal.SIGKILL)


def surviving(task: Container) -> list[int]:
    """Return which of the processes that a container has started still live."""
    table = process_table()
    return [pid for pid, (start, _) in task.family.items() if table.get(pid, (0, ""))[1] == start]


def failure_to_start(task: Container) -> pb.GenericResult | None:
    """Return the result for all that wait for a container which never took an input.

    Modal tries some more times before it gives up; here the first time decides.
    """
    if task.n_inputs:
        return None
    if task.task_result is not None:
        return task.task_result
    text = task.start_failure
    if not text and task.returncode and not task.stopping and not task.redeliver:
        text = f"container {task.id} exited with code {task.returncode} before taking inputs"
    return failed(pb.GenericResult.GENERIC_STATUS_INIT_FAILURE, text) if text else None
