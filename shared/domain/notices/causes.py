"""The causes of notices: what an admin is notified of without looking at the portal.

A cause has a kind and a subject, and is open as long as it lasts. It is reported once while it is
open. Causes hold ids, counts and dates, never names.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Final

from shared.domain.model import Model
from shared.domain.tenancy.attention import Attention, AttentionKind

LAST_DAY: Final = timedelta(days=1)
MOST: Final = 1_000
"""The most causes of a tenant that are open at once, so that an outbox fits into a row.

Further ones are reported as others end.
"""


class NoticeKind(StrEnum):
    """What a notice is about, most important first."""

    CONSENT_LOST = "consent_lost"
    """The consent was withdrawn, and once more when it is back."""
    CHANGES_HELD = "changes_held"
    """Changes of an import wait for a review."""
    SYNCS_FAILING = "syncs_failing"
    """Syncs of an import, or mailboxes in them, have been failing for days."""
    LICENSES_SHORT = "licenses_short"
    """Mailboxes have no license, and their contacts will be removed."""
    TRIAL_ENDING = "trial_ending"
    """The trial ends in seven days, and once more in one day."""
    NOT_REMOVED = "not_removed"
    """A partner has not removed contacts, for days, that were taken back."""
    IMPORTING_COMPANY = "importing_company"
    """Another organization began to import a share, or asks to."""
    WEEKLY_SUMMARY = "weekly_summary"
    """How many mailboxes receive contacts, and how many problems are open, once a week."""


TOLD_WHEN_LASTING: Final = frozenset({NoticeKind.SYNCS_FAILING, NoticeKind.NOT_REMOVED})
"""Kinds that are reported only after some days, since most pass by themselves."""
UNLESS_WANTED: Final = frozenset({NoticeKind.WEEKLY_SUMMARY})
"""Kinds that are reported only to organizations that asked for them."""
TOLD_WHEN_ENDED: Final = frozenset({NoticeKind.CONSENT_LOST})
"""Kinds of which the end is reported as well."""


class Cause(Model):
    """One cause: its kind and subject, its numbers, and the portal's page about it.

    `mailboxes` is how many mailboxes it concerns, `problems` how many are open in a summary. `when`
    is a date that it leads to: the end of the trial, or the removal of contacts.
    """

    kind: NoticeKind
    subject: str
    path: str
    mailboxes: int = 0
    problems: int = 0
    when: datetime | None = None

    @property
    def key(self) -> str:
        """What tells it from the other causes of a tenant."""
        return f"{self.kind} {self.subject}"


def causes_of(tenant: str, found: Iterable[Attention], now: datetime) -> dict[str, Cause]:
    """Return the causes in what needs an admin's attention, by key."""
    causes: dict[str, Cause] = {}
    for cause in _causes(tenant, found, now):
        before = causes.get(cause.key)
        more = before.mailboxes if before is not None else 0
        causes[cause.key] = cause.copy_with(mailboxes=cause.mailboxes + more)
    return causes


def summary(mailboxes: int, problems: int, now: datetime) -> Cause:
    """Return the cause of a week's summary, which is another one in each week."""
    year, week, _ = now.isocalendar()
    return Cause(
        kind=NoticeKind.WEEKLY_SUMMARY,
        subject=f"{year}-{week}",
        path="",
        mailboxes=mailboxes,
        problems=problems,
    )


def _causes(tenant: str, found: Iterable[Attention], now: datetime) -> Iterator[Cause]:
    for item in found:
        match item.kind:
            case AttentionKind.CONSENT_MISSING:
                yield Cause(kind=NoticeKind.CONSENT_LOST, subject=tenant, path="consent")
            case AttentionKind.RUN_HELD:
                # The import, not the run: the next run that is held is no news.
                yield Cause(
                    kind=NoticeKind.CHANGES_HELD,
                    subject=item.import_id or item.subject,
                    path=f"runs/{item.subject}",
                    mailboxes=item.count,
                )
            case (
                AttentionKind.RUN_FAILED
                | AttentionKind.RUN_STALLED
                | AttentionKind.MAILBOXES_FAILED
            ):
                yield Cause(
                    kind=NoticeKind.SYNCS_FAILING,
                    subject=item.import_id or item.subject,
                    path=f"runs/{item.subject}",
                    mailboxes=item.count,
                )
            case AttentionKind.SEATS_MISSING:
                yield Cause(
                    kind=NoticeKind.LICENSES_SHORT,
                    subject=tenant,
                    path="licenses",
                    mailboxes=item.count,
                )
            case AttentionKind.TRIAL_ENDING if item.when is not None:
                days = "1" if item.when <= now + LAST_DAY else "7"
                yield Cause(
                    kind=NoticeKind.TRIAL_ENDING,
                    subject=f"{item.when.date().isoformat()}-{days}",
                    path="licenses",
                    mailboxes=item.count,
                    when=item.when,
                )
            case AttentionKind.SUBSCRIBER_NEW | AttentionKind.SUBSCRIBER_WAITING:
                yield Cause(
                    kind=NoticeKind.IMPORTING_COMPANY,
                    subject=item.subject,
                    path=f"shares/{item.subject}",
                )
            case _:
                continue


class Outbox(Model):
    """The open causes of a tenant that were reported, by key, and when the last notice was made.

    `seen` says since when causes last that are reported only after some days. One row, so that a
    cause cannot be reported twice and its notice is stored in the same transaction.
    """

    causes: dict[str, Cause] = {}
    seen: dict[str, datetime] = {}
    told: datetime | None = None

    def with_seen(self, found: Mapping[str, Cause], now: datetime) -> "Outbox":
        """Return it with the start of each cause that is reported only after some days."""
        lasting = (key for key, cause in found.items() if cause.kind in TOLD_WHEN_LASTING)
        seen = {key: self.seen.get(key, now) for key in islice(lasting, MOST)}
        return self.copy_with(seen=seen)

    def ripe(
        self, found: Mapping[str, Cause], now: datetime, patience: timedelta
    ) -> dict[str, Cause]:
        """Return the causes that may be reported now; `patience` is how long some have to last."""
        return {
            key: cause
            for key, cause in found.items()
            if cause.kind not in TOLD_WHEN_LASTING
            or (key in self.seen and now >= self.seen[key] + patience)
        }


class News(Model):
    """The next state of an outbox: the causes open from now on, and what to report."""

    causes: dict[str, Cause]
    opened: tuple[Cause, ...]
    ended: tuple[Cause, ...]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to report."""
        return not self.opened and not self.ended


def news(
    reported: Mapping[str, Cause], now: Mapping[str, Cause], kinds: Iterable[NoticeKind]
) -> News:
    """Compare the reported causes with those of now, of the kinds that an organization wants."""
    wanted = frozenset(kinds)
    open_now = {key: cause for key, cause in now.items() if cause.kind in wanted}
    kept = {key: cause for key, cause in reported.items() if key in open_now}
    order = list(NoticeKind)
    fresh = sorted(
        (cause for key, cause in open_now.items() if key not in kept),
        key=lambda cause: (order.index(cause.kind), cause.subject),
    )[: max(0, MOST - len(kept))]
    ended = [
        cause
        for key, cause in reported.items()
        if key not in open_now and cause.kind in wanted & TOLD_WHEN_ENDED
    ]
    return News(
        causes={**kept, **{cause.key: cause for cause in fresh}},
        opened=tuple(fresh),
        ended=tuple(ended),
    )
