"""Who a webhook comes from: its secrets, and signatures after Standard Webhooks 1.0.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from pathlib import Path

from comfy_runner.bucket.local import read_secret

PREFIX = "whsec_"


def secrets_of(configured: str | None, data_dir: Path) -> tuple[str, ...]:
    """Return the secrets, each `whsec_` and base64; every one of them signs every webhook.

    They are those of WEBHOOK_SECRET, parted by blanks or commas, or else one that was made once
    and lies in the data directory.

    Raises:
        BucketError: The kept secret is not as it was made.
    """
    if configured:
        return configured_secrets(configured)
    kept = read_secret(data_dir / "webhook_secret")
    return (PREFIX + base64.b64encode(kept).decode(),)


def configured_secrets(text: str) -> tuple[str, ...]:
    """Return the secrets of WEBHOOK_SECRET, which blanks or commas part."""
    return tuple(each for each in re.split(r"[\s,]+", text) if each)


def signed(event_id: str, moment: float, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers that prove where `body` comes from; `moment` is that of this attempt."""
    timestamp = str(int(moment))
    content = f"{event_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(content, secret) for secret in secrets),
    }


def _signature(content: bytes, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
