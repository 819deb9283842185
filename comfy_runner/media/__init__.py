"""Input files: taken in with a submission (`intake`), laid out for ComfyUI (`placing`)."""

from __future__ import annotations

from comfy_runner.media.item import FOLDER, Media, Policy, refer

__all__ = ["FOLDER", "Media", "Policy", "refer"]
