"""What is printed on a terminal."""

from __future__ import annotations

import pytest

from commands.terminal import describe_position, print_table, printable
from tests.commands.support import GRAPH
from web.answers import Job


def test_control_characters_of_others_never_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert printable("a\x1b]0;b\x07\r\nc") == "a\ufffd]0;b\ufffd\ufffd\nc"
    print_table(["A"], [["[bold]\x1b[2J"]])
    assert capsys.readouterr().out.split() == ["A", "[bold]\ufffd[2J"]


def test_a_position_is_told_even_for_a_node_the_graph_does_not_have() -> None:
    assert describe_position(Job("a", "running", current_node="9"), GRAPH) == "node 9"
    assert describe_position(Job("a", "queued"), GRAPH) == ""
