"""Runs and their results, as the API shows them and the tables store them."""

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
    """The state of a run, or how it ended."""

    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    DISCARDED = "discarded"

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self not in {RunStatus.QUEUED, RunStatus.RUNNING}


class MailboxCounts(Model):
    """The number of a run's mailboxes, by outcome."""

    total: int = 0
    succeeded: int = 0
    skipped: int = 0
    failed: int = 0
    held: int = 0


class ContactCounts(Model):
    """The number of contacts, by what happened to them, in one mailbox or in a whole run."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0

    def __add__(self, other: Self) -> "ContactCounts":
        """Add each count to its counterpart."""
        return ContactCounts(
            created=self.created + other.created,
            updated=self.updated + other.updated,
            deleted=self.deleted + other.deleted,
            unchanged=self.unchanged + other.unchanged,
        )


class Omission(Model):
    """A person of the share's sources who is not among its contacts, and why; ids only."""

    id: str
    reason: Reason


class Run(Model):
    """One execution of an import.

    `approved` says that an admin approved the held changes; `retries` is the id of the run whose
    failed mailboxes this run tries again.
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
    """A contact that Graph rejected, with Graph's error code."""

    key: str
    code: str


class Result(Model):
    """What happened to one mailbox in a run; ids and counts only.

    `photos` counts the photos sent. `planned` is what approving a held plan would change, and
    `heldRun` the run that waits for the approval.
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
