"""Where files live: the port, local disk behind signed URLs, and S3 (Cloudflare R2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_runner.bucket.local import LocalBucket, StoredFile, read_secret
from comfy_runner.bucket.port import (
    LONGEST_TTL_SECONDS,
    BadSignature,
    Bucket,
    BucketError,
    Expired,
    InvalidKey,
    NoSuchFile,
)

if TYPE_CHECKING:
    from settings import Settings

__all__ = [
    "LONGEST_TTL_SECONDS",
    "BadSignature",
    "Bucket",
    "BucketError",
    "Expired",
    "InvalidKey",
    "LocalBucket",
    "NoSuchFile",
    "StoredFile",
    "open_bucket",
]


def open_bucket(settings: Settings) -> Bucket:
    """Return the bucket that the settings describe.

    Raises:
        BucketError: The secret that signs URLs was damaged.
    """
    secret = read_secret(settings.data_dir / "url_secret")
    return LocalBucket(settings.data_dir / "files", secret)
