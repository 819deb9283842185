"""Operations that answer what a test told them to."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from tasks.framework.totals import Totals
from tasks.operations import Figures

NOTHING = Figures(queued=0, running=0, workers=1, totals=Totals(), deliveries=Totals())


@dataclass
class ToldOperations:
    """Counts how often the store was asked; `hold`, if it is there, keeps it from answering."""

    told: Figures = NOTHING
    failure: Exception | None = None
    asked: int = 0
    hold: threading.Event | None = None
    held: threading.Event = field(default_factory=threading.Event)

    def figures(self) -> Figures:
        return self.told

    def queued(self, most: int) -> int:
        return min(self.told.queued, most)

    def workers(self) -> int | None:
        return self.told.workers

    def ask_store(self) -> None:
        self.asked += 1
        if self.hold:
            self.held.set()
            assert self.hold.wait(30)
        if self.failure:
            raise self.failure
