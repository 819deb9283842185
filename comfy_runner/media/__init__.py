"""Input files: taken in with a submission, and laid where ComfyUI finds them."""

from __future__ import annotations

from comfy_runner.media.item import FOLDER, Media, Policy, refer
from comfy_runner.media.placing import place

__all__ = ["FOLDER", "Media", "Policy", "place", "refer"]
