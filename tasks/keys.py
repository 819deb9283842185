"""The keys of callers: made once, kept as digests only, and revoked for good.

Three records make up a key, and each is written by itself, so that nobody has to read one in
order to change it: ``key:{id}`` says what it is and never changes, ``key:{id}:revoked`` is added
when it is revoked, and ``key:{id}:used`` is put now and then and is of interest to people only.
The first part of these names is none that names a run, so that the sweep passes them by.
"""

from __future__ import annotations

import math
import re
import secrets
import string
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

from tasks.framework import runtime

READ, WRITE, ADMIN = "jobs:read", "jobs:write", "admin"
SCOPES = (WRITE, READ, ADMIN)
"""What a key may be for: sending and ending jobs, looking at them, and what operators see."""

DAY = 86_400.0

KEPT_SECONDS = 30 * DAY
"""How long a key that is no longer good stays in the list, for who wonders why it is refused."""

LONGEST_OWNER = 200
"""How many characters the id of a user has at most, as in a submission."""

_KEY = re.compile(r"ck_([0-9a-z]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
_ALPHABET = string.ascii_lowercase + string.digits
_ATTEMPTS = 10


class UnknownKey(LookupError):
    """No key has this id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"there is no key {key_id!r}: `manage.py keys list` shows those there are"
        )
        self.key_id = key_id


@dataclass(frozen=True)
class Key:
    """What is known of a key; times are in seconds since 1970.

    ``digest`` is the SHA-256 of the whole secret, in hex: it has 256 random bits, which nobody
    can guess, so that a slow hash would protect nothing. A key with an ``owner`` is bound to
    the jobs of that user.
    """

    id: str
    digest: str
    owner: str | None
    scopes: tuple[str, ...]
    created: float
    expires: float | None
    revoked: float | None = None
    used: float | None = None

    def valid(self, now: float) -> bool:
        """Tell whether it lets anybody in at that moment."""
        return self.revoked is None and (self.expires is None or now < self.expires)

    @property
    def ended(self) -> float:
        """Since when it lets nobody in, or will; infinity if nothing is known of that."""
        return min(
            math.inf if self.revoked is None else self.revoked,
            math.inf if self.expires is None else self.expires,
        )

    def to_json(self) -> dict[str, Any]:
        """Return what is recorded when it is made."""
        return {
            "digest": self.digest,
            "owner": self.owner,
            "scopes": list(self.scopes),
            "created": self.created,
            "expires": self.expires,
        }

    @classmethod
    def of(cls, key_id: str, *, made: Any, revoked: Any, used: Any) -> Self:
        """Put a key together from its records; the last two may be absent."""
        return cls(
            id=key_id,
            digest=made["digest"],
            owner=made["owner"],
            scopes=tuple(made["scopes"]),
            created=made["created"],
            expires=made["expires"],
            revoked=revoked["at"] if revoked else None,
            used=used["at"] if used else None,
        )


def id_of(secret: str) -> str | None:
    """Return the id in a key as clients send it; None if it does not look like one."""
    found = _KEY.fullmatch(secret)
    return found[1] if found else None


def digest_of(secret: str) -> str:
    """Return what is kept of a key. Any text has a digest, also one that no header can hold."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def create(
    *, owner: str | None = None, scopes: Collection[str] = (WRITE, READ), days: int | None = None
) -> tuple[str, Key]:
    """Make a key; return its secret, which is kept nowhere, and what is known of it.

    Args:
        owner: the user whose jobs alone it is for; None means everybody's.
        scopes: what it is for.
        days: after how many it expires; None means never.

    Raises:
        ValueError: the owner or a scope cannot be, or they do not go together.
    """
    _check(owner, scopes)
    protocol = runtime().protocol
    now = protocol.clock()
    for _ in range(_ATTEMPTS):
        key_id = "".join(secrets.choice(_ALPHABET) for _ in range(8))
        secret = f"ck_{key_id}_{secrets.token_urlsafe(32)}"
        key = Key(
            id=key_id,
            digest=digest_of(secret),
            owner=owner,
            scopes=tuple(scope for scope in SCOPES if scope in scopes),
            created=now,
            expires=now + days * DAY if days is not None else None,
        )
        if protocol.store.add(f"key:{key_id}", key.to_json()):
            return secret, key
    raise RuntimeError(f"{_ATTEMPTS} random ids in a row are taken: the random source is broken")


def find(key_id: str) -> Key | None:
    """Read one key, whether or not it is still good; None if there is none with that id."""
    store = runtime().protocol.store
    made = store.get(f"key:{key_id}")
    if made is None:
        return None
    revoked, used = (store.get(f"key:{key_id}:{each}") for each in ("revoked", "used"))
    return Key.of(key_id, made=made, revoked=revoked, used=used)


def list_keys() -> list[Key]:
    """Return every key that is not forgotten yet, the newest first."""
    found = dict(runtime().protocol.store.scan("key:"))
    keys = [
        Key.of(
            name.split(":")[1],
            made=made,
            revoked=found.get(f"{name}:revoked"),
            used=found.get(f"{name}:used"),
        )
        for name, made in found.items()
        if name.count(":") == 1
    ]
    return sorted(keys, key=lambda key: (key.created, key.id), reverse=True)


def revoke(key_id: str) -> Key:
    """Let a key be refused from now on; may be repeated, and nothing takes it back.

    Raises:
        UnknownKey: there is none with that id.
    """
    protocol = runtime().protocol
    if find(key_id) is None:
        raise UnknownKey(key_id)
    protocol.store.add(f"key:{key_id}:revoked", {"at": protocol.clock()})
    key = find(key_id)
    if key is None:
        raise UnknownKey(key_id)
    return key


def note_use(key_id: str) -> None:
    """Write down that a key was used just now."""
    protocol = runtime().protocol
    protocol.store.put(f"key:{key_id}:used", {"at": protocol.clock()})


def forget_ended() -> int:
    """Drop the keys that have let nobody in for `KEPT_SECONDS`; return how many."""
    protocol = runtime().protocol
    names = [name for name, _ in protocol.store.scan("key:")]
    known = list_keys()
    old = [key.id for key in known if protocol.clock() - key.ended >= KEPT_SECONDS]
    for key_id in old:
        # the key before what says that it is revoked: it is never good again, whatever happens
        marks = (f"key:{key_id}:{each}" for each in ("revoked", "used"))
        protocol.store.delete(f"key:{key_id}", *marks)
    there = {key.id for key in known}
    # left by who died between, or noted a use just then
    left = [name for name in names if name.split(":")[1] not in there]
    protocol.store.delete(*left)
    return len(old)


def _check(owner: str | None, scopes: Collection[str]) -> None:
    if owner is not None and not (1 <= len(owner) <= LONGEST_OWNER and owner.isprintable()):
        rule = f"1 to {LONGEST_OWNER} characters that can be printed"
        raise ValueError(f"the owner {owner!r} cannot be: a user's id has {rule}")
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        named = ", ".join(map(repr, unknown)) or "none"
        raise ValueError(f"scopes: {named} given; choose from {', '.join(SCOPES)}")
    if owner is not None and ADMIN in scopes:
        raise ValueError(
            f"a key bound to a user cannot have the scope {ADMIN}, which shows what everybody "
            "does: make two keys"
        )
