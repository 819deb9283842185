"""Where an output is kept: keys that read well and never clash."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_runner.bucket import LocalBucket
from comfy_runner.outputs import key_for


@pytest.mark.parametrize(
    ("node_id", "index", "filename", "key"),
    [
        ("9", 0, "ComfyUI_00029_.png", "outputs/j-1/9/0000-ComfyUI_00029_.png"),
        ("9", 12345, "a b/ç.tar.gz", "outputs/j-1/9/12345-a_b_c.tar.gz"),
        ("3.0.4", 1, "写真.png", "outputs/j-1/3.0.4/0001-file.png"),
        ("9", 0, "..", "outputs/j-1/9/0000-file"),
        ("9", 0, "", "outputs/j-1/9/0000-file"),
    ],
)
def test_a_key_reads_like_the_output_it_is_for(
    node_id: str, index: int, filename: str, key: str
) -> None:
    assert key_for("j-1", node_id, index, filename) == key


def test_node_ids_that_look_alike_in_a_key_are_kept_apart() -> None:
    ids = ["57:8", "57_8", "57/8", "57 8", ".57_8", "", "é", "ë", "n" * 65, "n" * 66]
    keys = {key_for("j", node_id, 0, "a.png") for node_id in ids}
    assert len(keys) == len(ids)


@pytest.mark.parametrize("job_id", ["", "..", "a/b", "x" * 129])
def test_a_job_id_that_is_no_plain_name_makes_no_key(job_id: str) -> None:
    with pytest.raises(ValueError, match="job id"):
        key_for(job_id, "9", 0, "a.png")


ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)


@given(
    st.lists(st.tuples(ANY_TEXT, st.integers(0, 99_999)), unique=True, min_size=1, max_size=5),
    ANY_TEXT,
)
def test_any_names_give_keys_that_a_bucket_takes_and_that_never_clash(
    places: list[tuple[str, int]], filename: str
) -> None:
    bucket = LocalBucket(Path("unused"), b"secret")
    keys = [key_for("job", node_id, index, filename) for node_id, index in places]
    assert len(set(keys)) == len(places)
    for key in keys:
        assert key.isascii()
        bucket.url(key, ttl_seconds=1)
