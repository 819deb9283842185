"""Input files: taken in with a submission, and laid where ComfyUI finds them."""

from __future__ import annotations

from comfy_runner.media.item import Media, Policy, refer

__all__ = ["Media", "Policy", "refer"]
