"""The secret that signs webhooks where containers share records and no disk."""

from __future__ import annotations

import base64
import secrets

from tasks.framework import runtime
from tasks.webhook_signing import PREFIX, configured_secrets

KEY = "secret:webhook"
"""Its first part is none that names a run, so that the sweep passes it by."""

_BYTES = 32


def webhook_secrets(configured: str | None) -> tuple[str, ...]:
    """Return the secrets, each `whsec_` and base64; every one of them signs every webhook.

    They are those of WEBHOOK_SECRET, or else one that whoever asked first has made and put
    beside the other records. Whoever may read those may read it.
    """
    if configured:
        return configured_secrets(configured)
    store = runtime().protocol.store
    kept = store.get(KEY)
    if kept is None:
        fresh = PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()
        mine = {"secret": fresh}
        kept = mine if store.add(KEY, mine) else store.get(KEY)
    if kept is None:
        raise RuntimeError(f"{KEY} was removed while it was read: ask again")
    return (kept["secret"],)
