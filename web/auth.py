"""Who may ask: one API key, sent as a bearer token and compared in constant time."""

from __future__ import annotations

import hmac
import os
import secrets
import tempfile
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path

from flask import Flask, g, request

from settings import Settings, SettingsError
from web.errors import ProblemError

MASTER = "master"
"""What the one key of a deployment is called where callers are told apart."""


def api_key(settings: Settings) -> str:
    """Return the key of this deployment: API_KEY, or one made once and kept in the data directory.

    Raises:
        SettingsError: the kept key cannot be read, is blank, or no key can be kept there.
    """
    if settings.api_key:
        return settings.api_key
    kept = settings.data_dir / "api_key"
    try:
        if not kept.exists():
            _create(kept)
        key = kept.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{kept}: {error}; make it readable, or set API_KEY"]) from error
    if not key:
        raise SettingsError([f"{kept}: is blank; remove it to have a new key, or set API_KEY"])
    return key


def _create(path: Path) -> None:
    """Write a new key to `path` unless another process was first; nobody sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".api_key-")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"ck_{secrets.token_urlsafe(32)}\n")
        Path(path).hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        Path(draft).unlink()


def require_key(app: Flask, key: str, *, public: Collection[str]) -> None:
    """Refuse every request to `app` without `key`, unknown paths too; `public` are endpoints."""
    expected = _digest(key)

    def check() -> None:
        if request.endpoint in public:
            return
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _refused("The request has no key", 'Bearer realm="api"')
        if not hmac.compare_digest(_digest(token.strip()), expected):
            raise _refused("The key is wrong", 'Bearer realm="api", error="invalid_token"')
        g.caller = MASTER

    app.before_request(check)


def caller() -> str:
    """Return who sent the request at hand: the name of a key, which is no secret."""
    name: str = g.caller
    return name


def _digest(key: str) -> bytes:
    """Hash `key`: digests compare in a time that tells neither its characters nor its length."""
    return sha256(key.encode()).digest()


def _refused(reason: str, challenge: str) -> ProblemError:
    detail = f"{reason}; send the header Authorization: Bearer <API_KEY>."
    return ProblemError(401, "unauthorized", detail, headers={"WWW-Authenticate": challenge})
