"""Dividing ranges of partition keys: no key is lost, and none is in two parts."""

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.key_ranges import KeyRange

_GUIDS = st.uuids().map(str)
_KEYS = _GUIDS | st.builds("{}|{}".format, _GUIDS, _GUIDS) | st.just("service")


def _holds(part: KeyRange, key: str) -> bool:
    return part.low < key <= part.high


@given(st.just("") | _KEYS, _KEYS | st.just(KeyRange.high), _KEYS, st.integers(1, 300))
def test_each_key_of_a_range_is_in_exactly_one_part(
    low: str, high: str, key: str, count: int
) -> None:
    whole = KeyRange(low, max(low, high))

    parts = whole.parts(count)

    assert len(parts) <= count
    assert sum(_holds(part, key) for part in parts) == _holds(whole, key)


def test_parts_of_all_keys_have_the_same_width() -> None:
    assert [part.high for part in KeyRange().parts(4)] == ["40000000", "80000000", "c0000000", "~"]


def test_narrow_range_is_not_divided_for_ever() -> None:
    assert KeyRange("00000000-a", "00000000-b").parts(4) == [KeyRange("00000000-a", "00000000-b")]
