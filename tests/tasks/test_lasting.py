"""What lasts and what does not: keys that are over go, what is wanted is read once a day."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks import catalogue, keys, maintenance
from tasks.framework.stores import Json
from tasks.framework.stores.memory import MemoryStore
from tasks.kept_secret import webhook_secrets
from tests.tasks.framework.rig import Rig, request

WEEK = 7 * maintenance.DAY


class Forgetful(MemoryStore):
    """A store that drops what nobody has put, added or got for a week; a scan does not count."""

    def __init__(self) -> None:
        super().__init__()
        self.rig: Rig | None = None
        self.touched: dict[str, float] = {}

    def add(self, key: str, value: Json) -> bool:
        self._touch(key)
        return super().add(key, value)

    def put(self, key: str, value: Json) -> None:
        self._touch(key)
        super().put(key, value)

    def get(self, key: str) -> Json | None:
        self._touch(key)
        return super().get(key)

    def drop_idle(self) -> None:
        assert self.rig
        super().delete(
            *(key for key, at in self.touched.items() if self.rig.clock.now - at >= WEEK)
        )

    def _touch(self, key: str) -> None:
        self.touched[key] = self.rig.clock.now if self.rig else 0.0


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig().configured() as rig:
        yield rig


def test_everything_that_is_wanted_outlives_the_idle_week() -> None:
    store = Forgetful()
    rig = Rig(store=store)
    store.rig = rig
    with rig.configured():
        _, key = keys.create(owner="ann")
        keys.revoke(key.id)
        keys.create(owner="bob")
        (secret,) = webhook_secrets(None)
        store.put(catalogue.KEY, {"digest": "d"})
        late = rig.clock.now + 20 * maintenance.DAY
        rig.protocol.submit(request(owner="ann", due=late), limit=1)
        before = {name for prefix in ("key", "slot", "job") for name, _ in store.scan(prefix)}
        for _ in range(16):
            rig.clock.now += maintenance.DAY
            maintenance.tick()
            maintenance.purge()
            store.drop_idle()

        assert {n for prefix in ("key", "slot", "job") for n, _ in store.scan(prefix)} == before
        assert webhook_secrets(None) == (secret,)
        assert store.get(catalogue.KEY) == {"digest": "d"}


def test_what_revokes_a_key_is_read_before_the_key(rig: Rig) -> None:
    class Noting(MemoryStore):
        """Notes what is read."""

        def __init__(self) -> None:
            super().__init__()
            self.read: list[str] = []

        def get(self, key: str) -> Json | None:
            self.read.append(key)
            return super().get(key)

    store = Noting()
    for name in ("key:a", "key:a:revoked", "key:b", "live:x"):
        store.put(name, {"at": 1})

    assert maintenance.keep_alive(store) == 3
    assert store.read == ["key:b", "key:a:revoked", "key:a"]


def test_keys_that_are_over_are_forgotten_after_a_month(rig: Rig) -> None:
    _, revoked = keys.create()
    keys.note_use(revoked.id)
    keys.revoke(revoked.id)
    _, expired = keys.create(days=1)
    _, good = keys.create()
    later, both = keys.create(days=90)
    rig.clock.now += keys.KEPT_SECONDS - 1
    assert keys.forget_ended() == 0

    rig.clock.now += 1
    assert maintenance.purge() == 1
    assert {key.id for key in keys.list_keys()} == {expired.id, good.id, both.id}
    keys.revoke(both.id)
    rig.clock.now += maintenance.DAY
    assert keys.forget_ended() == 1
    assert {key.id for key in keys.list_keys()} == {good.id, both.id}
    assert [name for name, _ in rig.store.scan(f"key:{revoked.id}")] == []
    found = keys.find(keys.id_of(later) or "")
    assert found is not None
    assert not found.valid(rig.clock.now)


def test_a_key_that_is_forgotten_is_never_good_in_between(rig: Rig) -> None:
    removed: list[str] = []

    class Noting(MemoryStore):
        """Notes what is removed, in its order."""

        def delete(self, *names: str, if_value: Json | None = None) -> None:
            removed.extend(names)
            super().delete(*names, if_value=if_value)

    with Rig(store=Noting()).configured() as noting:
        _, key = keys.create()
        keys.revoke(key.id)
        noting.clock.now += keys.KEPT_SECONDS
        keys.forget_ended()

    assert removed[:2] == [f"key:{key.id}", f"key:{key.id}:revoked"]


def test_what_a_forgotten_key_has_left_goes_too(rig: Rig) -> None:
    _, good = keys.create()
    keys.note_use(good.id)
    keys.note_use("gone1234")

    assert keys.forget_ended() == 0
    assert sorted(name for name, _ in rig.store.scan("key:")) == [
        f"key:{good.id}",
        f"key:{good.id}:used",
    ]
