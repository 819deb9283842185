"""Downloads by the typed client: whole or not at all, and never out of their place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.told_api import Api
from web.answers import Output
from web.client import DownloadFailed, JobsClient, Patience
from web.downloads import safe_name

QUICK = Patience(sleep=lambda seconds: None)


@pytest.fixture
def client(api: Api) -> Iterator[JobsClient]:
    with JobsClient(api.url, "k3y", timeout=5, patience=QUICK) as connected:
        yield connected


def test_a_file_is_downloaded_whole_and_without_the_key(
    api: Api, client: JobsClient, tmp_path: Path
) -> None:
    api.answer = (200, {}, b"PNG")
    path = client.download(Output("9", "image", "x.png", f"{api.url}/f?s=1", 3), tmp_path / "new")
    assert path == tmp_path / "new" / "x.png"
    assert path.read_bytes() == b"PNG"
    assert api.requests[0][1] == "/f?s=1"
    assert "Authorization" not in api.requests[0][2]


def test_an_existing_file_is_kept_and_the_new_one_gets_a_number(
    api: Api, client: JobsClient, tmp_path: Path
) -> None:
    (tmp_path / "x.png").write_bytes(b"old")
    (tmp_path / "x-1.png").symlink_to(tmp_path / "nowhere")
    api.answer = (200, {}, b"PNG")
    path = client.download(Output("9", "image", "x.png", "/f"), tmp_path)
    assert path.name == "x-2.png"
    assert (tmp_path / "x.png").read_bytes() == b"old"


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b"PN"),
        (200, {"Content-Length": "10"}, b"PNG"),
        (403, {}, b"expired"),
        (200, {"Content-Encoding": "gzip"}, b"PNG"),
    ],
)
def test_a_download_that_is_not_whole_leaves_no_file(
    api: Api, client: JobsClient, tmp_path: Path, answer: tuple[int, dict[str, str], bytes]
) -> None:
    api.answer = (answer[0], answer[1] | {"Connection": "close"}, answer[2])
    with pytest.raises(DownloadFailed):
        client.download(Output("9", "image", "x.png", "/f", 3), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_download_into_a_place_that_is_a_file_says_so(
    client: JobsClient, tmp_path: Path
) -> None:
    place = tmp_path / "taken"
    place.write_bytes(b"")
    with pytest.raises(DownloadFailed, match="taken"):
        client.download(Output("9", "image", "x.png", "/f"), place)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("x.png", "x.png"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/abs/x.png", "x.png"),
        ("..", "output"),
        ("", "output"),
        (".bashrc", "bashrc"),
        ("a\nb\x1b[31m.png", "ab[31m.png"),
        ('a<>:"|?*.png', "a.png"),
        ("C:evil.png", "Cevil.png"),
        ("é" * 200 + ".png", "é" * 73 + ".png"),
    ],
)
def test_a_name_never_leaves_its_directory(given: str, kept: str) -> None:
    assert safe_name(given) == kept
