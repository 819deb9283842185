"""One party: a generator standing before its next operation."""

from __future__ import annotations

from typing import Any, Protocol

from tests.protocol.model.terms import Op


class Going(Protocol):
    """What carries an actor on: a generator, or something that behaves like one."""

    def send(self, value: Any, /) -> Op:
        """Hand over the result of the last operation; return the next. StopIteration: over."""

    def close(self) -> None:
        """End it where it stands."""


class Actor:
    """A party to the protocol; not alive once it has returned or crashed."""

    def __init__(self, name: str, gen: Going) -> None:
        self.name, self.gen, self.alive = name, gen, True
        self.op: Op = ()
        self.knew: list[str] | None = None  # what had been answered when this one began
        self.own: list[str] = []
        self.advance(None)

    def advance(self, value: Any) -> None:
        try:
            self.op = self.gen.send(value)
        except StopIteration:
            self.op, self.alive = (), False

    def state(self) -> str:
        """Return where it stands and what it knows, for hashing."""
        out: list[Any] = [self.name, self.op, self.knew]
        gen: Any = self.gen
        while gen is not None and gen.gi_frame is not None:
            known = gen.gi_frame.f_locals.items()
            kept = sorted((k, repr(v)) for k, v in known if k != "m" and "<gen" not in repr(v))
            out.append((gen.gi_code.co_name, gen.gi_frame.f_lasti, kept))
            gen = gen.gi_yieldfrom
        return repr(out)


def show(op: Op) -> str:
    return " ".join(str(part) for part in op)
