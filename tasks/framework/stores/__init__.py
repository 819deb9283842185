"""The Store port: where the records of unfinished runs live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

Json = Mapping[str, Any]


class Store(Protocol):
    """Small records by key. ``add`` is the only atomic promise the protocol needs.

    A value is a non-empty JSON object; keys are strings of ``:``-separated parts. A read is
    never older than a completed write.
    """

    def add(self, key: str, value: Json) -> bool:
        """Store only if absent; say whether it did. Of many callers exactly one hears True."""

    def put(self, key: str, value: Json) -> None:
        """Store, replacing what was there."""

    def get(self, key: str) -> Json | None:
        """Return the value, or None."""

    def delete(self, *keys: str, if_value: Json | None = None) -> None:
        """Remove them in this order, at once if the store can; absent is fine.

        With ``if_value``, only those that have this value.
        """

    def scan(self, prefix: str) -> Iterator[tuple[str, Json]]:
        """Yield every record whose key starts with the prefix, in the order of their keys."""
