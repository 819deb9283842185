"""Files in a bucket that speaks S3: Cloudflare R2 above all."""

from __future__ import annotations

import hashlib
import re
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from comfy_runner.bucket.port import NoSuchFile, arriving, check_key, check_ttl
from comfy_runner.bucket.retries import PATIENT, Damaged, Patience, code_of, status_of
from comfy_runner.bucket.s3_client import MULTIPART, MULTIPART_BYTES, S3Address
from comfy_runner.bucket.s3_objects import S3Objects, compare, md5

_CHUNK_BYTES = 1 << 20


class S3Bucket:
    """Files in one S3 bucket, under the prefix of its address, for any number of threads.

    Every request that fails and may yet succeed is sent again (`Patience`). Caches may keep a
    file for `cache_seconds`. The client is made at first use, so that a process may fork before.
    """

    def __init__(
        self, address: S3Address, *, cache_seconds: int = 86_400, patience: Patience = PATIENT
    ) -> None:
        self._objects = S3Objects(address, patience)
        self._cache = f"private, max-age={cache_seconds}"

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
        self._objects.persist(
            lambda: self._send(key, path, headers), f"{filename!r} could not be stored"
        )

    def fetch(self, key: str, path: Path) -> None:
        """Copy the file to `path`, whole or not at all.

        Raises:
            InvalidKey: The key is not made of plain segments.
            NoSuchFile: There is none.
            StorageFailed: The bucket did not give it, or the disk did not take it.
        """
        check_key(key)
        self._objects.persist(
            lambda: self._receive(key, path), f"{path.name!r} could not be fetched"
        )

    def stored_at(self, key: str) -> float | None:
        """Return when the file was last put, in Unix time; None if there is none.

        Raises:
            InvalidKey: The key is not made of plain segments.
            StorageFailed: The bucket did not tell.
        """
        check_key(key)
        return self._objects.persist(lambda: self._date(key), "a file could not be looked up")

    def url(self, key: str, *, ttl_seconds: int) -> str:
        """Return a signed URL at the bucket itself, whether or not the key has a file.

        Raises:
            InvalidKey: The key is not made of plain segments.
            ValueError: The time is not 1 to 604800 seconds.
        """
        check_ttl(ttl_seconds)
        check_key(key)
        return self._objects.client().generate_presigned_url(
            "get_object", Params=self._objects.named(key), ExpiresIn=ttl_seconds
        )

    def delete(self, prefix: str) -> None:
        """Delete the file under the key `prefix` and all under `prefix/`; none is fine.

        Raises:
            InvalidKey: The prefix is not made of plain segments.
            StorageFailed: The bucket did not do it; some files may be gone.
        """
        check_key(prefix)
        self._objects.delete([prefix, *(key for key, _ in self._objects.listed(f"{prefix}/"))])

    def purge(self, prefix: str, *, before: float) -> int:
        """Delete the files under `prefix/` last put before that Unix time; return how many.

        S3 tells times in whole seconds, so a file may look up to a second older than it is.

        Raises:
            InvalidKey: The prefix is not made of plain segments.
            StorageFailed: The bucket did not do it; some files may be gone.
        """
        check_key(prefix)
        old = [key for key, stored_at in self._objects.listed(f"{prefix}/") if stored_at < before]
        self._objects.delete(old)
        return len(old)

    def _send(self, key: str, path: Path, headers: Any) -> None:
        """Send a file once; opened here, it is read from its start at every attempt."""
        client, named = self._objects.client(), self._objects.named(key)
        with path.open("rb") as body:
            if path.stat().st_size > MULTIPART_BYTES:
                extra: Any = {"ExtraArgs": headers, "Config": MULTIPART}
                client.upload_fileobj(body, named["Bucket"], named["Key"], **extra)
                return
            digest = hashlib.file_digest(body, md5).hexdigest()
            body.seek(0)
            answer = client.put_object(**named, Body=body, **headers)
        compare(answer, digest)

    def _receive(self, key: str, path: Path) -> None:
        try:
            answer = self._objects.client().get_object(**self._objects.named(key))
        except ClientError as error:
            if code_of(error) == "NoSuchKey":
                raise NoSuchFile(f"there is no file {key!r}") from error
            raise
        digest = md5()
        with (
            closing(answer["Body"]) as body,
            arriving(path) as target,
            target.open("wb") as writer,
        ):
            for chunk in body.iter_chunks(_CHUNK_BYTES):
                writer.write(chunk)
                digest.update(chunk)
            compare(answer, digest.hexdigest(), writer.tell())

    def _date(self, key: str) -> float | None:
        try:
            answer = self._objects.client().head_object(**self._objects.named(key))
        except ClientError as error:
            if status_of(error) == 404:
                return None
            raise
        if "LastModified" not in answer:
            raise Damaged
        return answer["LastModified"].timestamp()


def disposition(content_type: str, filename: str) -> str:
    """Return a Content-Disposition (RFC 6266): only what a browser cannot run opens inline."""
    kind = content_type.partition(";")[0].strip().lower()
    is_shown = kind.startswith(("image/", "video/", "audio/")) and not kind.startswith("image/svg")
    plain = re.sub(r'[^ -~]|["\\%]', "_", filename)
    exact = quote(filename, safe="", errors="replace")
    return (
        f"{'inline' if is_shown else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{exact}"
    )
