"""What needs an admin's attention, from the state of the tenant, its imports and their runs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.domain.importing.runs import RunStatus, RunTrigger
from shared.domain.reasons import Reason
from shared.domain.tenancy.tenants import Tenant, TenantStatus

TRIAL_ENDS_SOON: Final = timedelta(days=7)


_TOLD_OTHERWISE: Final = frozenset({Reason.NO_SEAT, Reason.APPROVAL_PENDING})
"""Reasons of a run without a synced mailbox that another item already tells."""


@dataclass(frozen=True, slots=True)
class OverviewRun:
    """The facts of a run that an overview shows; the four numbers count mailboxes."""

    id: str
    import_id: str
    trigger: RunTrigger
    status: RunStatus
    reason: Reason | None
    total: int
    failed: int
    held: int
    skipped: int
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class OverviewImport:
    """An import at a glance: its last finished run, the running one, and those that are held.

    A run stays held until an admin decides, even if other runs follow. `next_run` is when the next
    scheduled run is due; None if the import is paused or suspended. `mailboxes` is the number of
    mailboxes in the last run that was not a retry; None if there was no such run recently.
    `stalled` is the open run if it stands still.
    """

    id: str
    name: str
    active: bool
    every_hours: int
    last: OverviewRun | None
    running: OverviewRun | None
    held: tuple[OverviewRun, ...]
    next_run: datetime | None
    mailboxes: int | None = None
    stalled: str | None = None


class AttentionKind(StrEnum):
    """The kinds of problems, most important first."""

    CONSENT_MISSING = "consent-missing"
    RUN_STALLED = "run-stalled"
    RUN_HELD = "run-held"
    RUN_FAILED = "run-failed"
    SUBSCRIBER_WAITING = "subscriber-waiting"
    SEATS_MISSING = "seats-missing"
    MAILBOXES_FAILED = "mailboxes-failed"
    RUN_SKIPPED = "run-skipped"
    SHARE_WITHDRAWN = "share-withdrawn"
    CONTACTS_REJECTED = "contacts-rejected"
    TRIAL_ENDING = "trial-ending"
    SUBSCRIBER_NEW = "subscriber-new"
    IMPORT_PAUSED = "import-paused"


@dataclass(frozen=True, slots=True)
class Attention:
    """One problem that needs attention.

    `subject` is the id of a run (run-…, mailboxes-…, contacts-…), an import (share-…, import-…) or
    the tenant, or the path of a company below its share (subscriber-…). `name` is the name of the
    import or company, `count` a number of mailboxes, `when` the trial's end.
    """

    kind: AttentionKind
    subject: str
    reason: Reason | None = None
    name: str = ""
    import_id: str | None = None
    count: int = 0
    when: datetime | None = None


@dataclass(frozen=True, slots=True)
class SeatsNow:
    """How many mailboxes have no seat now (`waiting`), or have none after the trial (`missing`)."""

    waiting: int
    missing: int
    trial_ends: datetime | None


@dataclass(frozen=True, slots=True)
class NewSubscriber:
    """A company that began to import a share, and whether it waits for an approval."""

    share: str
    tenant: str
    name: str
    waiting: bool


def attention(
    tenant: Tenant,
    imports: Iterable[OverviewImport],
    seats: SeatsNow,
    now: datetime,
    newcomers: Iterable[NewSubscriber] = (),
) -> tuple[Attention, ...]:
    """Return all problems, most important first.

    Those of the same kind are sorted by import name.
    """
    found = [*_of_tenant(tenant, seats, now)]
    for import_ in imports:
        found += _of_import(import_)
    for each in newcomers:
        waiting = AttentionKind.SUBSCRIBER_WAITING
        kind = waiting if each.waiting else AttentionKind.SUBSCRIBER_NEW
        found.append(Attention(kind, f"{each.share}/subscribers/{each.tenant}", name=each.name))
    order = {kind: place for place, kind in enumerate(AttentionKind)}
    return tuple(sorted(found, key=lambda a: (order[a.kind], a.name.casefold(), a.subject)))


def _of_tenant(tenant: Tenant, seats: SeatsNow, now: datetime) -> Iterator[Attention]:
    if tenant.status is TenantStatus.DISCONNECTED:
        yield Attention(AttentionKind.CONSENT_MISSING, tenant.id, Reason.CONSENT_MISSING)
    if seats.waiting:
        yield Attention(AttentionKind.SEATS_MISSING, tenant.id, Reason.NO_SEAT, count=seats.waiting)
    ends = seats.trial_ends
    if ends is not None and now < ends <= now + TRIAL_ENDS_SOON:
        yield Attention(AttentionKind.TRIAL_ENDING, tenant.id, count=seats.missing, when=ends)


def _of_import(import_: OverviewImport) -> Iterator[Attention]:
    if import_.stalled is not None:
        kind = AttentionKind.RUN_STALLED
        yield Attention(kind, import_.stalled, None, import_.name, import_.id)
    for held in import_.held:
        yield _of_run(AttentionKind.RUN_HELD, import_, held, held.held)
    if not import_.active:
        reason = Reason.IMPORT_PAUSED
        yield Attention(AttentionKind.IMPORT_PAUSED, import_.id, reason, import_.name, import_.id)
    elif import_.last is not None:
        yield from _of_last(import_, import_.last)


def _of_last(import_: OverviewImport, last: OverviewRun) -> Iterator[Attention]:
    if last.status is RunStatus.FAILED:
        yield _of_run(AttentionKind.RUN_FAILED, import_, last, last.failed)
    elif last.failed:
        yield _of_run(AttentionKind.MAILBOXES_FAILED, import_, last, last.failed)
    elif last.status is RunStatus.PARTIAL:
        yield _of_run(AttentionKind.CONTACTS_REJECTED, import_, last)
    elif last.status is RunStatus.SKIPPED and last.reason not in _TOLD_OTHERWISE:
        yield _of_run(AttentionKind.RUN_SKIPPED, import_, last, last.skipped)
    if last.reason is Reason.SHARE_WITHDRAWN and last.status is not RunStatus.FAILED:
        kind = AttentionKind.SHARE_WITHDRAWN
        yield Attention(kind, import_.id, last.reason, import_.name, import_.id)


def _of_run(
    kind: AttentionKind, import_: OverviewImport, run: OverviewRun, count: int = 0
) -> Attention:
    return Attention(kind, run.id, run.reason, import_.name, import_.id, count)
