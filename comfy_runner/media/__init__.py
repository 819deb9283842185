"""Input files: taken in with a submission, and laid where ComfyUI finds them."""

from __future__ import annotations

from comfy_runner.media.item import Media, Policy, refer
from comfy_runner.media.placing import place

__all__ = ["Media", "Policy", "place", "refer"]
