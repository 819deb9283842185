"""Files in a bucket that speaks S3: Cloudflare R2 above all."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from botocore.exceptions import ClientError

from comfy_runner.bucket.port import NoSuchFile, arriving, check_key, check_ttl
from comfy_runner.bucket.retries import (
    PATIENT,
    Damaged,
    Patience,
    code_of,
    is_transient,
    persist,
    status_of,
)
from comfy_runner.bucket.s3_client import (
    MULTIPART,
    MULTIPART_BYTES,
    S3Address,
    make_client,
)

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

T = TypeVar("T")

_CHUNK_BYTES = 1 << 20
_DELETED_TOGETHER = 1000
"""As many keys as S3 takes in one request."""


class S3Bucket:
    """Files in one S3 bucket, for any number of threads.

    Every request that fails and may yet succeed is sent again (`Patience`). Caches may keep a
    file for `cache_seconds`. The client is made at first use, so that a process may fork before.
    """

    def __init__(
        self, address: S3Address, *, cache_seconds: int = 86_400, patience: Patience = PATIENT
    ) -> None:
        self._address = address
        self._cache = f"private, max-age={cache_seconds}"
        self._patience = patience
        self._lock = threading.Lock()
        self._made: S3Client | None = None

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        """Store a copy of the file at `path`, whole or not at all, replacing what was there.

        Raises:
            InvalidKey: The key is not made of plain segments.
            StorageFailed: The file cannot be read, or the bucket did not take it.
        """
        check_key(key)
        headers = {
            "ContentType": content_type,
            "ContentDisposition": disposition(content_type, filename),
            "CacheControl": self._cache,
        }
        self._persist(lambda: self._send(key, path, headers), f"{filename!r} could not be stored")

    def fetch(self, key: str, path: Path) -> None:
        """Copy the file to `path`, whole or not at all.

        Raises:
            InvalidKey: The key is not made of plain segments.
            NoSuchFile: There is none.
            StorageFailed: The bucket did not give it, or the disk did not take it.
        """
        check_key(key)
        self._persist(lambda: self._receive(key, path), f"{path.name!r} could not be fetched")

    def stored_at(self, key: str) -> float | None:
        """Return when the file was last put, in Unix time; None if there is none.

        Raises:
            InvalidKey: The key is not made of plain segments.
            StorageFailed: The bucket did not tell.
        """
        check_key(key)
        return self._persist(lambda: self._date(key), "a file could not be looked up")

    def url(self, key: str, *, ttl_seconds: int) -> str:
        """Return a signed URL at the bucket itself, whether or not the key has a file.

        Raises:
            InvalidKey: The key is not made of plain segments.
            ValueError: The time is not 1 to 604800 seconds.
        """
        check_ttl(ttl_seconds)
        check_key(key)
        return self._client().generate_presigned_url(
            "get_object", Params=self._object(key), ExpiresIn=ttl_seconds
        )

    def delete(self, prefix: str) -> None:
        """Delete the file under the key `prefix` and all under `prefix/`; none is fine.

        Raises:
            InvalidKey: The prefix is not made of plain segments.
            StorageFailed: The bucket did not do it; some files may be gone.
        """
        check_key(prefix)
        self._delete([prefix, *(key for key, _ in self._list(prefix))])

    def purge(self, prefix: str, *, before: float) -> int:
        """Delete the files under `prefix/` last put before that Unix time; return how many.

        S3 tells times in whole seconds, so a file may look up to a second older than it is.

        Raises:
            InvalidKey: The prefix is not made of plain segments.
            StorageFailed: The bucket did not do it; some files may be gone.
        """
        check_key(prefix)
        old = [key for key, stored_at in self._list(prefix) if stored_at < before]
        self._delete(old)
        return len(old)

    def _client(self) -> S3Client:
        with self._lock:  # making one is not safe in two threads at once
            self._made = self._made or make_client(self._address, self._patience)
            return self._made

    def _persist(self, action: Callable[[], T], failure: str) -> T:
        return persist(action, self._patience, failure=failure)

    def _object(self, key: str) -> Any:
        return {"Bucket": self._address.name, "Key": key}

    def _send(self, key: str, path: Path, headers: Any) -> None:
        """Send a file once; opened here, it is read from its start at every attempt."""
        with path.open("rb") as body:
            if path.stat().st_size > MULTIPART_BYTES:
                name = self._address.name
                self._client().upload_fileobj(body, name, key, ExtraArgs=headers, Config=MULTIPART)
                return
            digest = hashlib.file_digest(body, _md5).hexdigest()
            body.seek(0)
            answer = self._client().put_object(**self._object(key), Body=body, **headers)
        _compare(answer, digest)

    def _receive(self, key: str, path: Path) -> None:
        try:
            answer = self._client().get_object(**self._object(key))
        except ClientError as error:
            if code_of(error) == "NoSuchKey":
                raise NoSuchFile(f"there is no file {key!r}") from error
            raise
        digest = _md5()
        with (
            closing(answer["Body"]) as body,
            arriving(path) as target,
            target.open("wb") as writer,
        ):
            for chunk in body.iter_chunks(_CHUNK_BYTES):
                writer.write(chunk)
                digest.update(chunk)
            _compare(answer, digest.hexdigest(), writer.tell())

    def _date(self, key: str) -> float | None:
        try:
            answer = self._client().head_object(**self._object(key))
        except ClientError as error:
            if status_of(error) == 404:
                return None
            raise
        if "LastModified" not in answer:
            raise Damaged
        return answer["LastModified"].timestamp()

    def _list(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Yield key and time of every file under `prefix/`."""
        asked: Any = {"Bucket": self._address.name, "Prefix": f"{prefix}/"}
        while True:
            page = self._persist(partial(self._page, asked), "files could not be listed")
            for found in page.get("Contents", ()):
                yield found["Key"], found["LastModified"].timestamp()
            following = page.get("NextContinuationToken")
            if not following:
                return
            asked["ContinuationToken"] = following

    def _page(self, asked: Any) -> Any:
        page = self._client().list_objects_v2(**asked)
        if "IsTruncated" not in page:
            raise Damaged
        return page

    def _delete(self, keys: Sequence[str]) -> None:
        failure = "files could not be deleted"
        for start in range(0, len(keys), _DELETED_TOGETHER):
            batch = keys[start : start + _DELETED_TOGETHER]
            for key in self._persist(partial(self._delete_together, batch), failure):
                self._persist(partial(self._delete_one, key), failure)

    def _delete_one(self, key: str) -> None:
        self._client().delete_object(**self._object(key))

    def _delete_together(self, keys: Sequence[str]) -> Sequence[str]:
        """Delete keys in one request; return those that have to be deleted one by one.

        The request must carry a checksum, which R2 may refuse like the others.
        """
        asked: Any = {"Objects": [{"Key": key} for key in keys]}
        try:
            answer = self._client().delete_objects(Bucket=self._address.name, Delete=asked)
        except ClientError as error:
            if is_transient(error) or code_of(error) == "NoSuchBucket":
                raise
            return keys
        deleted = {each["Key"] for each in answer.get("Deleted", ())}
        return [key for key in keys if key not in deleted]


def disposition(content_type: str, filename: str) -> str:
    """Return a Content-Disposition (RFC 6266): only what a browser cannot run opens inline."""
    kind = content_type.partition(";")[0].strip().lower()
    is_shown = kind.startswith(("image/", "video/", "audio/")) and not kind.startswith("image/svg")
    plain = re.sub(r'[^ -~]|["\\%]', "_", filename)
    exact = quote(filename, safe="", errors="replace")
    return (
        f"{'inline' if is_shown else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{exact}"
    )


def _md5() -> Any:
    return hashlib.md5(usedforsecurity=False)


def _compare(answer: Any, digest: str, size: int | None = None) -> None:
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
