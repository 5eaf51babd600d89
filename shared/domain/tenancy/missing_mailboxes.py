"""Targets without a mailbox: when Microsoft Graph is asked again whether one exists.

A guest, an on-premises or an unlicensed user may have a mail address and no mailbox. What Graph
answered is remembered, so that such a target takes neither a license nor a request.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.domain.importing.runs import RunTrigger
from shared.domain.model import Model
from shared.domain.reasons import Reason

MISSING: Final = frozenset({Reason.NO_MAILBOX, Reason.USER_NOT_FOUND})
"""What Graph answers for a target without a mailbox."""

UNREACHABLE_FOR: Final = timedelta(days=35)
"""Exchange gives a deleted mailbox back for 30 days; after these, its contacts count as gone."""

_BY_PERSON: Final = frozenset({RunTrigger.CREATED, RunTrigger.REQUEST, RunTrigger.RETRY})
_FIRST_WEEK: Final = timedelta(days=7)
# A little less than a day and a week, so that a daily run that starts a minute early still asks.
_DAILY: Final = timedelta(hours=20)
_WEEKLY: Final = timedelta(days=6, hours=20)
_KEPT: Final = timedelta(days=60)


class MissingMailbox(Model):
    """A user without a mailbox: since when it is known, when Graph last said so, and its answer.

    `entry` is a hash of the user's directory entry; it is empty until a run has read that.
    """

    mailbox: str
    since: datetime
    asked: datetime
    reason: Reason
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The targets of a run: those whose mailbox may exist, and those that are known to have none.

    `asked_again` are the missing ones that the run asks about, `new_entries` those whose directory
    entry a run has read for the first time, and `stale` the ones that are no longer remembered.
    """

    existing: frozenset[str]
    missing: frozenset[str]
    asked_again: Mapping[str, str]
    new_entries: Mapping[str, MissingMailbox]
    stale: frozenset[str]


def sort_targets(
    entries: Mapping[str, str],
    known: Mapping[str, MissingMailbox],
    now: datetime,
    *,
    by_person: bool,
    by_time: bool = True,
) -> Sorted:
    """Sort the targets of a run, given the hash of each one's directory entry.

    `by_time` says whether the run asks about targets that are due: a run between two daily ones
    does not, so that it touches no mailbox.
    """
    missing = frozenset(entries.keys() & known.keys())
    return Sorted(
        existing=frozenset(entries.keys() - missing),
        missing=missing,
        asked_again={
            mailbox: entries[mailbox]
            for mailbox in sorted(missing)
            if is_due(known[mailbox], entries[mailbox], now, by_person=by_person, by_time=by_time)
        },
        new_entries={
            mailbox: known[mailbox].copy_with(entry=entries[mailbox])
            for mailbox in sorted(missing)
            if not known[mailbox].entry
        },
        stale=frozenset(
            mailbox
            for mailbox, one in known.items()
            if mailbox not in entries and now >= one.asked + _KEPT
        ),
    )


def is_due(
    known: MissingMailbox, entry: str, now: datetime, *, by_person: bool, by_time: bool = True
) -> bool:
    """Return whether a run asks again whether the mailbox exists.

    It does if a person started the run, if the directory entry has changed, daily in the first
    week, and weekly afterwards.
    """
    if by_person or entry_changed(known, entry):
        return True
    wait = _DAILY if now < known.since + _FIRST_WEEK else _WEEKLY
    return by_time and now >= known.asked + wait


def entry_changed(known: MissingMailbox, entry: str) -> bool:
    """Return whether the user's directory entry has changed since Graph was last asked."""
    return bool(known.entry and entry and known.entry != entry)


def started_by_person(trigger: RunTrigger) -> bool:
    """Return whether a person started the run; people expect that it asks about every target."""
    return trigger in _BY_PERSON


def still_missing(
    known: MissingMailbox | None, mailbox: str, reason: Reason, asked: datetime, entry: str = ""
) -> MissingMailbox:
    """Return what is known after Graph, `asked` at that time, said that there is no mailbox.

    An answer that is older than what is known changes nothing.
    """
    if known is None:
        return MissingMailbox(mailbox=mailbox, since=asked, asked=asked, reason=reason, entry=entry)
    if asked <= known.asked:
        return known
    return known.copy_with(asked=asked, reason=reason, entry=entry or known.entry)
