"""What the guide says, its examples do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.guide import FENCE, GUIDE, ROOT, Section, section, sections
from tests.waiting import eventually

TEXT = GUIDE.read_text(encoding="utf-8")
PROSE = FENCE.sub("", TEXT)
SECTIONS = list(sections(TEXT))
ONE_MACHINE = "On one machine"


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("part", SECTIONS, ids=lambda part: part.title)
def test_the_examples_do_what_they_say(part: Section) -> None:
    part.run()


def test_no_python_of_the_guide_is_left_out() -> None:
    fences = re.findall(r"^```python$", TEXT, re.MULTILINE)
    assert len(fences) == sum(len(part.blocks) for part in SECTIONS) > 20


def test_links_within_the_guide_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", PROSE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", PROSE)) <= anchors


def test_files_that_the_guide_links_to_exist() -> None:
    targets = re.findall(r"\]\((?!#|https:)([^)]*)\)", PROSE)
    assert [each for each in targets if not (GUIDE.parent / each).exists()] == []


def test_the_program_for_one_machine_serves_another_process_until_it_is_stopped(
    tmp_path: Path,
) -> None:
    for name, code in section(ONE_MACHINE).files().items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    with subprocess.Popen(
        [sys.executable, "serve.py"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        try:
            eventually((tmp_path / "data" / "tasks.db").exists)
            client = subprocess.run(
                [sys.executable, "client.py"],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            server.send_signal(signal.SIGINT)
            said, _ = server.communicate(timeout=60)
    assert client.returncode == 0, client.stderr + said
    assert client.stdout.splitlines()[-1] == "all well"
    assert server.returncode == 0, said
