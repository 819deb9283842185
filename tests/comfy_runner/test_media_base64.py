"""Files that come as text: strict base64, alone and in data: URLs."""

from __future__ import annotations

import base64
import hashlib
import random
from pathlib import Path

import pytest

from comfy_runner.errors import MediaRejected
from comfy_runner.media import base64_text

LARGE = random.Random(1).randbytes(3 * 64 * 1024 + 7)


def decode(text: str, path: Path, max_bytes: int = 10**6) -> bytes:
    _, start = base64_text.unwrap(text)
    digest = base64_text.write(text, start, path, max_bytes=max_bytes)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    return path.read_bytes()


@pytest.mark.parametrize("content", [b"a", b"ab", b"abc", bytes(256), LARGE, LARGE[:-1], b""])
@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,", "DATA:;x=y;BASE64,"])
def test_what_was_encoded_is_decoded(content: bytes, prefix: str, tmp_path: Path) -> None:
    text = prefix + base64.b64encode(content).decode()
    assert decode(text, tmp_path / "f", len(content)) == content


@pytest.mark.parametrize(
    "text",
    [
        "YWJ",
        "YWI",
        "YWI==",
        "YWJj=",
        "YWJj====",
        "Y===",
        "====",
        "YQ==YQ==",
        "YQ==" * 100_000,
        "YW==Jj",
        "YWJj\n",
        "YWJj\r\nYWJj",
        " YWJj",
        "YWJj    ",
        "YWJj----",
        "YW\r\nJj\r\n",
        "YW Jj",
        "YW-_",
        "YW.j",
        "YWJ\u0663",
        "YWJ\ufffd",
        "YWJ\0",
        "%59%57",
        "=YWJ",
    ],
)
@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_what_is_not_strictly_base64_is_refused(text: str, prefix: str, tmp_path: Path) -> None:
    with pytest.raises(MediaRejected, match="no base64"):
        decode(prefix + text, tmp_path / "f")


def test_bad_text_is_found_wherever_it_stands(tmp_path: Path) -> None:
    text = base64.b64encode(LARGE).decode()
    for place in (0, 262_143, 262_144, len(text) - 3):
        with pytest.raises(MediaRejected, match="no base64"):
            decode(f"{text[:place]}-{text[place + 1 :]}", tmp_path / "f")


@pytest.mark.parametrize(
    "text",
    [
        "data:",
        "data:,abc",
        "data:image/png,abc",
        "data:image/png;base64",
        "data:image/png;base64;x=y,YWJj",
        "data:" + "a" * 400 + ";base64,YWJj",
    ],
)
def test_a_data_url_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(MediaRejected, match="data:<type>;base64,<data>"):
        base64_text.unwrap(text)


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        ("YWJj", ""),
        ("data:;base64,YWJj", ""),
        ("data:image/PNG;base64,YWJj", "image/png"),
        ("data:image/png;name=a.png;base64,YWJj", "image/png"),
    ],
)
def test_the_declared_type_is_told(text: str, declared: str) -> None:
    assert base64_text.unwrap(text)[0] == declared


@pytest.mark.parametrize("size", [100, 101, 102])
def test_more_than_allowed_is_refused_before_it_is_decoded(size: int, tmp_path: Path) -> None:
    text = base64.b64encode(bytes(size)).decode()
    assert decode(text, tmp_path / "f", size) == bytes(size)
    with pytest.raises(MediaRejected, match="larger than"):
        decode(text + "AAAA", tmp_path / "g", size)
    assert not (tmp_path / "g").exists()
