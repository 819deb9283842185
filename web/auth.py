"""Who may ask for what: every request shows a key, and a key allows what its scopes say."""

from __future__ import annotations

import hmac
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from flask import Flask, g, request

from settings import Settings, SettingsError
from tasks.keys import ADMIN, digest_of
from web.errors import ProblemError
from web.keyring import Keyring, Rights

PUBLIC = "public"
"""The scope of what wants no key."""


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


def require_key(
    app: Flask, keyring: Keyring, scopes: Mapping[str, str], counted: Callable[[str], None]
) -> None:
    """Refuse every request to `app` that no good key allows, to unknown paths too.

    Args:
        app: the application.
        keyring: which keys are good, and for what.
        scopes: which scope each endpoint wants, or `PUBLIC`; one that is missing here wants
            `admin`, so that a new route is never open by mistake.
        counted: is told the name of the key of each request, and raises if there are too many.
    """

    def check() -> None:
        wanted = scopes.get(request.endpoint, ADMIN) if request.endpoint else None
        if wanted == PUBLIC:
            return
        rights = keyring.rights(_sent_key())
        if rights is None:
            raise _refused("The key is wrong", 'Bearer realm="api", error="invalid_token"')
        g.caller, g.rights = rights.name, rights
        counted(rights.name)
        if wanted is not None and wanted not in rights.scopes:
            raise _insufficient(wanted)

    app.before_request(check)


def caller() -> str:
    """Return who sent the request at hand: the name of a key, which is no secret."""
    return rights().name


def rights() -> Rights:
    """Return what the sender of the request at hand may do."""
    found: Rights = g.rights
    return found


def _sent_key() -> str:
    """Return the key of the request, from whichever of the two headers it has."""
    bearer, plain = _bearer(), request.headers.get("X-API-Key", "").strip(" \t")
    if plain and "Authorization" in request.headers and not _same(bearer, plain):
        detail = "Authorization and X-API-Key differ; send the key in one of them."
        raise ProblemError(400, "invalid_header", detail)
    if not (bearer or plain):
        raise _refused("The request has no key", 'Bearer realm="api"')
    return bearer or plain


def _bearer() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip(" \t") if scheme.lower() == "bearer" else ""


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(digest_of(one), digest_of(other))


def _refused(reason: str, challenge: str) -> ProblemError:
    detail = f"{reason}; send the header Authorization: Bearer <API_KEY>, or X-API-Key."
    return ProblemError(401, "unauthorized", detail, headers={"WWW-Authenticate": challenge})


def _insufficient(scope: str) -> ProblemError:
    detail = f"This key is not for that: it lacks the scope {scope}; use one that has it."
    challenge = f'Bearer realm="api", error="insufficient_scope", scope="{scope}"'
    headers = {"WWW-Authenticate": challenge}
    return ProblemError(403, "insufficient_scope", detail, headers=headers)
