"""Pacing keeps the requests to a mailbox below Exchange's limit."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.pacing import LIMIT, Pace, weight

START = datetime(2026, 1, 1, tzinfo=UTC)


@given(
    st.lists(st.tuples(st.integers(1, 900), st.floats(0, 90), st.integers(0, 5_000)), max_size=200)
)
def test_no_ten_minute_window_exceeds_the_request_limit(
    steps: list[tuple[int, float, int]],
) -> None:
    pace, now = Pace(), START
    sent: list[tuple[datetime, int]] = []
    for requests, idle, to_come in steps:
        now += timedelta(seconds=idle)
        if wait := pace.wait(now, requests, to_come):
            now += timedelta(seconds=wait)
            assert pace.wait(now, requests, 0) == 0
        pace = pace.spent(now, requests)
        sent.append((now, requests))
    for moment, _ in sent:
        window = sum(n for when, n in sent if moment <= when < moment + timedelta(minutes=10))
        assert window <= LIMIT
    assert len(pace.sent) <= 31


def test_large_fill_waits_rarely_and_finishes_within_an_hour() -> None:
    pace, now, waits = Pace(), START, 0
    for left in range(50_000, 0, -20):
        if wait := pace.wait(now, 20, left):
            now += timedelta(seconds=wait)
            waits += 1
        pace = pace.spent(now, 20)
        now += timedelta(seconds=0.4)
    assert waits <= 20
    assert now - START < timedelta(minutes=60)


@given(st.integers(0, 20_000), st.timedeltas(timedelta(0), timedelta(days=30)))
def test_clock_moved_back_delays_requests_by_about_ten_minutes_at_most(
    requests: int, back: timedelta
) -> None:
    now = START - back
    assert Pace().spent(START, requests).wait(now, 20, 20) <= 620


@given(st.integers(0, 4_000_000))
def test_a_large_request_counts_as_several(size: int) -> None:
    # 150 MB in 5 minutes are 300 MB in the 10 minutes in which 9,900 requests pass.
    assert weight(size) >= 1
    assert size / weight(size) <= 30_001
