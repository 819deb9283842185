"""Where files and small records live: the ports, local disk, and S3 (Cloudflare R2)."""

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
    check_key,
)
from comfy_runner.bucket.records import LocalRecords, Records

if TYPE_CHECKING:
    from comfy_runner.bucket.retries import Patience
    from comfy_runner.bucket.s3_client import S3Address
    from settings import Settings

__all__ = [
    "LONGEST_TTL_SECONDS",
    "BadSignature",
    "Bucket",
    "BucketError",
    "Expired",
    "InvalidKey",
    "LocalBucket",
    "LocalRecords",
    "NoSuchFile",
    "Records",
    "StoredFile",
    "open_bucket",
    "open_records",
]


def open_bucket(settings: Settings, prefix: str = "", *, hurried: bool = False) -> Bucket:
    """Return the bucket that the settings describe: the one in R2, or the one on this disk.

    Every key lies under `prefix`, so that several deployments may share a bucket. `hurried` is
    for where somebody waits for the answer: it gives up after seconds, not minutes.

    Raises:
        BucketError: The secret that signs URLs was damaged.
        InvalidKey: The prefix is not made of plain segments.
    """
    prefix = _prefix(prefix)
    if settings.r2_bucket_name is not None:
        from comfy_runner.bucket.s3 import S3Bucket  # noqa: PLC0415 (it loads boto3)

        address = _address(settings, settings.r2_bucket_name, prefix)
        patience = _patience(hurried=hurried)
        return S3Bucket(address, cache_seconds=settings.r2_url_ttl_seconds, patience=patience)
    # a secret for each prefix: no URL of one deployment opens a file of another
    secret = read_secret(settings.data_dir / prefix / "url_secret")
    return LocalBucket(settings.data_dir / "files" / prefix, secret)


def open_records(settings: Settings, prefix: str, *, hurried: bool = False) -> Records:
    """Return where small records live: in the bucket in R2, or in a file on this disk.

    `prefix` and `hurried` are as for `open_bucket`.

    Raises:
        InvalidKey: The prefix is not made of plain segments.
    """
    prefix = _prefix(prefix)
    if settings.r2_bucket_name is not None:
        from comfy_runner.bucket.s3_records import S3Records  # noqa: PLC0415 (it loads boto3)

        address = _address(settings, settings.r2_bucket_name, prefix)
        return S3Records(address, patience=_patience(hurried=hurried))
    return LocalRecords(settings.data_dir / "records" / prefix / "records.db")


def _prefix(prefix: str) -> str:
    """Return it as it begins keys: empty, or with one slash at its end."""
    plain = prefix.rstrip("/")
    if plain:
        check_key(plain)
    return f"{plain}/" if plain else ""


def _address(settings: Settings, name: str, prefix: str) -> S3Address:
    from comfy_runner.bucket.s3_client import S3Address  # noqa: PLC0415 (it loads boto3)

    return S3Address(
        endpoint_url=settings.r2_endpoint_url or "",
        name=name,
        access_key_id=settings.r2_access_key_id or "",
        secret_access_key=settings.r2_secret_access_key or "",
        region=settings.r2_region,
        prefix=prefix,
    )


def _patience(*, hurried: bool) -> Patience:
    from comfy_runner.bucket.retries import HURRIED, PATIENT  # noqa: PLC0415 (they load botocore)

    return HURRIED if hurried else PATIENT
