"""Stand-ins of Modal's server, as the framework's tests need them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.framework import Protocol, configure
from tasks.framework.stores.modal_dict import ModalDictStore
from tests.local_modal import LocalModal
from tests.tasks.framework import modal_contract

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class StandIn:
    """The server and a client of it."""

    server: LocalModal
    client: Any

    def store(self, app: str | None = None) -> ModalDictStore:
        """Return a store; of an app of its own if none is named."""
        return ModalDictStore(app or f"t{uuid.uuid4().hex[:12]}", client=self.client)


@contextmanager
def stand_in(*, run_containers: bool = False, **options: Any) -> Iterator[StandIn]:
    """Start one, usually without containers."""
    with LocalModal(run_containers=run_containers, **options) as server:
        client = server.client()
        try:
            yield StandIn(server, client)
        finally:
            client.__exit__(None, None, None)  # type: ignore[no-untyped-call]  # Modal's own


@dataclass(frozen=True)
class ContractApp(StandIn):
    """The app of `modal_contract`, deployed, and this process wired up as a client of it."""

    protocol: Protocol
    data: Path


@contextmanager
def contract_app(
    data: Path, *, run_containers: bool = True, **options: Any
) -> Iterator[ContractApp]:
    """Deploy it; its containers import this checkout and share a directory with this process."""
    place = {"CONTRACT_DATA": str(data)}
    with stand_in(
        run_containers=run_containers,
        container_pythonpath=[str(ROOT)],
        container_env=place,
        heartbeat_interval=1,
        **options,
    ) as started:
        started.server.deploy(modal_contract.__name__, module=True, cwd=ROOT)
        protocol = modal_contract.configured(data, started.client)
        try:
            yield ContractApp(started.server, started.client, protocol, data)
        finally:
            configure(None)
