"""The one place where an S3 client is made, with the settings that R2 needs."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import boto3.session
import botocore.session
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.handlers import add_expect_header

from comfy_runner.bucket.retries import Patience

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PARALLEL_TRANSFERS = 8
"""As many transfers at a time find a connection in the client's pool."""

_MEGABYTE = 1 << 20
_making = threading.Lock()
_PART_THREADS = 4

MULTIPART_BYTES = 64 * _MEGABYTE
"""Larger files go up in parts; up to here, one request has an ETag that is an MD5 to check."""

# R2 wants all parts but the last of one size, of at least 5 MiB:
# https://developers.cloudflare.com/r2/objects/multipart-objects/
MULTIPART = TransferConfig(
    multipart_chunksize=16 * _MEGABYTE,
    max_concurrency=_PART_THREADS,
    preferred_transfer_client="classic",
)


@dataclass(frozen=True)
class S3Address:
    """Where a bucket is and with which keys; `ca_file` holds certificates to trust instead.

    `prefix`, empty or ending with `/`, begins every object's key: several may share a bucket.
    """

    endpoint_url: str
    name: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    region: str = "auto"
    ca_file: Path | None = None
    prefix: str = ""


@cache
def _session() -> boto3.session.Session:
    """Return the one session, which knows nothing of the AWS profiles this machine may have.

    It is kept for the description of S3, which takes it a tenth of a second to read.
    """
    nowhere = (None, None, os.devnull, None)
    names = {"profile": (None, None, None, None), "config_file": nowhere}
    return boto3.session.Session(
        botocore_session=botocore.session.Session(names | {"credentials_file": nowhere})
    )


def make_client(address: S3Address, patience: Patience) -> S3Client:
    """Return a client that sends what R2 understands, and each request once.

    R2 refuses the checksums that boto3 adds by default (as trailers of a chunked body), answers
    no `Expect: 100-continue`, for which boto3 would wait a second at each upload, and knows
    signatures of version 4 only: https://developers.cloudflare.com/r2/api/s3/
    """
    with _making:  # a session makes one client at a time
        client = _client(address, patience)
    client.meta.events.unregister("before-call.s3", add_expect_header)
    return client


def _client(address: S3Address, patience: Patience) -> S3Client:
    return _session().client(
        "s3",
        endpoint_url=address.endpoint_url,
        region_name=address.region,
        aws_access_key_id=address.access_key_id,
        aws_secret_access_key=address.secret_access_key,
        verify=str(address.ca_file) if address.ca_file else None,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=patience.connect_seconds,
            read_timeout=patience.read_seconds,
            max_pool_connections=PARALLEL_TRANSFERS * _PART_THREADS,
            tcp_keepalive=True,
        ),
    )
