"""Every kind of output, made by a real ComfyUI and stored by the runner."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

import pytest

from comfy_runner.bucket import LocalBucket
from comfy_runner.content_types import KINDS, describe
from comfy_runner.errors import ComfyError
from comfy_runner.facts import Facts, facts
from comfy_runner.outputs import Output, key_for
from comfy_runner.runner import Runner
from comfy_runner.server import ComfyServer
from comfy_runner.work import Work
from tests.comfy_runner.output_matrix import DOCUMENT, HEADINGS, document, rows, table
from tests.comfy_runner.output_rows import SOURCES, Expected, Row
from tests.comfy_runner.runs import POLICY, Heard

TOGETHER = [row for row in rows() if not row.alone]
ALONE = [row for row in rows() if row.alone]
Produced = dict[str, list[Output]]


def produce(server: ComfyServer, bucket: LocalBucket, *some: Row) -> Produced:
    """Run the rows as one job, and return their outputs by node."""
    if not server.alive:
        server.start()
        server.wait_ready()
    graph = {**SOURCES, **{row.id: row.node for row in some}}
    work = Work(graph, temp_outputs=any(row.temp_outputs for row in some))
    made: Produced = defaultdict(list)
    for output in Runner(server, bucket, POLICY).run(work, job_id="job", listener=Heard()):
        made[output.node_id].append(output)
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> LocalBucket:
    return LocalBucket(tmp_path_factory.mktemp("matrix"), b"k" * 32)


@pytest.fixture(scope="module")
def produced(shared_server: ComfyServer, files: LocalBucket) -> Produced:
    """The outputs of all rows that run together: one prompt."""
    return produce(shared_server, files, *TOGETHER)


@pytest.mark.live
@pytest.mark.parametrize("row", TOGETHER, ids=lambda row: row.id)
def test_an_output_is_found_and_named_and_stored(
    row: Row, produced: Produced, files: LocalBucket, tmp_path: Path
) -> None:
    check(row, produced[row.id], files, tmp_path)


@pytest.mark.live
def test_nothing_else_is_found(produced: Produced) -> None:
    assert {node_id for node_id, made in produced.items() if made} == {row.id for row in TOGETHER}


@pytest.mark.live
@pytest.mark.parametrize("row", ALONE, ids=lambda row: row.id)
def test_an_output_of_its_own_prompt_is_as_promised(
    row: Row, server: ComfyServer, bucket: LocalBucket, tmp_path: Path
) -> None:
    if row.error is None:
        check(row, produce(server, bucket, row)[row.id], bucket, tmp_path)
        return
    with pytest.raises(ComfyError) as caught:
        produce(server, bucket, row)
    assert caught.value.code == row.error


def check(row: Row, made: list[Output], bucket: LocalBucket, directory: Path) -> None:
    """Hold what was made against the row, and its files in the bucket too."""
    assert len(made) == len(row.outputs)
    stored = 0
    for output, wanted in zip(made, row.outputs, strict=True):
        assert (output.kind, output.content_type) == (wanted.kind, wanted.content_type)
        assert (output.filename, output.text) == (wanted.filename, wanted.text)
        assert output.is_temp == wanted.is_temp
        check_facts(output, wanted.facts)
        if output.text is None:
            path = directory / f"{stored}{Path(output.filename).suffix}"
            bucket.fetch(output.key, path)
            name = f"{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}-{output.filename}"
            assert output.key == key_for("job", row.id, stored, name)
            check_file(output, wanted, path)
            stored += 1
    assert stored == sum(output.text is None for output in row.outputs)


def check_facts(output: Output, wanted: Facts) -> None:
    size = (wanted.width, wanted.height, wanted.frames)
    assert (output.width, output.height, output.frames) == size
    assert output.duration_seconds == pytest.approx(wanted.duration_seconds, abs=0.001)


def check_file(output: Output, wanted: Expected, path: Path) -> None:
    assert path.stat().st_size == output.size_bytes > 0
    if wanted.content is not None:
        assert path.read_bytes() == wanted.content
    assert describe(path) == (wanted.kind, wanted.content_type)
    told = facts(path, wanted.content_type)
    assert (told.width, told.frames) == (wanted.facts.width, wanted.facts.frames)


def test_the_document_holds_the_table() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert document(text) == text, "run: python -m tests.comfy_runner.output_matrix"


def test_no_cell_of_the_table_is_empty() -> None:
    for line in table().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        assert len(cells) == len(HEADINGS)
        assert all(cells), line


def test_every_kind_has_a_row_and_every_row_its_own_node() -> None:
    assert {output.kind for row in rows() for output in row.outputs} == set(KINDS)
    assert len({row.id for row in rows()}) == len(rows())
    assert all(bool(row.outputs) != bool(row.error) for row in rows())


def test_a_document_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="<!-- outputs -->"):
        document("no place")
