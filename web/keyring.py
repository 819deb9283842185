"""The keys that callers may have, as this process knows them: read often, looked up seldom."""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import tasks.keys
from tasks.keys import SCOPES, Key, digest_of, id_of

MASTER = "master"
"""What API_KEY is called where callers are told apart."""

KEPT_SECONDS = 3.0
"""How long a key that was found good is taken for good: a revoked one lives as long, at most."""

NOTED_SECONDS = 60.0
"""How often the use of a key is written down, at most."""

MOST_KEPT = 10_000

DUMMY = digest_of("a key that nobody has")
"""What a key with an unknown id is compared with, so that it takes as long as any other."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rights:
    """What the sender of a request may do: only with `user_id`'s jobs, if there is one."""

    name: str
    scopes: frozenset[str]
    user_id: str | None = None

    @property
    def identity(self) -> str:
        """Who it is, whichever of a user's keys was sent: idempotency outlives a rotation."""
        return self.name if self.user_id is None else f"user:{self.user_id}"


@dataclass
class Keyring:
    """Tells what a key allows. Any number of threads may ask.

    `find` reads a key by its id, and `note_use` writes down that it was used.
    """

    master: str = field(repr=False)
    find: Callable[[str], Key | None] = tasks.keys.find
    note_use: Callable[[str], None] = tasks.keys.note_use
    clock: Callable[[], float] = time.time
    _known: dict[str, tuple[float, Key]] = field(default_factory=dict, repr=False)
    _noted: dict[str, float] = field(default_factory=dict, repr=False)
    _noting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def rights(self, secret: str) -> Rights | None:
        """Return what goes with a key as it was sent; None if it is not good.

        Only digests are compared, and as many for every key: the time it takes tells neither
        the characters of a key nor whether there is one with that id.
        """
        digest = digest_of(secret).encode()
        key_id = id_of(secret)
        key = self._look_up(key_id) if key_id else None
        is_master = hmac.compare_digest(digest, digest_of(self.master).encode())
        is_key = hmac.compare_digest(digest, (key.digest if key else DUMMY).encode())
        if is_master:
            return Rights(MASTER, frozenset(SCOPES))
        if not is_key or key is None or not key.valid(self.clock()):
            return None
        self._note(key)
        return Rights(f"key:{key.id}", frozenset(key.scopes), key.owner)

    def _look_up(self, key_id: str) -> Key | None:
        now = self.clock()
        looked, known = self._known.get(key_id, (0.0, None))
        if known and 0 <= now - looked < KEPT_SECONDS:
            return known
        key = self.find(key_id)
        if key and key.valid(now):
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            self._known[key_id] = (now, key)
        else:
            self._known.pop(key_id, None)
        return key

    def _note(self, key: Key) -> None:
        """Have the use written down by another thread, unless that was done of late."""
        now = self.clock()
        last = max(key.used or 0.0, self._noted.get(key.id, 0.0))
        if 0 <= now - last < NOTED_SECONDS or not self._noting.acquire(blocking=False):
            return  # while a slow store is being written to, uses go unnoticed
        if len(self._noted) >= MOST_KEPT:
            self._noted.clear()
        self._noted[key.id] = now
        threading.Thread(target=self._write, args=(key.id,), daemon=True).start()

    def _write(self, key_id: str) -> None:
        try:
            self.note_use(key_id)
        except Exception as error:  # noqa: BLE001 (any store's: a time of use is not worth a request)
            _log.warning("the use of key %s was not written down: %s", key_id, error)
        finally:
            self._noting.release()
