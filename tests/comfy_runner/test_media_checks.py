"""Which files a job may have: by content, size in bytes and size in pixels."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from comfy_runner.errors import MediaRejected
from comfy_runner.media.checks import check_file
from comfy_runner.media.kinds import KINDS, is_taken, kind_of
from comfy_runner.media.pixels import Extent, Unreadable, extent
from tests.comfy_runner import media_files as files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "whatever.svg"


def check(path: Path, content: bytes, declared: str = "") -> str:
    path.write_bytes(content)
    return check_file(path, max_bytes=10**6, declared=declared).content_type


@pytest.mark.parametrize("extension", files.SAMPLES)
def test_every_kind_is_known_by_its_bytes(extension: str, path: Path) -> None:
    content, content_type = files.SAMPLES[extension]
    assert check(path, content) == content_type
    kind = kind_of(content)
    assert kind is not None
    assert kind.extensions[0] == extension
    assert is_taken(content_type)


def test_there_is_a_sample_of_every_kind() -> None:
    assert [kind.content_type for kind in KINDS if not is_sampled(kind.content_type)] == []


def is_sampled(content_type: str) -> bool:
    return content_type in {sampled for _, sampled in files.SAMPLES.values()}


@pytest.mark.parametrize("name", files.REFUSED)
def test_anything_else_is_refused(name: str, path: Path) -> None:
    with pytest.raises(MediaRejected, match="no type that is taken"):
        check(path, files.REFUSED[name])


def test_an_empty_file_and_one_over_the_limit_are_refused(path: Path) -> None:
    with pytest.raises(MediaRejected, match="empty"):
        check(path, b"")
    path.write_bytes(files.png().ljust(2**20, b"\0"))
    assert check_file(path, max_bytes=2**20).is_image
    with pytest.raises(MediaRejected, match="larger than 0 MB"):
        check_file(path, max_bytes=2**20 - 1)


@pytest.mark.parametrize(
    ("extension", "declared"),
    [
        (".png", "image/png"),
        (".jpg", "image/jpg"),
        (".wav", "audio/x-wav"),
        (".mp4", "audio/mp4"),
        (".mov", "video/mp4"),
        (".ogg", "video/ogg"),
        (".png", "application/octet-stream"),
    ],
)
def test_a_declared_type_may_be_another_word_for_the_content(
    extension: str, declared: str, path: Path
) -> None:
    check(path, files.SAMPLES[extension][0], declared)


@pytest.mark.parametrize("declared", ["image/jpeg", "image/svg+xml", "text/html", "png", "image/"])
def test_a_declared_type_that_is_another_is_refused(declared: str, path: Path) -> None:
    with pytest.raises(MediaRejected, match=r"declared as .* content is image/png"):
        check(path, files.png(), declared)


BOMBS = {
    "png": files.png(50_000, 50_000),
    "png with a second header": files.png(
        2, 2, files.chunk(b"IHDR", files.png(60_000, 60_000)[16:29])
    ),
    "jpeg": files.jpeg(20_000, 20_000),
    "jpeg with a second frame header": files.jpeg(2, 2, files.jpeg(65_000, 65_000)[2:15]),
    "jpeg behind a large segment": files.jpeg(20_000, 20_000, b"\xff\xe1\xff\xff" + bytes(65533)),
    "jpeg behind junk and fill": files.jpeg(20_000, 20_000, b"\xff\x01\0junk\xff\xff\xff\x01"),
    "jpeg behind a stuffed byte": files.jpeg(20_000, 20_000, b"\xff\x01\xff\x00"),
    "jpeg with a thumbnail inside": files.jpeg(
        20_000, 20_000, b"\xff\xe1\x00\x40" + files.jpeg()[:62].ljust(62, b"\0")
    ),
    "gif": files.gif(60_000, 60_000),
    "gif with a frame beyond its screen": files.gif(2, 2000, left=60_000),
    "gif of many frames": files.gif(1000, 1000, frames=501),
    "webp": files.webp(16_000, 16_000),
    "webp of many frames": files.webp(1000, 1000, frames=501),
    "lossy webp": files.lossy_webp(16_000, 16_000),
    "lossless webp": files.lossless_webp(16_000, 16_000),
    "png of many frames": files.animated_png(1000, 1000, 501),
    "bmp": files.bmp(50_000, 50_000),
    "bmp from the top": files.bmp(50_000, -50_000),
    "old bmp": files.old_bmp(50_000, 50_000),
    "avif": files.avif((30_000, 30_000)),
    "avif with a second size": files.avif((2, 2), (30_000, 30_000)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_picture_that_unpacks_to_too_much_is_refused(name: str, path: Path) -> None:
    with pytest.raises(MediaRejected, match="unpacks to"):
        check(path, BOMBS[name])


@pytest.mark.parametrize(
    "content",
    [
        files.png(10_000, 10_000),
        files.jpeg(10_000, 10_000),
        files.jpeg(2, 2, b"\xff\xcc\x00\x08" + b"\xff" * 6),  # arithmetic coding, no size
        files.jpeg(2, 2, b"\xff\xc4\x00\x08" + b"\xff" * 6),
        files.gif(1000, 1000, frames=500),
        files.webp(10_000, 10_000),
        files.lossy_webp(10_000, 10_000),
        files.lossless_webp(10_000, 10_000),
        files.bmp(10_000, 10_000),
        files.avif((10_000, 10_000)),
        files.animated_png(1000, 1000, 500),
    ],
)
def test_a_large_picture_is_taken(content: bytes, path: Path) -> None:
    check(path, content)


@pytest.mark.parametrize(
    "content",
    [
        files.png()[:20],
        files.png(0, 5),
        b"\x89PNG\r\n\x1a\n" + files.chunk(b"IDAT", b""),
        b"\x89PNG\r\n\x1a\n" + files.chunk(b"tEXt", b"a") * 3,
        files.jpeg()[:8],
        b"\xff\xd8\xff\xda\0\x02",
        b"\xff\xd8\xff" + bytes(500_000),
        files.gif()[:9],
        files.gif(0, 0),
        b"RIFF\x04\0\0\0WEBP",
        b"RIFF\x04\0\0\0WEBPVP8L\x06\0\0\0\x2f",
        files.bmp()[:20],
        files.avif()[:20],
    ],
)
def test_a_picture_without_a_readable_size_is_refused(content: bytes, path: Path) -> None:
    with pytest.raises(MediaRejected, match=r"begins like image/.* but it"):
        check(path, content)


@pytest.mark.parametrize(
    ("form", "content_type"),
    [(form, f"image/{form.lower()}") for form in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "AVIF")],
)
@pytest.mark.parametrize(("width", "height"), [(64, 48), (333, 7), (1, 1)])
def test_a_size_is_what_a_decoder_says(
    form: str, content_type: str, width: int, height: int, path: Path
) -> None:
    Image.new("RGB", (width, height), "red").save(path, form)
    assert extent(path, content_type) == Extent(width, height)


@pytest.mark.parametrize(
    ("form", "content_type"),
    [("PNG", "image/png"), ("GIF", "image/gif"), ("WEBP", "image/webp")],
)
def test_frames_are_counted_as_a_decoder_counts_them(
    form: str, content_type: str, path: Path
) -> None:
    pictures = [Image.effect_noise((40, 30), each) for each in (10, 20, 30)]
    pictures[0].save(path, form, save_all=True, append_images=pictures[1:])
    assert extent(path, content_type) == Extent(40, 30, 3)


def test_a_progressive_photo_with_metadata_has_its_size(path: Path) -> None:
    kept = io.BytesIO()
    picture = Image.effect_noise((120, 80), 50)
    picture.save(kept, "JPEG", progressive=True, exif=bytes(2000), icc_profile=bytes(70_000))
    path.write_bytes(kept.getvalue())
    assert extent(path, "image/jpeg") == Extent(120, 80)


def test_junk_that_never_ends_is_given_up(path: Path) -> None:
    path.write_bytes(b"\xff\xd8\xff" + b"\x01" * 2_000_000)
    with pytest.raises(Unreadable, match="do not end"):
        extent(path, "image/jpeg")
