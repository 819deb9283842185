"""Real git repositories of custom nodes, made on the disk."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from apps import CustomNode

GOOD = "class Node:\n    pass\n\nNODE_CLASS_MAPPINGS = {'OurTestNode': Node}\n"


def git(place: Path, *arguments: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    done = subprocess.run(
        ["git", *who, "-C", str(place), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def repository(place: Path, files: Mapping[str, str], *, pip: tuple[str, ...] = ()) -> CustomNode:
    """Make a repository with two commits; the node is at the first of them."""
    place.mkdir(parents=True)
    git(place, "init", "-q")
    git(place, "config", "uploadpack.allowReachableSHA1InWant", "true")  # as GitHub does
    for name, text in files.items():
        (place / name).write_text(text)
    git(place, "add", ".")
    git(place, "commit", "-q", "-m", "first")
    commit = git(place, "rev-parse", "HEAD")
    (place / "__init__.py").write_text("raise RuntimeError('a later commit')\n")
    git(place, "commit", "-q", "-a", "-m", "second")
    return CustomNode(url=f"file://{place}", commit=commit, pip=pip)
