"""Laying a job's input files into its own directory, on the worker."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_random_exponential

from comfy_runner.addresses import BlockedAddress
from comfy_runner.bucket import Bucket, NoSuchFile
from comfy_runner.errors import MediaRejected, MediaUnreachable, StorageFailed
from comfy_runner.media.checks import check_file, too_large
from comfy_runner.media.item import Media, Policy
from comfy_runner.media.kinds import Kind
from comfy_runner.media.names import file_name
from comfy_runner.safe_http import NotFetched, Outbound, TooLarge

MOST_ATTEMPTS = 3
LONGEST_PAUSE_SECONDS = 4.0


def place(
    media: Sequence[Media],
    directory: Path,
    *,
    bucket: Bucket,
    policy: Policy,
    outbound: Outbound | None = None,
) -> dict[str, str]:
    """Put every file into `directory`, which is made; return each one's file name by its name.

    The content decides about a file, wherever it comes from and whatever it is called.

    Raises:
        MediaRejected: A file is not one that a job may have, or its URL leads inward.
        MediaUnreachable: A file could not be fetched, or is no longer stored.
        StorageFailed: The bucket or the disk failed.
    """
    source = _Source(bucket, policy, outbound or Outbound(policy.allow))
    files: dict[str, str] = {}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for each in media:
            arrived = directory / ".arriving"
            source.bring(each, arrived)
            kind = _checked(each, arrived, policy)
            files[each.name] = file_name(each.name, kind, files.values())
            arrived.rename(directory / files[each.name])
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StorageFailed(f"input files could not be written to the disk: {reason}") from error
    return files


def _checked(media: Media, path: Path, policy: Policy) -> Kind:
    try:
        return check_file(path, max_bytes=policy.max_bytes)
    except MediaRejected as error:
        raise MediaRejected(f"media {media.name!r}: {error.message}") from error


@dataclass(frozen=True)
class _Source:
    """Where files come from."""

    bucket: Bucket
    policy: Policy
    outbound: Outbound

    def bring(self, media: Media, path: Path) -> None:
        """Write the file to `path`; raise as `place` does."""
        if media.key is not None:
            self._fetch(media.name, media.key, path)
        else:
            self._download(media.name, media.url or "", path)

    def _fetch(self, name: str, key: str, path: Path) -> None:
        try:
            self.bucket.fetch(key, path)
        except NoSuchFile as error:
            raise MediaUnreachable(f"media {name!r} is no longer stored; send it anew") from error

    def _download(self, name: str, url: str, path: Path) -> None:
        until = time.monotonic() + self.policy.fetch_seconds
        again = Retrying(
            stop=stop_after_attempt(MOST_ATTEMPTS) | stop_before_delay(self.policy.fetch_seconds),
            wait=wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE_SECONDS),
            retry=retry_if_exception(_may_pass),
            reraise=True,
        )

        def attempt() -> None:
            seconds = max(0.0, until - time.monotonic())
            self.outbound.download(url, path, max_bytes=self.policy.max_bytes, seconds=seconds)

        try:
            again(attempt)
        except BlockedAddress as error:
            raise MediaRejected(f"the URL of media {name!r} is not allowed: {error}") from error
        except TooLarge as error:
            reason = too_large(self.policy.max_bytes).message
            raise MediaRejected(f"media {name!r}: {reason}") from error
        except NotFetched as error:
            raise MediaUnreachable(f"media {name!r} could not be fetched: {error}") from error


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, NotFetched) and error.transient
