from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.framework import configure, runtime
from tasks.framework.backends.eager import eager_runtime
from tasks.framework.task import registry


@pytest.fixture
def eager() -> Iterator[None]:
    """Give a section what its reader has: a fresh eager runtime, and only its own tasks."""
    before = dict(registry)
    for name in before:
        if not name.startswith("tasks.framework."):
            del registry[name]
    configure(eager_runtime())
    try:
        yield
        runtime().close()
    finally:
        configure(None)
        registry.clear()
        registry.update(before)
