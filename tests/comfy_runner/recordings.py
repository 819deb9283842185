"""Recordings of real ComfyUI runs, as frames and graphs."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from comfy_runner.events import Event, parse
from comfy_runner.graph import Graph

FOLDER = Path(__file__).parent / "transcripts"


@cache
def load(name: str) -> Any:
    return json.loads((FOLDER / f"c0375.{name}.json").read_text("utf-8"))


@cache
def names() -> tuple[str, ...]:
    """Every recording of one prompt on one socket."""
    found = sorted(path.stem.removeprefix("c0375.") for path in FOLDER.glob("*.json"))
    return tuple(name for name in found if "client_id" in load(name) and load(name).get("history"))


def prompt_id(name: str) -> str:
    answer: str = load(name)["post"]["json"]["prompt_id"]
    return answer


def graph(name: str) -> Graph:
    prompt: Graph = load(name)["post"]["body"]["prompt"]
    return prompt


def item(name: str) -> Any:
    return load(name)["history"]["json"][prompt_id(name)]


def frames(name: str) -> list[str | bytes]:
    return [
        json.dumps(entry["text"]) if "text" in entry else b"\0\0\0\1" for entry in load(name)["ws"]
    ]


def events(name: str) -> list[Event]:
    parsed = (parse(frame) for frame in frames(name))
    return [event for event in parsed if event is not None]
