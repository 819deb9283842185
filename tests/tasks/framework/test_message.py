"""What may travel, and what may not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.framework import NotSerializable
from tasks.framework.message import check_json, digest, round_trip

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_json_survives_the_journey(value: object) -> None:
    assert round_trip(value, "x") == value


@given(JSON, st.sampled_from([object(), {1}, b"bytes", math.inf, 1j]))
def test_anything_else_is_found_however_deep_it_hides(value: object, foreign: object) -> None:
    with pytest.raises(NotSerializable, match=r"x\[1\]\['k'\]\[0\]"):
        check_json([value, {"k": [foreign]}], "x")


@given(st.dictionaries(st.text(), JSON, min_size=2))
def test_a_digest_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    assert digest(value) == digest(dict(reversed(value.items())))
    assert digest(value) != digest({**value, "another key than any": 1}, 2)
