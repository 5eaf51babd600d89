"""Runs and their results, as the API shows them and the tables store them."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from shared.domain.model import Model
from shared.domain.reasons import Reason


class RunTrigger(StrEnum):
    """What started a run."""

    CREATED = "created"
    SCHEDULE = "schedule"
    REQUEST = "request"
    RETRY = "retry"
    REMOVAL = "removal"
    """The import was deleted, or its tenant leaves."""
    REVOCATION = "revocation"
    """The share was closed to the import, or a person removed everywhere: contacts must go."""


class RunStatus(StrEnum):
    """The state of a run, or how it ended."""

    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    DISCARDED = "discarded"
    STOPPED = "stopped"
    """An admin ended it, or the deletion of its import did."""

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


def rarest_first(omissions: Iterable[Omission]) -> list[Omission]:
    """Sort omissions so that a list that is cut shows the rare reasons whole."""
    listed = list(omissions)
    count = Counter(omission.reason for omission in listed)
    return sorted(listed, key=lambda omission: (count[omission.reason], omission.reason))


class Run(Model):
    """One execution of an import.

    `approved` says that an admin approved what was held, as the run had asked up to its number
    `approved_number`; `retries` is the id of the run whose failed mailboxes this run tries again.
    `number` is the number that the run last took (`import_life`), `snapshot` what it resolved under
    it, and `work` the digest of that. Of a partner's share, a run only has the number of contacts:
    `omissions` and `omitted` are empty.
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
    number: int = 0
    snapshot: str | None = None
    work: str | None = None
    fingerprint: str | None = None
    approved: bool = False
    approved_number: int = 0
    retries: str | None = None


REJECTED_LISTED: Final = 100


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


class RefusedRequest(Model):
    """A request that Microsoft Graph refused; Microsoft support asks for both ids.

    `status` is 0, and `requestId` empty, if there was no response.
    """

    status: int
    client_request_id: str
    request_id: str


class Result(Model):
    """What happened to one mailbox in a run; ids and counts only.

    `number` is the run's when it wrote this. `photos` counts the photos sent. `planned` counts what
    approving the held changes would do; `held_run` is the run to approve. `rejected` lists at most
    `REJECTED_LISTED` contacts, `rejected_count` counts them all. `refused` is the last request that
    failed, if the mailbox or a contact failed.
    """

    mailbox: str
    outcome: Outcome
    number: int = 0
    reason: Reason | None = None
    contacts: ContactCounts = ContactCounts()
    photos: int = 0
    planned: ContactCounts | None = None
    held_run: str | None = None
    graph_requests: int = 0
    throttled: int = 0
    milliseconds: int = 0
    rejected: tuple[RejectedContact, ...] = ()
    rejected_count: int = 0
    refused: RefusedRequest | None = None
    ended: datetime
