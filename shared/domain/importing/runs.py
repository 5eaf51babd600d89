"""Runs and their results, as the API shows them and their tables keep them."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from shared.domain.model import Model
from shared.domain.reasons import Reason


class RunTrigger(StrEnum):
    """What started a run."""

    CREATED = "created"
    SCHEDULE = "schedule"
    REQUEST = "request"
    RETRY = "retry"
    REMOVAL = "removal"


class RunStatus(StrEnum):
    """How far a run is, or how it ended."""

    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    DISCARDED = "discarded"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen in the run."""
        return self not in {RunStatus.QUEUED, RunStatus.RUNNING}


class MailboxCounts(Model):
    """The mailboxes of a run by outcome."""

    total: int = 0
    succeeded: int = 0
    skipped: int = 0
    failed: int = 0
    held: int = 0


class ContactCounts(Model):
    """What happened to the contacts of a mailbox, or of all mailboxes of a run."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0

    def __add__(self, other: Self) -> "ContactCounts":
        """Sum, count by count."""
        return ContactCounts(
            created=self.created + other.created,
            updated=self.updated + other.updated,
            deleted=self.deleted + other.deleted,
            unchanged=self.unchanged + other.unchanged,
        )


class Omission(Model):
    """Somebody of the share's sources who is not among its contacts, and why; never a name."""

    id: str
    reason: Reason


class Run(Model):
    """One execution of an import.

    `approved` says that an admin let go on what was held; `retries` names the run whose failed
    mailboxes this one does again.
    """

    id: str
    import_id: str
    trigger: RunTrigger
    status: RunStatus = RunStatus.QUEUED
    queued: datetime
    started: datetime | None = None
    ended: datetime | None = None
    reason: Reason | None = None
    mailboxes: MailboxCounts = MailboxCounts()
    contacts: ContactCounts = ContactCounts()
    photos: int = 0
    graph_requests: int = 0
    throttled: int = 0
    share_contacts: int = 0
    omissions: list[Omission] = []
    omitted: dict[Reason, int] = {}
    fingerprint: str | None = None
    approved: bool = False
    retries: str | None = None


class Outcome(StrEnum):
    """How a run ended for one mailbox."""

    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    FAILED = "failed"
    HELD = "held"


class RejectedContact(Model):
    """A contact that Graph refused: its source key and Graph's error code."""

    key: str
    code: str


class Result(Model):
    """What happened to one mailbox in a run; ids and counts only.

    `photos` counts those sent. `planned` is what would happen if a held plan were approved,
    `held_run` the run that asks.
    """

    mailbox: str
    outcome: Outcome
    reason: Reason | None = None
    contacts: ContactCounts = ContactCounts()
    photos: int = 0
    planned: ContactCounts | None = None
    held_run: str | None = None
    graph_requests: int = 0
    throttled: int = 0
    milliseconds: int = 0
    rejected: tuple[RejectedContact, ...] = ()
    ended: datetime
