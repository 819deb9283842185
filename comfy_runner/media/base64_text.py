"""Files that come as text in a request: strict base64, alone or in a data: URL."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from comfy_runner.errors import MediaRejected
from comfy_runner.media.checks import too_large

_STEP = 4 * 64 * 1024
_DATA_URL = re.compile(r"data:([^,;]*)((?:;[^,;]*)*),", re.IGNORECASE)


def unwrap(text: str) -> tuple[str, int]:
    """Return the content type that a data: URL declares, "" if none, and where base64 begins.

    Raises:
        MediaRejected: It is a data: URL of another form than data:<type>;base64,<data>.
    """
    if text[:5].lower() != "data:":
        return "", 0
    found = _DATA_URL.match(text, 0, 300)
    if not found or not found[2].lower().endswith(";base64"):
        raise MediaRejected("a data: URL must read data:<type>;base64,<data>")
    return found[1].strip().lower(), found.end()


def write(text: str, start: int, path: Path, *, max_bytes: int) -> str:
    """Decode the base64 of RFC 4648, section 4, into `path`; return the content's SHA-256.

    Works in steps: neither the text nor the content is copied whole.

    Raises:
        MediaRejected: It has whitespace, characters of another alphabet, wrong padding or more
            than `max_bytes` bytes.
    """
    length = len(text) - start
    if length // 4 * 3 - 2 > max_bytes:
        raise too_large(max_bytes)
    digest = sha256()
    with path.open("wb") as file:
        for part in _decoded(text, start):
            digest.update(part)
            file.write(part)
    return digest.hexdigest()


def _decoded(text: str, start: int) -> Iterator[bytes]:
    first_padding = text.find("=", start)
    if 0 <= first_padding < len(text) - 2 or (len(text) - start) % 4:
        raise MediaRejected(
            "its data is no base64: its length must be a multiple of four, padded with = at the "
            "end only"
        )
    for at in range(start, len(text), _STEP):
        try:
            yield binascii.a2b_base64(text[at : at + _STEP], strict_mode=True)
        except (binascii.Error, ValueError) as error:
            raise MediaRejected(
                "its data is no base64 of the standard alphabet (A-Z a-z 0-9 + /, no whitespace)"
            ) from error
