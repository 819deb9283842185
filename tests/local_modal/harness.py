"""The stand-in as tests hold it: look at it, act as Modal's server would, do harm to it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from grpclib import Status
from modal_proto import api_pb2 as pb

from tests.local_modal.image_imports import Missing, missing_packages
from tests.local_modal.records import Call, Container, Function
from tests.local_modal.rpc import Fault
from tests.local_modal.running import Running
from tests.local_modal.summary import Description, summary_of
from tests.waiting import eventually

T = TypeVar("T")


class LocalModal(Running):
    """Modal on this machine, from `with` to the end of the block. All methods may block.

    What runs is Modal's own: the command line, the client, the entry point of containers. The
    server is ours: it builds no images, gives no GPUs and confines nothing.
    """

    # Looking at it.

    def summary(self, app: str | None = None) -> Description:
        """Describe an app (the one deployed last): all that Modal's server would know of it."""
        return summary_of(self.plane.state, self._app_id(app))

    def function(self, name: str, app: str | None = None) -> Function:
        """Return the definition of a function or a class."""
        functions = self.plane.state.apps[self._app_id(app)].functions
        tag = name if name in functions else f"{name}.*"
        return self.plane.state.functions[functions[tag]]

    def _app_id(self, app: str | None) -> str:
        deployed = self.plane.state.deployed
        return deployed[app] if app else next(reversed(deployed.values()))

    def web_url(self, name: str, method: str = "") -> str:
        """Return where a web function listens."""
        function = self.function(name)
        return function.method_urls[method] if method else function.web_url

    def tasks(self, name: str | None = None) -> list[Container]:
        """Return all containers there have been, or those of one function or class."""
        every = self.plane.state.all_tasks
        return [each for each in every if name is None or each.fn.name in {name, f"{name}.*"}]

    def logs(self, name: str | None = None) -> str:
        """Return what containers have printed."""
        return "".join(f"--- {t.id} {t.fn.name}\n{t.log()}" for t in self.tasks(name))

    def calls(self) -> dict[str, Call]:
        """Return the FunctionCalls by id."""
        return self.plane.state.calls

    def requests(self, rpc: str) -> list[Any]:
        """Return the messages that came in for one rpc of Modal's protocol."""
        return [each.message for each in self.plane.switchboard.log if each.name == rpc]

    @property
    def unimplemented(self) -> set[str]:
        """The rpcs that were called and have no answer here."""
        return self.plane.switchboard.unimplemented

    def volume_dir(self, name: str) -> Path:
        """Return the directory that is a Volume."""
        state = self.plane.state
        return state.volumes[state.volume_names[name]].dir

    def missing_packages(
        self,
        name: str,
        *,
        also: Sequence[str] = (),
        late: bool = False,
    ) -> list[Missing]:
        """Return what the containers of a function import and its image does not install.

        Args:
            name: The function or class.
            also: Modules that it imports when it runs, to be followed like its own.
            late: Follow all imports inside functions.
        """
        return missing_packages(self.plane.state, self.function(name), also, late=late)

    def wait(self, look: Callable[[], T], timeout: float = 30.0) -> T:
        """Return what `look` finds as soon as it is truthy."""
        return eventually(look, timeout)

    # Acting as Modal's server does by itself.

    def fire_schedule(self, name: str, timeout: float = 60.0) -> pb.FunctionGetOutputsItem:
        """Run a scheduled function once, as when its time has come; return its result."""
        return self.fire_together(name, 1, timeout)[0]

    def fire_together(
        self, name: str, times: int, timeout: float = 60.0
    ) -> list[pb.FunctionGetOutputsItem]:
        """Run a scheduled function several times at once; return the results."""
        function, plane = self.function(name), self.plane
        if not function.proto.HasField("schedule"):
            raise ValueError(f"{name} has no schedule")

        async def fire() -> list[pb.FunctionGetOutputsItem]:
            fired = [plane.calls.fire(function) for _ in range(times)]
            await plane.state.wait_for(lambda: all(i.output for i in fired), timeout)
            return [each.output for each in fired if each.output]

        results = self._do(fire(), timeout + 5)
        if len(results) < times:
            raise TimeoutError(f"{name} has not ended after {timeout:g} s\n{self.logs(name)}")
        return results

    def start_container(self, name: str, n: int = 1) -> list[Container]:
        """Start more containers whatever the load, such as two of a web function."""
        function = self.function(name)

        async def start() -> list[Container]:
            return [self.plane.pool.start(function) for _ in range(n)]

        return self._do(start(), 10)

    def stop_task(self, task: Container) -> None:
        """Scale down: the container gets no more inputs, and runs its exit hooks."""

        async def stop() -> None:
            task.stopping = True
            self.plane.state.notify()
            await self.plane.state.wait_for(lambda: task.exited, 35)

        self._do(stop(), 40)

    def preempt(self, task: Container, grace: float = 30.0, *, group: bool = False) -> None:
        """SIGINT, and SIGKILL after the grace in seconds; what runs goes to another container.

        With `group` the SIGINT goes to all processes of the container's group, too.
        """

        async def preempt() -> None:
            task.redeliver = True
            self.plane.pool.kill(task, signal.SIGINT, group=group)
            if not await self.plane.state.wait_for(lambda: task.exited, grace):
                self.plane.pool.kill(task)
                await self.plane.state.wait_for(lambda: task.exited, 10)

        self._do(preempt(), grace + 15)

    def expire(self, call_id: str) -> None:
        """Forget the results of a call, as Modal does after seven days."""

        async def expire() -> None:
            self.calls()[call_id].expired = True

        self._do(expire(), 5)

    def age_dicts(self, days: float) -> None:
        """Let days pass: entries of Dicts lapse when unused for seven."""

        async def age() -> None:
            self.plane.dicts.age(days)

        self._do(age(), 5)

    # Doing harm.

    def crash(self, task: Container, main_only: bool = False, *, redeliver: bool = False) -> None:
        """Kill a container, as for want of memory, or only its main process.

        With `redeliver` what ran in it goes to another container, as when a machine is lost.
        """

        async def crash() -> None:
            task.redeliver = redeliver
            if main_only and task.proc is not None:
                self.plane.pool.note_family(task)
                task.proc.kill()
            else:
                self.plane.pool.kill(task)
            await self.plane.state.wait_for(lambda: task.exited, 10)

        self._do(crash(), 15)

    def fault(
        self,
        rpc: str,
        *,
        n: int = 1,
        when: Literal["before", "after"] = "before",
        match: Callable[[Any, str], bool] | None = None,
        status: Status | Callable[[Any, str], None] = Status.UNAVAILABLE,
    ) -> None:
        """Let the next `n` calls of an rpc fail: before they act, or after (the answer is lost).

        Args:
            rpc: Its name in Modal's protocol, such as "DictUpdate".
            n: How many times.
            when: For rpcs that stream their answer, only "before".
            match: Which calls, by their message and the id of the container that calls.
            status: With what, or a function to be called instead.
        """
        self.plane.switchboard.faults.append(Fault(when, rpc, n, match, status))
