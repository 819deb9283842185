"""The secret of webhooks beside the other records: made once, whoever asks first."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.framework.stores import Json
from tasks.framework.stores.memory import MemoryStore
from tasks.kept_secret import KEY, webhook_secrets
from tests.tasks.framework.rig import Rig

GIVEN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig().configured() as rig:
        yield rig


def test_what_is_configured_counts_and_nothing_is_kept(rig: Rig) -> None:
    assert webhook_secrets(f"{GIVEN}, {GIVEN}") == (GIVEN, GIVEN)
    assert rig.store.get(KEY) is None


def test_one_is_made_once_and_is_as_the_settings_would_have_it(rig: Rig) -> None:
    (made,) = webhook_secrets(None)

    assert webhook_secrets(None) == (made,)
    assert webhook_secrets(GIVEN) == (GIVEN,)
    assert webhook_secrets("") == (made,)
    assert len(base64.b64decode(made.removeprefix("whsec_"), validate=True)) == 32


def test_of_many_who_ask_at_once_all_hear_the_same(rig: Rig) -> None:
    with ThreadPoolExecutor(8) as pool:
        heard = set(pool.map(lambda _: webhook_secrets(None), range(8)))

    assert len(heard) == 1


def test_who_comes_second_takes_the_first_ones_secret() -> None:
    class Late(MemoryStore):
        """Somebody else is first, just before this one adds its own."""

        def add(self, key: str, value: Json) -> bool:
            super().add(key, {"secret": GIVEN})
            return super().add(key, value)

    with Rig(store=Late()).configured():
        assert webhook_secrets(None) == (GIVEN,)
