"""Input files: taken in with a submission (`intake`), laid where ComfyUI finds them (`placing`)."""

from __future__ import annotations

from comfy_runner.media.item import FOLDER, Media, Policy, refer

__all__ = ["FOLDER", "Media", "Policy", "refer"]
