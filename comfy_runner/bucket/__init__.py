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


def open_bucket(settings: Settings, *, hurried: bool = False) -> Bucket:
    """Return the bucket that the settings describe: the one in R2, or the one on this disk.

    `hurried` is for where somebody waits for the answer: it gives up after seconds, not minutes.

    Raises:
        BucketError: The secret that signs URLs was damaged.
    """
    if settings.r2_bucket_name is not None:
        return _s3_bucket(settings, settings.r2_bucket_name, hurried=hurried)
    secret = read_secret(settings.data_dir / "url_secret")
    return LocalBucket(settings.data_dir / "files", secret)


def _s3_bucket(settings: Settings, name: str, *, hurried: bool) -> Bucket:
    # A web process whose files are on this disk never loads boto3.
    from comfy_runner.bucket.retries import HURRIED, PATIENT  # noqa: PLC0415
    from comfy_runner.bucket.s3 import S3Bucket  # noqa: PLC0415
    from comfy_runner.bucket.s3_client import S3Address  # noqa: PLC0415

    address = S3Address(
        endpoint_url=settings.r2_endpoint_url or "",
        name=name,
        access_key_id=settings.r2_access_key_id or "",
        secret_access_key=settings.r2_secret_access_key or "",
        region=settings.r2_region,
    )
    patience = HURRIED if hurried else PATIENT
    return S3Bucket(address, cache_seconds=settings.r2_url_ttl_seconds, patience=patience)
