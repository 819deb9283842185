from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tasks.framework.rig import Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig().configured() as rig:
        yield rig
