"""Calls that are not made yet, and their composition: in turn (`chain`) or side by side (`group`).

A chain or group is sent as one run of its own, and its `AsyncResult` is that run: known from the
moment of sending, like every other. Its members are ordinary runs under ids derived from its own
(``{id}.0``, ``{id}.1``, ...). What it promises:

* It reaches an end by itself, whatever dies; a member is sent once; the end is decided once, and
  carried out as that of every run: one final record, one link.
* A member that fails, is revoked or expires ends a chain at once. A group waits for all of its
  members and then fails with the first such one by index. Either fails with the error
  ``StepFailed``, which names the member and tells its error.
* Revoked before its end, it sends nothing more and revokes the members under way.

Why that holds is told in `canvas_tasks`. A member's record must outlive its canvas: do not
forget or purge those of a canvas that has not ended. On the eager backend steps run within each
other: Python's stack allows some forty of them in one chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, Unpack, cast, overload

from tasks.framework.message import round_trip
from tasks.framework.plan import CANVASES, CHAIN, GROUP, STOP, Internal, member
from tasks.framework.result import AsyncResult
from tasks.framework.runtime import runtime
from tasks.framework.sending import Declared, SendOptions, request_of

R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True)
class Signature(Generic[R]):
    """A call not made yet: task, arguments and options.

    ``immutable``: in a chain it is not given what came before it.
    """

    task: Declared
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    options: SendOptions = field(default_factory=SendOptions)
    immutable: bool = False

    def set(self, **options: Unpack[SendOptions]) -> Signature[R]:
        """Return a copy with these options, see `SendOptions`; None takes one back."""
        return replace(self, options=cast(SendOptions, {**self.options, **options}))

    def delay(self) -> AsyncResult[R]:
        """Send it."""
        return self.apply_async()

    def apply_async(self, **options: Unpack[SendOptions]) -> AsyncResult[R]:
        """Send it with further options.

        Raises:
            NotSerializable: an argument or header is not JSON.
            IdTaken: the id belongs to a run with other arguments.
            LimitReached: the owner's limit is reached.
            ValueError: an option cannot be used; the message names it.
        """
        protocol = runtime().protocol
        chosen = self.set(**options)._sent_with()
        sent = round_trip(list(self.args), "args"), round_trip(dict(self.kwargs), "kwargs")
        request = request_of(self.task, sent, chosen, protocol.clock())
        return AsyncResult(protocol.submit(request, limit=chosen.get("limit")))

    def __or__(self, other: Signature[T]) -> Signature[T]:
        """Return ``chain(self, other)``."""
        return chain(self, other)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, for a link."""
        if self.options or self.immutable:  # a link is a bare call; a chain can hold the rest
            return _chained(self).to_json()
        return {
            "task": self.task.name,
            "args": list(self.args),
            "kwargs": dict(self.kwargs),
            "timeout": self.task.timeout,
            "expires": self.task.expires,
        }

    def member(self) -> dict[str, Any]:
        """Return it as JSON, for a chain or group.

        Raises:
            NotSerializable: an argument or header is not JSON.
            ValueError: an option cannot be used there; the message names it.
        """
        sent = (self.args, self.kwargs)
        return member(self.task, sent, self._sent_with(), immutable=self.immutable)

    def steps(self) -> list[dict[str, Any]]:
        """Return its members if it is a plain chain, else itself as the only one."""
        plain = not (self.args or self.options or self.immutable)
        if self.task is CHAIN and plain:
            return [*self.kwargs["calls"]]
        return [self.member()]

    def _sent_with(self) -> SendOptions:
        """Return its options; a canvas that does not end well has its members stopped."""
        if self.task.name not in CANVASES:
            return self.options
        for name in ("timeout", "retry", "resources"):
            if self.options.get(name) is not None:
                raise ValueError(
                    f"{name} cannot be set on a chain or group: set it on its members"
                )
        then = self.options.get("link_error")
        stop: Signature[None] = Signature(STOP, kwargs={"then": then.to_json() if then else None})
        return {**self.options, "link_error": stop}


Step = Signature[Any]


@overload
def chain(last: Signature[R], /) -> Signature[R]: ...
@overload
def chain(a: Step, last: Signature[R], /) -> Signature[R]: ...
@overload
def chain(a: Step, b: Step, last: Signature[R], /) -> Signature[R]: ...
@overload
def chain(a: Step, b: Step, c: Step, last: Signature[R], /) -> Signature[R]: ...
@overload
def chain(*calls: Step) -> Step: ...


def chain(*calls: Step) -> Step:
    """Call in turn, each given the last one's result as its first argument.

    The type of the result is known up to four calls, and for any number of them by ``a | b | c``.

    Raises:
        NotSerializable: an argument or header is not JSON.
        ValueError: there is no call, or an option cannot be used; the message names it.
    """
    if not calls:
        raise ValueError("a chain needs at least one call: it has the result of its last one")
    return _chained(*calls)


@overload
def group(*calls: Signature[R] | Iterable[Signature[R]]) -> Signature[list[R]]: ...
@overload
def group(*calls: Step | Iterable[Step]) -> Signature[list[Any]]: ...


def group(*calls: Step | Iterable[Step]) -> Step:
    """Call side by side; the result is the list of results, in the order given.

    Takes calls, or iterables of calls. In a chain each of them is given what came before it.

    Raises:
        NotSerializable: an argument or header is not JSON.
        ValueError: an option cannot be used; the message names it.
    """
    members = [
        call.member()
        for each in calls
        for call in ([each] if isinstance(each, Signature) else each)
    ]
    return _canvas(GROUP, members)


def _chained(*calls: Step) -> Step:
    return _canvas(CHAIN, [step for call in calls for step in call.steps()])


def _canvas(kind: Internal, members: list[dict[str, Any]]) -> Step:
    return Signature(kind, kwargs={"calls": members})
