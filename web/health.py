"""Tells whoever watches that the API answers."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def health() -> dict[str, str]:
    """Answer without a key and without touching anything else."""
    return {"status": "ok"}
