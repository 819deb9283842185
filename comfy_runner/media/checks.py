"""What a file must be before a job may have it: small enough, of a kind taken, no bomb."""

from __future__ import annotations

from pathlib import Path

from comfy_runner.errors import MediaRejected
from comfy_runner.media import pixels
from comfy_runner.media.kinds import ACCEPTED, HEAD_BYTES, UNDECLARED, Kind, kind_of


def check_file(path: Path, *, max_bytes: int, declared: str = "") -> Kind:
    """Return what the file at `path` is, whatever it is called; `declared` must not contradict.

    Raises:
        MediaRejected: It may not be used; the message says why, without the file's name.
    """
    size = path.stat().st_size
    if size == 0:
        raise MediaRejected("it is empty")
    if size > max_bytes:
        raise too_large(max_bytes)
    with path.open("rb") as file:
        kind = kind_of(file.read(HEAD_BYTES))
    if kind is None:
        raise MediaRejected(f"its content is of no type that is taken ({ACCEPTED})")
    if declared not in UNDECLARED and not kind.is_called(declared):
        raise MediaRejected(
            f"it is declared as {declared}, but its content is {kind.content_type}"
        )
    if kind.is_image:
        _check_extent(path, kind)
    return kind


def too_large(max_bytes: int) -> MediaRejected:
    """Return the refusal of a file of more than `max_bytes`."""
    return MediaRejected(
        f"it is larger than {max_bytes // 2**20} MB, the limit (MEDIA_MAX_MEGABYTES)"
    )


def _check_extent(path: Path, kind: Kind) -> None:
    try:
        found = pixels.extent(path, kind.content_type)
    except pixels.Unreadable as error:
        raise MediaRejected(f"it begins like {kind.content_type}, but {error}") from error
    if found.is_too_large:
        raise MediaRejected(
            f"it unpacks to {found.width} x {found.height} pixels in {found.frames} frames; at "
            f"most {pixels.MOST_PIXELS} are taken, {pixels.MOST_PIXELS_OF_ALL_FRAMES} in all"
        )
