"""What a type checker accepts and refuses: run once over the examples, compared line by line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.guide import GUIDE, ROOT, sections

HERE = Path(__file__).resolve().parent

EXPECTED = re.compile(r"# error: ([a-z, -]+)$")
FOUND = re.compile(r"^(\w+)\.py:(\d+): error: .*\[([a-z-]+)\]$", re.MULTILINE)

Found = dict[tuple[str, int], set[str]]


def guide_files() -> dict[str, str]:
    """Return the guide's sections, each as a file, and the files that it lists itself."""
    files: dict[str, str] = {}
    for number, section in enumerate(sections(GUIDE.read_text(encoding="utf-8"))):
        codes = [block.code for block in section.blocks if block.file is None]
        files |= {f"guide_{number}.py": "\n".join(codes), **section.files()}
    return files


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Return the codes of all errors by file and line."""
    pytest.importorskip("mypy", reason="not among the libraries of the lowest versions")
    place = tmp_path_factory.mktemp("examples")
    shutil.copy(HERE / "accepted.py", place)
    mistakes = (HERE / "refused.py").read_text(encoding="utf-8")
    for name, code in guide_files().items():
        (place / name).write_text(code, encoding="utf-8")
    # elsewhere its first line keeps the checker quiet
    (place / "refused.py").write_text(mistakes.replace("# mypy: ignore-errors\n", "\n"))
    names = sorted(each.name for each in place.iterdir())
    options = ["--strict", "--warn-unreachable", "--python-version=3.11", "--no-error-summary"]
    places = [f"--cache-dir={ROOT / '.mypy_cache' / 'examples'}", "--config-file="]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *places, *names],
        cwd=place,
        env={"MYPYPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    errors: Found = {}
    for file, line, code in FOUND.findall(done.stdout):
        errors.setdefault((file, int(line)), set()).add(code)
    assert done.returncode == 1, done.stdout + done.stderr
    return errors


def test_what_is_right_is_accepted_and_so_is_the_whole_guide(found: Found) -> None:
    assert {where: codes for where, codes in found.items() if where[0] != "refused"} == {}


def test_what_is_wrong_is_refused_for_the_right_reason(found: Found) -> None:
    expected = {
        ("refused", number): set(marked[1].split(", "))
        for number, line in enumerate((HERE / "refused.py").read_text().splitlines(), start=1)
        if (marked := EXPECTED.search(line))
    }
    assert len(expected) > 20
    assert {where: codes for where, codes in found.items() if where[0] == "refused"} == expected
