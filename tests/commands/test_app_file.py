"""Adding models to app files and taking them out: everything else stays as it was written."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import apps
from commands.app_file import CannotEdit, with_model, without_model

FILES = [Path(apps.__file__).parent / f"{name}.toml" for name in apps.names()]
ENTRY = {"folder": "loras", "repo": "owner/name", "file": "a/style.pt", "revision": "v1"}
BLOCK = """[[models]]
folder = "loras"
repo = "owner/name"
file = "a/style.pt"
revision = "v1"
"""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_model_that_is_added_and_taken_out_leaves_the_file_as_it_was(file: Path) -> None:
    text = file.read_text()
    added = with_model(text, ENTRY)
    assert BLOCK in added
    assert set(text.splitlines()) <= set(added.splitlines())
    assert without_model(added, "loras/style.pt") == text


def test_a_model_goes_after_those_that_are_there() -> None:
    text = '# top\n[[models]] # one\nfolder = "a"\nfile = "b"\n# below\n\n[limits]\n'
    assert with_model(text, ENTRY) == text.replace("# below", f"\n{BLOCK}# below")


def test_the_first_model_goes_before_the_first_table_and_its_comment() -> None:
    text = 'name = "a"\n\n# Limits.\n[limits]\n'
    assert with_model(text, ENTRY) == f'name = "a"\n\n{BLOCK}\n# Limits.\n[limits]\n'
    assert with_model('name = "a"\n', ENTRY) == f'name = "a"\n\n{BLOCK}'


def test_a_model_takes_its_comment_with_it_and_leaves_those_of_others() -> None:
    first = '# One.\n[[models]]\nfolder = "a"\nfile = "x/1"\n'
    second = '# Two.\n[[models]]\nfolder = "a"\nfile = "2"\n'
    text = f"{first}\n{second}"
    assert without_model(text, "a/1").strip() == second.strip()
    assert without_model(text, "a/2") == first


@pytest.mark.parametrize(
    "text",
    [
        'models = [{folder = "loras", file = "b"}]\n',
        'note = """\n[[models]]\n"""\n[[models]]\nfolder = "loras"\nfile = "b"\n',
    ],
)
def test_a_file_that_is_written_otherwise_is_refused_rather_than_spoiled(text: str) -> None:
    assert tomllib.loads(text)["models"]
    with pytest.raises(CannotEdit, match="change it by hand"):
        without_model(text, "loras/b")


def test_a_block_inside_a_text_is_no_model() -> None:
    with pytest.raises(CannotEdit, match="change it by hand"):
        with_model('note = """\n[[models]]\nx = 1\n[[y]]\n"""\n', ENTRY)


def test_inline_models_get_no_block_beside_them() -> None:
    with pytest.raises(CannotEdit, match="change it by hand"):
        with_model('models = [{folder = "loras", file = "b"}]\n', ENTRY)


def test_odd_characters_are_written_so_that_toml_reads_them_back() -> None:
    odd = ENTRY | {"file": 'a "b" \\ ü.pt'}
    assert tomllib.loads(with_model("", odd))["models"] == [odd]
