"""What a worker process holds for as long as it lives."""

from __future__ import annotations

from typing import ClassVar


class Worker:
    """Base of everything that is dear to start and is kept between runs.

    A task that names a worker class runs in a process that holds one instance of it. The order
    is always `boot`, `wake`, any number of runs, `close`; all three run in the main thread. On
    Modal a memory snapshot may be taken between `boot` and `wake`, and `wake` then runs after
    every restore, so whatever must not be frozen (connections, GPU state) belongs in `wake`.

    `boot` and `wake` clean up after themselves when they raise: nobody calls `close` for them.
    """

    pool: ClassVar[str] = "worker"
    """The name of the processes that hold this class; a class of its own needs its own."""

    def boot(self) -> None:
        """Start what may be part of a memory snapshot."""

    def wake(self) -> None:
        """Start what may not, and check that what `boot` started still works."""

    def close(self) -> None:
        """Stop everything. May be called twice, and after a failed `boot`."""
