"""A stand-in for Modal's servers, for tests without an account or a network: see README.md."""

from __future__ import annotations

from tests.local_modal.harness import LocalModal
from tests.local_modal.records import Call, Container, Function
from tests.local_modal.running import DeployFailed

__all__ = ["Call", "Container", "DeployFailed", "Function", "LocalModal"]
