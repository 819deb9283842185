"""Small records in a bucket that speaks S3, the first of which stays (`If-None-Match: *`)."""

from __future__ import annotations

import builtins
from contextlib import closing
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from comfy_runner.bucket.records import check_record_key
from comfy_runner.bucket.retries import PATIENT, Patience, code_of, status_of
from comfy_runner.bucket.s3_client import S3Address
from comfy_runner.bucket.s3_objects import LISTED_TOGETHER, S3Objects, compare, md5

_ABSENT: Any = {"IfNoneMatch": "*"}
"""What makes a put conditional: https://developers.cloudflare.com/r2/api/s3/extensions/"""


class S3Records:
    """Records under the prefix of an address, each an object, for any number of threads."""

    def __init__(self, address: S3Address, *, patience: Patience = PATIENT) -> None:
        self._objects = S3Objects(address, patience)

    def add(self, key: str, value: bytes) -> bool:
        """Store only if absent; a True is heard by one caller at most.

        It is heard by none if the answer got lost and the request was sent again.

        Raises:
            InvalidKey: The key is not made of plain characters.
            StorageFailed: The bucket did not do it.
        """
        check_record_key(key)
        try:
            self._objects.persist(lambda: self._send(key, value, _ABSENT), _not("stored"))
        except _Present:
            return False
        return True

    def put(self, key: str, value: bytes) -> None:
        """Store, replacing what was there; raise as `add` does."""
        check_record_key(key)
        self._objects.persist(lambda: self._send(key, value, {}), _not("stored"))

    def get(self, key: str) -> bytes | None:
        """Return the value, or None; raise as `add` does."""
        check_record_key(key)
        return self._objects.persist(lambda: self._receive(key), _not("read"))

    def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> builtins.list[str]:
        """Return the first keys that begin with `prefix` and are greater than `after`, in order.

        Raises as `add` does. One request for every thousand.
        """
        check_record_key(prefix)
        page = max(1, min(limit, LISTED_TOGETHER))
        found = self._objects.listed(prefix, after=after, page=page)
        return [key for key, _ in islice(found, limit)]

    def delete(self, *keys: str) -> None:
        """Remove them; absent is fine. Raises as `add` does."""
        for key in keys:
            check_record_key(key)
        self._objects.delete(keys)

    def _send(self, key: str, value: bytes, condition: Any) -> None:
        named = self._objects.named(key)
        try:
            answer = self._objects.client().put_object(**named, Body=value, **condition)
        except ClientError as error:
            if condition and status_of(error) == 412:
                raise _Present from error
            raise
        compare(answer, _digest(value))

    def _receive(self, key: str) -> bytes | None:
        try:
            answer = self._objects.client().get_object(**self._objects.named(key))
        except ClientError as error:
            if code_of(error) == "NoSuchKey":
                return None
            raise
        with closing(answer["Body"]) as body:
            value: bytes = body.read()
        compare(answer, _digest(value), len(value))
        return value


class _Present(Exception):
    """There is a value under the key."""


def _not(done: str) -> str:
    return f"a record could not be {done}"


def _digest(value: bytes) -> str:
    digest = md5()
    digest.update(value)
    return str(digest.hexdigest())
