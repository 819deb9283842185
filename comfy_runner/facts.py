"""What the headers of a picture, a video or a sound tell: size, length, frames."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from comfy_runner.frames import Frames, count

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

OPEN_SECONDS = 5.0
PROBED_BYTES = 1 << 20
"""What libav may read and decode to learn what a stream is."""

_MOST_PIXELS = 1 << 28
"""Larger frames of a video are not looked at: libav would decode one."""

_PICTURES = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
    "image/tiff": "TIFF",
    "image/bmp": "BMP",
    "image/jp2": "JPEG2000",
    "image/vnd.adobe.photoshop": "PSD",
    "image/vnd.ms-dds": "DDS",
    "image/vnd.microsoft.icon": "ICO",
}
"""Pillow's name of each type that it can open."""

_CONTAINERS = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/3gpp": "3gp",
    "audio/mp4": "m4a",
    "video/webm": "webm",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/mp2t": "mpegts",
    "video/ogg": "ogg",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/aiff": "aiff",
    "audio/aac": "aac",
}
"""libav's reader of each type. Left to guess, it would take a list of addresses for a video and
open what that names."""


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Facts:
    """Pixels, seconds and a count of frames; each is None where the headers do not tell."""

    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    frames: int | None = None


def load() -> None:
    """Import what `facts` needs, so that the first job need not wait for it."""
    import av  # noqa: PLC0415 - slow to import, and only workers look into files
    import PIL.Image  # noqa: PLC0415 - likewise

    PIL.Image.init()
    logger.debug("av %s, Pillow %s", av.__version__, PIL.__version__)


def facts(path: Path, content_type: str) -> Facts:
    """Return what the headers of a file of this type tell; nothing of a file that is broken.

    Nothing is decoded except what libav needs to know a stream, so that a small file that
    unfolds to a huge picture costs nothing: its size is told all the same. Never raises.
    """
    try:
        if not path.is_file():
            return Facts()
        if content_type in _PICTURES:
            return _of_picture(path, content_type)
        if content_type in _CONTAINERS:
            return _of_recording(path, content_type)
    except Exception:  # noqa: BLE001 - on hostile bytes these libraries raise whatever they like
        return Facts()
    return Facts()


def _of_picture(path: Path, content_type: str) -> Facts:
    with path.open("rb") as file:
        image = _opened(file, path, _PICTURES[content_type])
        width, height = image.size
        try:
            frames = _frames(file, content_type, image)
        except ValueError:  # cut short: how large the picture would be is known all the same
            frames = None
    if width <= 0 or height <= 0:
        return Facts()
    if frames is None:
        return Facts(width, height)
    return Facts(width, height, frames.seconds or None, frames.count)


def _opened(file: BinaryIO, path: Path, name: str) -> ImageFile:
    """Return the picture with its headers read and nothing more.

    `Image.open` would refuse a huge picture, or warn; that is for those who decode it.
    """
    from PIL import Image  # noqa: PLC0415 - slow to import, and many jobs have no pictures

    Image.init()
    factory, _ = Image.OPEN[name]
    return factory(file, str(path))


def _frames(file: BinaryIO, content_type: str, image: ImageFile) -> Frames:
    file.seek(0)
    counted = count(file, content_type)
    if counted is not None:
        return counted
    # Pillow counts the others' at once, while for a GIF or TIFF it reads the whole file.
    return Frames(getattr(image, "n_frames", 1), 0.0)


def _of_recording(path: Path, content_type: str) -> Facts:
    import av  # noqa: PLC0415 - slow to import, and many jobs have no recordings

    options = {
        "probesize": str(PROBED_BYTES),
        "analyzeduration": "1000000",
        "max_pixels": str(_MOST_PIXELS),
        "protocol_whitelist": "file",
    }
    with av.open(
        f"file:{path.absolute()}",
        format=_CONTAINERS[content_type],
        options=options,
        timeout=OPEN_SECONDS,
    ) as container:
        duration = _seconds(container.duration, av.time_base)
        if not container.streams.video or content_type.startswith("audio/"):
            return Facts(duration_seconds=duration)
        stream = container.streams.video[0]
        width, height = stream.width or None, stream.height or None
        return Facts(width, height, duration, stream.frames or None)


def _seconds(duration: int | None, unit: int) -> float | None:
    """Return a length as libav tells it in seconds; none where it is no length."""
    seconds = (duration or 0) / unit
    return round(seconds, 6) if 0 < seconds < math.inf else None
