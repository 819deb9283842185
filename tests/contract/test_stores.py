"""What every store promises."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tasks.framework.stores import Store
from tasks.framework.watching import Observable

VALUE = {"text": "ünïcode ☃", "number": 1.5, "list": [1, None, True], "nested": {"a": {}}}


def test_what_was_put_is_got(store: Store) -> None:
    store.put("a:1", VALUE)

    assert store.get("a:1") == VALUE


def test_an_absent_key_is_none(store: Store) -> None:
    assert store.get("a:1") is None


def test_put_replaces(store: Store) -> None:
    store.put("a:1", {"n": 1})
    store.put("a:1", {"n": 2})

    assert store.get("a:1") == {"n": 2}


def test_add_stores_only_if_absent_and_says_so(store: Store) -> None:
    assert store.add("a:1", {"n": 1}) is True
    assert store.add("a:1", {"n": 2}) is False
    assert store.add("a:1", {"n": 1}) is False  # an equal value does not make a second winner
    assert store.get("a:1") == {"n": 1}


def test_an_added_key_can_be_added_again_once_it_is_deleted(store: Store) -> None:
    store.add("a:1", {"n": 1})
    store.delete("a:1")

    assert store.add("a:1", {"n": 2}) is True


def test_of_many_adders_exactly_one_wins(store: Store) -> None:
    keys = [f"a:{n}" for n in range(50)]
    with ThreadPoolExecutor(8) as pool:
        for key in keys:
            won = list(pool.map(lambda n, key=key: store.add(key, {"n": n}), range(8)))
            assert won.count(True) == 1
            assert store.get(key) == {"n": won.index(True)}


def test_delete_of_an_absent_key_is_fine(store: Store) -> None:
    store.delete("a:1")
    store.delete("a:1", if_value={"n": 1})


def test_several_keys_are_deleted_at_once(store: Store) -> None:
    for n in range(4):
        store.put(f"a:{n}", {"n": n % 2})

    store.delete("a:0", "a:9", "a:1")
    assert [key for key, _ in store.scan("a:")] == ["a:2", "a:3"]
    store.delete("a:2", "a:3", if_value={"n": 1})
    assert [key for key, _ in store.scan("a:")] == ["a:2"]


def test_delete_if_value_spares_another_value(store: Store) -> None:
    store.put("a:1", {"id": "x", "at": 1.25})

    store.delete("a:1", if_value={"id": "y", "at": 1.25})
    assert store.get("a:1") is not None

    store.delete("a:1", if_value={"at": 1.25, "id": "x"})  # whatever the order of its keys
    assert store.get("a:1") is None


def test_scan_yields_what_is_under_the_prefix_in_order(store: Store) -> None:
    for key in ("b:2", "a:2", "a:1", "ab:1", "a"):
        store.put(key, {"key": key})

    assert [key for key, _ in store.scan("a:")] == ["a:1", "a:2"]
    assert dict(store.scan("a:")) == {"a:1": {"key": "a:1"}, "a:2": {"key": "a:2"}}


def test_the_empty_prefix_scans_everything(store: Store) -> None:
    store.put("a:1", {"n": 1})
    store.put("b:1", {"n": 1})

    assert [key for key, _ in store.scan("")] == ["a:1", "b:1"]


def test_records_may_be_deleted_during_a_scan(store: Store) -> None:
    for n in range(10):
        store.put(f"a:{n}", {"n": n})

    for key, _ in store.scan("a:"):
        store.delete(key)

    assert list(store.scan("a:")) == []


def test_a_value_that_was_read_is_a_copy(store: Store) -> None:
    store.put("a:1", {"list": [1]})
    value = store.get("a:1")
    assert value is not None
    value["list"].append(2)

    assert store.get("a:1") == {"list": [1]}


def test_a_store_that_can_be_observed_tells_every_change(store: Store) -> None:
    if not isinstance(store, Observable):
        return  # it need not: its readers are woken now and then
    with store.observed() as version:
        seen = [version(), version()]
        assert len(set(seen)) == 1
        changes: list[Callable[[], object]] = [
            lambda: store.add("a", {"x": 1}),
            lambda: store.put("a", {"x": 2}),
            lambda: store.delete("a", if_value={"x": 2}),
        ]
        for change in changes:
            change()
            assert version() not in seen
            seen.append(version())
