"""When a notice is sent again, and when it is given up."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.notices.causes import NoticeKind
from shared.domain.notices.deliveries import (
    BACKOFF,
    LONGEST_WAIT,
    AttemptOutcome,
    Delivery,
    DeliveryState,
    NoticeLine,
    NoticeState,
)

NOW = datetime(2026, 11, 30, tzinfo=UTC)
LINE = NoticeLine(
    kind=NoticeKind.CONSENT_LOST,
    state=NoticeState.OPEN,
    causes=1,
    mailboxes=0,
    when=None,
    path="consent",
)
NOTICE = Delivery(id="n1", created=NOW, lines=(LINE,), due=NOW)


def test_waits_grow_until_the_notice_is_given_up() -> None:
    notice, waits = NOTICE, []
    while notice.state is DeliveryState.PENDING:
        assert notice.due is not None
        now = notice.due
        notice = notice.begun(now).after(AttemptOutcome.REJECTED, 500, now)
        waits.append(notice.due - now if notice.due is not None else None)

    assert waits == [*BACKOFF, None]
    assert (notice.state, notice.exhausted) == (DeliveryState.FAILED, True)


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        (timedelta(seconds=1), BACKOFF[0]),
        (timedelta(hours=3), timedelta(hours=3)),
        (timedelta(days=9), LONGEST_WAIT),
    ],
)
def test_receiver_may_ask_for_a_longer_wait(asked: timedelta, wait: timedelta) -> None:
    notice = NOTICE.begun(NOW).after(AttemptOutcome.REJECTED, 503, NOW, asked)

    assert notice.due == NOW + wait


@pytest.mark.parametrize("outcome", [AttemptOutcome.GONE, AttemptOutcome.UNREADABLE])
def test_notice_that_can_never_arrive_is_given_up_at_once(outcome: AttemptOutcome) -> None:
    notice = NOTICE.begun(NOW).after(outcome, None, NOW)

    assert (notice.state, notice.due) == (DeliveryState.FAILED, None)


def test_failed_test_is_not_repeated_and_turns_nothing_off() -> None:
    notice = NOTICE.copy_with(lines=()).begun(NOW).after(AttemptOutcome.REJECTED, 500, NOW)

    assert (notice.state, notice.exhausted) == (DeliveryState.FAILED, False)


def test_interrupted_try_counts_and_is_made_again() -> None:
    begun = NOTICE.begun(NOW)

    assert begun.due is not None
    assert begun.due > NOW
    again = begun.begun(begun.due).after(AttemptOutcome.ACCEPTED, 204, begun.due)
    assert [each.outcome for each in again.attempts] == [
        AttemptOutcome.UNKNOWN,
        AttemptOutcome.ACCEPTED,
    ]
