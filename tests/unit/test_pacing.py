"""The pace at which a mailbox is written to stays below Exchange's limit, whatever happens."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.pacing import CAPACITY, Pace, weight

START = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.lists(st.tuples(st.floats(1, 200), st.floats(0, 30), st.floats(0, 5_000)), max_size=400))
def test_no_ten_minutes_ever_see_ten_thousand_requests(
    steps: list[tuple[float, float, float]],
) -> None:
    pace, now = Pace(), START
    sent: list[tuple[datetime, float]] = []
    for requests, idle, to_come in steps:
        now += timedelta(seconds=idle)
        pace = pace.refilled(now)
        if wait := pace.wait(requests, to_come):
            now += timedelta(seconds=wait)
            pace = pace.refilled(now)
            assert pace.left >= requests - 0.01
        pace = pace.spent(requests)
        sent.append((now, requests))
    for moment, _ in sent:
        window = sum(n for when, n in sent if moment <= when < moment + timedelta(minutes=10))
        assert window < 10_000


def test_a_fill_of_many_contacts_waits_seldom_and_long_rather_than_often() -> None:
    pace, now, waits = Pace(), START, 0
    for left in range(20_000, 0, -20):
        pace = pace.refilled(now)
        if wait := pace.wait(20, left):
            now += timedelta(seconds=wait)
            pace, waits = pace.refilled(now), waits + 1
        pace = pace.spent(20)
        now += timedelta(seconds=0.4)
    assert waits <= 12


def test_a_clock_that_goes_back_neither_refills_nor_blocks_for_ever() -> None:
    empty = Pace(left=0, since=START)
    back = empty.refilled(START - timedelta(days=3))
    assert back.left == 0
    assert back.refilled(START - timedelta(days=3) + timedelta(minutes=10)).left == CAPACITY


@given(st.integers(0, 4_000_000))
def test_a_large_request_counts_as_several(size: int) -> None:
    # 150 MB in 5 minutes are 300 MB in the 10 minutes in which 9,900 requests pass.
    assert weight(size) >= 1
    assert size / weight(size) <= 30_001
