"""Notices on their way: what one says, the tries to deliver it, and when the next one is due."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.domain.model import Model
from shared.domain.notices.causes import Cause, News, NoticeKind

BACKOFF: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
)
"""The waits between the tries, as Standard Webhooks advises: nine tries in two days."""
LONGEST_WAIT: Final = timedelta(days=1)
"""The longest that a receiver may ask us to wait."""
CLAIMED_FOR: Final = timedelta(minutes=2)
"""How long a try may take; after it, a try without a result is made again."""
KEPT_FOR: Final = timedelta(days=30)
BETWEEN: Final = timedelta(hours=1)
"""The shortest time between two notices; what happens meanwhile is reported together."""


class Channel(StrEnum):
    """Where notices are sent."""

    WEBHOOK = "webhook"
    """A webhook of the organization's own systems, signed as Standard Webhooks defines it."""
    TEAMS = "teams"
    """A workflow of Microsoft Teams, which posts a card to a chat or channel."""


class DeliveryState(StrEnum):
    """Whether a notice has arrived."""

    PENDING = "pending"
    """It is sent, or will be sent again."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """All tries failed, or the receiver does not want notices any more."""
    CANCELLED = "cancelled"
    """The receiver was removed or turned off before the notice arrived."""


class AttemptOutcome(StrEnum):
    """What came of one try."""

    UNKNOWN = "unknown"
    """The try was interrupted, so the notice may have arrived."""
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """The receiver answered with an error, or with a redirect, which is not followed."""
    GONE = "gone"
    """The receiver answered 410: it does not want notices any more."""
    UNREACHABLE = "unreachable"
    """There was no connection, or its certificate is not valid."""
    TIMED_OUT = "timed_out"
    ADDRESS_REFUSED = "address_refused"
    """The name leads to an address that is not on the public internet."""
    UNREADABLE = "unreadable"
    """The secret can no longer be read; set the receiver again."""


_FINAL: Final = frozenset({AttemptOutcome.GONE, AttemptOutcome.UNREADABLE})
"""After these, no further try can arrive."""


class NoticeState(StrEnum):
    """Whether a line of a notice is about the begin or the end of its causes."""

    OPEN = "open"
    ENDED = "ended"


class NoticeLine(Model):
    """What a notice says about one kind: how many causes, with what effect, and where to look.

    `mailboxes` is how many mailboxes they concern together, `problems` how many are open in a
    summary, `when` the first date they lead to.
    """

    kind: NoticeKind
    state: NoticeState
    causes: int
    mailboxes: int
    problems: int = 0
    when: datetime | None
    path: str


class Attempt(Model):
    """One try: when, its outcome, and the status of the answer if there was one."""

    when: datetime
    outcome: AttemptOutcome
    status: int | None = None


class Delivery(Model):
    """One notice: its lines (none: a test), its tries, and when the next one is due.

    The id stays the same in every try, so that a receiver can tell a repetition.
    """

    id: str
    channel: Channel = Channel.WEBHOOK
    created: datetime
    lines: tuple[NoticeLine, ...] = ()
    state: DeliveryState = DeliveryState.PENDING
    due: datetime | None
    attempts: tuple[Attempt, ...] = ()

    def begun(self, now: datetime) -> "Delivery":
        """Return it with a try that begins now, and whose outcome is not known yet."""
        attempt = Attempt(when=now, outcome=AttemptOutcome.UNKNOWN)
        return self.copy_with(attempts=(*self.attempts, attempt), due=now + CLAIMED_FOR)

    def after(
        self,
        outcome: AttemptOutcome,
        status: int | None,
        now: datetime,
        wait: timedelta | None = None,
    ) -> "Delivery":
        """Return it after the last try; `wait` is how long the receiver asked us to wait."""
        last = self.attempts[-1].copy_with(outcome=outcome, status=status)
        tried = self.copy_with(attempts=(*self.attempts[:-1], last))
        if outcome is AttemptOutcome.ACCEPTED:
            return tried.copy_with(state=DeliveryState.DELIVERED, due=None)
        if outcome in _FINAL or len(tried.attempts) > len(BACKOFF) or not self.lines:
            return tried.copy_with(state=DeliveryState.FAILED, due=None)
        pause = BACKOFF[len(tried.attempts) - 1]
        asked = min(wait or pause, LONGEST_WAIT)
        return tried.copy_with(due=now + max(pause, asked))

    @property
    def exhausted(self) -> bool:
        """Whether it has just been given up, so that its receiver is turned off."""
        return self.state is DeliveryState.FAILED and bool(self.lines)


def lines_of(found: News) -> tuple[NoticeLine, ...]:
    """Return what a notice says about news: one line for each kind, however many causes."""
    return tuple(
        _line(kind, state, of_kind)
        for state, causes in ((NoticeState.OPEN, found.opened), (NoticeState.ENDED, found.ended))
        for kind in NoticeKind
        if (of_kind := [cause for cause in causes if cause.kind is kind])
    )


def _line(kind: NoticeKind, state: NoticeState, causes: list[Cause]) -> NoticeLine:
    return NoticeLine(
        kind=kind,
        state=state,
        causes=len(causes),
        mailboxes=sum(cause.mailboxes for cause in causes),
        problems=sum(cause.problems for cause in causes),
        when=_first(cause.when for cause in causes),
        path=causes[0].path if len(causes) == 1 else "",
    )


def _first(dates: Iterable[datetime | None]) -> datetime | None:
    return min((each for each in dates if each is not None), default=None)
