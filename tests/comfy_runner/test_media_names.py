"""What a file is called in ComfyUI's input directory, whatever its owner calls it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_runner.media.kinds import KINDS, Kind, kind_of
from comfy_runner.media.names import file_name
from tests.comfy_runner import media_files as files


def kind(extension: str) -> Kind:
    found = kind_of(files.SAMPLES[extension][0])
    assert found is not None
    return found


PNG = kind(".png")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("photo.png", "photo.png"),
        ("photo", "photo.png"),
        ("photo.PNG", "photo.png"),
        ("photo.jpg", "photo.png"),
        ("photo.tar.gz", "photo.tar.png"),
        ("v1.5 final", "v1.5 final.png"),
        ("João às 9.png", "João às 9.png"),
        ("写真.png", "写真.png"),
        ("e\u0301.png", "\u00e9.png"),
        ("../../etc/passwd", "passwd.png"),
        ("..\\..\\a.png", "a.png"),
        ("/absolute/a.png", "a.png"),
        ("a/b/", "b.png"),
        (".hidden.png", "hidden.png"),
        ("...", "media.png"),
        ("..", "media.png"),
        (".png", "media.png"),
        ("", "media.png"),
        ("   .png", "media.png"),
        ("a\x00b\n\x1b[31m\u202egnp.png", "ab_31mgnp.png"),
        ('a<b>:"|?*%#&;$`[input]', "a_b_____________input_.png"),
        ("a.png [output]", "a.png _output_.png"),
        ("CON", "_CON.png"),
        ("nul.tar.png", "_nul.tar.png"),
        ("com1.png", "_com1.png"),
        ("\uff0e\uff0e\uff0fa.png", "_a.png"),
        ("x" * 300 + ".png", "x" * 80 + ".png"),
        ("é" * 300, "é" * 40 + ".png"),
    ],
)
def test_a_name_is_reduced_to_a_plain_one(name: str, expected: str) -> None:
    assert file_name(name, PNG, ()) == expected


@pytest.mark.parametrize(
    ("name", "extension", "expected"),
    [
        ("a.jpeg", ".jpg", "a.jpeg"),
        ("a.png", ".jpg", "a.jpg"),
        ("a.m4a", ".mp4", "a.m4a"),
        ("a.opus", ".ogg", "a.opus"),
        ("a.svg", ".webm", "a.webm"),
        ("a", ".glb", "a.glb"),
    ],
)
def test_the_extension_is_one_of_the_content(name: str, extension: str, expected: str) -> None:
    assert file_name(name, kind(extension), ()) == expected


def names(*given: str) -> list[str]:
    taken: list[str] = []
    for each in given:
        taken.append(file_name(each, PNG, taken))
    return taken


def test_names_that_reduce_to_the_same_get_numbers() -> None:
    assert names("a", "a.png", "x/a.jpg", "A.png") == ["a.png", "a-2.png", "a-3.png", "A-4.png"]
    assert names("a-2", "a", "a.png") == ["a-2.png", "a.png", "a-3.png"]


@given(st.lists(st.text(max_size=120), max_size=6), st.sampled_from(KINDS))
def test_no_name_leads_anywhere_or_meets_another(given: list[str], kind: Kind) -> None:
    taken: list[str] = []
    for each in given:
        taken.append(file_name(each, kind, taken))
    assert len({each.casefold() for each in taken}) == len(given)
    for each in taken:
        assert "/" not in each
        assert "\\" not in each
        assert not each.startswith((".", " "))
        assert each.endswith(tuple(kind.extensions))
        assert len(each.encode()) < 100
        assert "C" not in categories(each)
        assert each.isprintable()


def categories(text: str) -> Iterable[str]:
    return {unicodedata.category(each)[0] for each in text}
