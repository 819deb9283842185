"""What a finished prompt left behind: every file and text, found, typed and named."""

from __future__ import annotations

from comfy_runner.content_types import KINDS, describe
from comfy_runner.outputs.files import inspect, resolve
from comfy_runner.outputs.finding import find
from comfy_runner.outputs.keys import key_for
from comfy_runner.outputs.output import FileReference, Output, Reference, TextReference

__all__ = [
    "KINDS",
    "FileReference",
    "Output",
    "Reference",
    "TextReference",
    "describe",
    "find",
    "inspect",
    "key_for",
    "resolve",
]
