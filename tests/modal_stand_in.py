"""One stand-in of Modal's server for a whole session: no containers, a fresh app name per test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tasks.framework.stores.modal_dict import ModalDictStore
from tests.local_modal import LocalModal


@dataclass(frozen=True)
class StandIn:
    """The server and a client of it."""

    server: LocalModal
    client: Any

    def store(self, app: str | None = None) -> ModalDictStore:
        """Return a store; of an app of its own if none is named."""
        return ModalDictStore(app or f"t{uuid.uuid4().hex[:12]}", client=self.client)


@contextmanager
def stand_in(**options: Any) -> Iterator[StandIn]:
    """Start one without containers."""
    with LocalModal(run_containers=False, **options) as server:
        client = server.client()
        try:
            yield StandIn(server, client)
        finally:
            client.__exit__(None, None, None)
