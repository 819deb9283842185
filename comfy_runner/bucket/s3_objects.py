"""The steps that everything in an S3 bucket is made of, each sent again while it may succeed."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from comfy_runner.bucket.retries import Damaged, Patience, code_of, is_transient, persist
from comfy_runner.bucket.s3_client import S3Address, make_client

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

T = TypeVar("T")

LISTED_TOGETHER = 1000
"""As many keys as S3 tells in one answer."""

_DELETED_TOGETHER = 1000
"""As many keys as S3 takes in one request."""


class S3Objects:
    """The objects under the prefix of an address, for any number of threads.

    Keys are told and taken without that prefix. The client is made at first use, so that a
    process may fork before.
    """

    def __init__(self, address: S3Address, patience: Patience) -> None:
        self._address = address
        self._patience = patience
        self._lock = threading.Lock()
        self._made: S3Client | None = None

    def client(self) -> S3Client:
        """Return the client, made at the first call."""
        with self._lock:  # making one is not safe in two threads at once
            self._made = self._made or make_client(self._address, self._patience)
            return self._made

    def persist(self, action: Callable[[], T], failure: str) -> T:
        """Carry out one step; raise StorageFailed, which begins with `failure`, if it fails."""
        return persist(action, self._patience, failure=failure)

    def named(self, key: str) -> Any:
        """Return the arguments that name an object in every request."""
        return {"Bucket": self._address.name, "Key": self._address.prefix + key}

    def listed(
        self, prefix: str, *, after: str = "", page: int = LISTED_TOGETHER
    ) -> Iterator[tuple[str, float]]:
        """Yield key and time of every object whose key begins with `prefix`, by key.

        Only keys behind `after`; `page` is how many are asked for at a time.
        """
        own = self._address.prefix
        asked: Any = {"Bucket": self._address.name, "Prefix": own + prefix}
        if after:
            asked["StartAfter"] = own + after
        if page < LISTED_TOGETHER:
            asked["MaxKeys"] = page
        while True:
            answer = self.persist(partial(self._page, asked), "files could not be listed")
            for found in answer.get("Contents", ()):
                yield found["Key"].removeprefix(own), found["LastModified"].timestamp()
            following = answer.get("NextContinuationToken")
            if not following:
                return
            asked["ContinuationToken"] = following

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, as many in a request as S3 takes; those that are not there are fine."""
        failure = "files could not be deleted"
        for start in range(0, len(keys), _DELETED_TOGETHER):
            batch = keys[start : start + _DELETED_TOGETHER]
            for key in self.persist(partial(self._delete_together, batch), failure):
                self.persist(partial(self._delete_one, key), failure)

    def _page(self, asked: Any) -> Any:
        page = self.client().list_objects_v2(**asked)
        if "IsTruncated" not in page:
            raise Damaged
        return page

    def _delete_one(self, key: str) -> None:
        self.client().delete_object(**self.named(key))

    def _delete_together(self, keys: Sequence[str]) -> Sequence[str]:
        """Delete keys in one request; return those that have to be deleted one by one.

        The request must carry a checksum, which R2 may refuse like the others.
        """
        own = self._address.prefix
        asked: Any = {"Objects": [{"Key": own + key} for key in keys]}
        try:
            answer = self.client().delete_objects(Bucket=self._address.name, Delete=asked)
        except ClientError as error:
            if is_transient(error) or code_of(error) == "NoSuchBucket":
                raise
            return keys
        deleted = {each["Key"] for each in answer.get("Deleted", ())}
        return [key for key in keys if own + key not in deleted]


def md5() -> Any:
    """Return a new MD5, which is what S3 compares contents by."""
    return hashlib.md5(usedforsecurity=False)


def compare(answer: Any, digest: str, size: int | None = None) -> None:
    """Raise Damaged unless the answer is that for such bytes; not every ETag is an MD5.

    An answer that is cut within its headers looks like one that has fewer of them.
    """
    etag = answer.get("ETag", "").strip('"')
    is_md5 = re.fullmatch("[0-9a-f]{32}", etag) and not _is_encrypted(answer)
    is_right = etag == digest if is_md5 else bool(etag) and answer.get("ContentLength") == size
    if not is_right:
        raise Damaged


def _is_encrypted(answer: Any) -> bool:
    """Whether the ETag is no MD5 (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html)."""
    return bool(answer.get("ServerSideEncryption", "AES256") != "AES256")
