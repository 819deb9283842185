"""Fetch a whole ComfyUI into a directory of its own."""

from __future__ import annotations

from comfy_runner.installation import DEFAULT, Installation, find

__all__ = ["DEFAULT", "Installation", "find"]
