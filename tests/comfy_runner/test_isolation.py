"""Prefixes that come through a link, led into the job's own folder."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_runner.bucket import LocalBucket
from comfy_runner.graph import Graph, isolate, links_a_prefix
from comfy_runner.server import ComfyServer
from tests.comfy_runner.runs import EMPTY, Heard, node, run

LINKED: Graph = {
    "1": EMPTY,
    "2": node("PrimitiveString", value="linked/picture"),
    "3": node("SaveImage", images=["1", 0], filename_prefix=["2", 0]),
}


def test_a_linked_prefix_is_led_through_a_node_that_puts_the_folder_before_it() -> None:
    isolated = isolate(LINKED, "job", joiner="Join")
    joined = {"string_a": "job/", "string_b": ["2", 0], "delimiter": ""}
    assert isolated["job/3"] == {"class_type": "Join", "inputs": joined}
    assert isolated["3"]["inputs"] == {"images": ["1", 0], "filename_prefix": ["job/3", 0]}
    assert set(isolated) == {*LINKED, "job/3"}


def test_without_a_node_that_joins_a_linked_prefix_stays_as_it_is() -> None:
    assert isolate(LINKED, "job") == LINKED


@pytest.mark.parametrize("prefix", ["x", {"__value__": ["2", 0]}, 3, None])
def test_what_is_no_link_is_not_led_through_anything(prefix: Any) -> None:
    graph = {"3": node("SaveImage", filename_prefix=prefix)}
    assert not links_a_prefix(graph)
    assert set(isolate(graph, "job", joiner="Join")) == {"3"}


def test_a_link_is_found_where_there_is_one() -> None:
    assert links_a_prefix(LINKED)


@pytest.mark.live
def test_a_save_with_a_linked_prefix_leaves_nothing_and_is_never_answered_from_before(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    heard = Heard()
    (first,), (second,) = (run(server, bucket, LINKED, each) for each in (Heard(), heard))
    assert (first.filename, second.filename) == ("picture_00001_.png", "picture_00001_.png")
    assert list(server.output_directory.rglob("*.png")) == []
    assert heard.snapshots[-1].nodes_total == len(LINKED)
    assert not [line for line in heard.lines if "StringConcatenate" in line]
