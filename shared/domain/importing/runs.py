"""Runs and their results, as the API shows them and the tables store them."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from shared.domain.model import Model
from shared.domain.reasons import INCLUDED, Reason


class RunTrigger(StrEnum):
    """What started a run."""

    CREATED = "created"
    """The import was created, or a paused one became active."""
    SCHEDULE = "schedule"
    """It was due."""
    REQUEST = "request"
    """An admin or a program started it."""
    RETRY = "retry"
    """It tries the failed mailboxes of another run again."""
    REMOVAL = "removal"
    """The import was deleted, or its tenant leaves."""
    REVOCATION = "revocation"
    """The share was closed to the import, or a person removed everywhere: contacts must go."""


class RunStatus(StrEnum):
    """The state of a run, or how it ended."""

    QUEUED = "queued"
    """The run waits for its turn."""
    RUNNING = "running"
    """The run syncs mailboxes."""
    HELD = "held"
    """Final until an admin decides: changes wait for `approve` or `discard`. Everything else
    is applied."""
    SUCCEEDED = "succeeded"
    """Final. Every mailbox is up to date, or was skipped for a reason of its own."""
    SKIPPED = "skipped"
    """Final. No mailbox was synced, for example because none has a license."""
    PARTIAL = "partial"
    """Final. Some mailboxes failed, or contacts were rejected."""
    FAILED = "failed"
    """Final. Nothing could be synced; `reason` says why."""
    DISCARDED = "discarded"
    """Final. An admin discarded what the run held."""
    STOPPED = "stopped"
    """Final. An admin ended it, or the deletion of its import did."""

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self not in {RunStatus.QUEUED, RunStatus.RUNNING}


class MailboxCounts(Model):
    """The number of a run's mailboxes, by outcome."""

    total: int = 0
    """All mailboxes of the run."""
    succeeded: int = 0
    """Mailboxes that are up to date."""
    skipped: int = 0
    """Mailboxes that were not synced, for a reason that another run may find gone."""
    failed: int = 0
    """Mailboxes in which something failed."""
    held: int = 0
    """Mailboxes in which changes wait for approval."""


class ContactCounts(Model):
    """The number of contacts, by what happened to them, in one mailbox or in a whole run."""

    created: int = 0
    """Contacts that were created."""
    updated: int = 0
    """Contacts that were changed."""
    deleted: int = 0
    """Contacts that were removed."""
    unchanged: int = 0
    """Contacts that were up to date."""

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
    """The object id of the person, or the key of the manual contact."""
    reason: Reason
    """Why the person did not become a contact."""


def rarest_first(omissions: Iterable[Omission]) -> list[Omission]:
    """Sort omissions so that a list that is cut shows the rare reasons whole."""
    listed = list(omissions)
    count = Counter(omission.reason for omission in listed)
    return sorted(listed, key=lambda omission: (count[omission.reason], omission.reason))


def by_inclusion(omissions: Iterable[Omission]) -> tuple[list[Omission], list[Omission]]:
    """Return those who are left out, and those who are included with less than there is."""
    listed = list(omissions)
    left_out = [omission for omission in listed if omission.reason not in INCLUDED]
    return left_out, [omission for omission in listed if omission.reason in INCLUDED]


class Run(Model):
    """One execution of an import.

    `approved` says that an admin approved what was held, as the run had asked up to its number
    `approved_number`; `retries` is the id of the run whose failed mailboxes this run tries again.
    `number` is the number that the run last took (`import_life`), `snapshot` what it resolved under
    it, and `work` the digest of that. Of a partner's share, a run only has the number of contacts:
    `omissions` and `omitted` are empty.
    """

    id: str
    """The run's id."""
    import_id: str
    """The import that the run executes."""
    trigger: RunTrigger
    """What started the run."""
    status: RunStatus = RunStatus.QUEUED
    """The state of the run. Poll until it is neither `queued` nor `running`."""
    queued: datetime
    """When the run was queued (UTC)."""
    started: datetime | None = None
    """When it began (UTC), or null if it has not."""
    ended: datetime | None = None
    """When it ended (UTC), or null while it goes on."""
    reason: Reason | None = None
    """Why the run failed, is held or could not do everything; null if there is nothing to say."""
    mailboxes: MailboxCounts = MailboxCounts()
    """The number of mailboxes by outcome."""
    contacts: ContactCounts = ContactCounts()
    """The number of contacts in all mailboxes, by what happened to them."""
    photos: int = 0
    """The number of photos sent to Exchange."""
    graph_requests: int = 0
    """The number of requests made to Microsoft Graph."""
    throttled: int = 0
    """How often Microsoft Graph answered that there were too many requests (429)."""
    share_contacts: int = 0
    """The number of contacts that the share had when the run read it."""
    omissions: list[Omission] = []
    omitted: dict[Reason, int] = {}
    """The number of people who did not become contacts, by reason. Always empty for a partner's
    share."""
    number: int = 0
    snapshot: str | None = None
    work: str | None = None
    fingerprint: str | None = None
    approved: bool = False
    """Whether an admin approved what the run held."""
    approved_number: int = 0
    retries: str | None = None
    """The id of the run whose failed mailboxes this run tries again, or null."""


REJECTED_LISTED: Final = 100


class Outcome(StrEnum):
    """How a run ended for one mailbox."""

    SUCCEEDED = "succeeded"
    """The mailbox is up to date."""
    SKIPPED = "skipped"
    """The mailbox was not synced, for a reason that lies outside of the run."""
    FAILED = "failed"
    """Something failed. A retry tries the mailbox again."""
    HELD = "held"
    """Changes wait for approval; everything else is applied."""


class RejectedContact(Model):
    """A contact that Graph rejected, with Graph's error code."""

    key: str
    """The contact's key in the share."""
    code: str
    """The error code of Microsoft Graph."""


class RefusedRequest(Model):
    """A request that Microsoft Graph refused; Microsoft support asks for both ids.

    `status` is 0, and `requestId` empty, if there was no response.
    """

    status: int
    """The HTTP status of Microsoft Graph, or 0 if there was no response."""
    client_request_id: str
    """The id that we gave the request."""
    request_id: str
    """The id that Microsoft gave the request, or empty without a response."""


class Result(Model):
    """What happened to one mailbox in a run; ids and counts only.

    `number` is the run's when it wrote this. `photos` counts the photos sent. `planned` counts what
    approving the held changes would do; `held_run` is the run to approve. `rejected` lists at most
    `REJECTED_LISTED` contacts, `rejected_count` counts them all. `refused` is the last request that
    failed, if the mailbox or a contact failed.
    """

    mailbox: str
    """The object id of the mailbox's user."""
    outcome: Outcome
    """How the run ended for this mailbox."""
    number: int = 0
    reason: Reason | None = None
    """Why the mailbox was skipped, held or failed; null if it succeeded."""
    contacts: ContactCounts = ContactCounts()
    """The number of contacts in this mailbox, by what happened to them."""
    photos: int = 0
    """The number of photos sent."""
    planned: ContactCounts | None = None
    """What approving the held changes would do; null if nothing is held."""
    held_run: str | None = None
    """The run to approve or discard for what this mailbox holds; null if nothing is held."""
    graph_requests: int = 0
    """The number of requests made to Microsoft Graph."""
    throttled: int = 0
    """How often Microsoft Graph answered 429."""
    milliseconds: int = 0
    """How long the mailbox took, in milliseconds."""
    rejected: tuple[RejectedContact, ...] = ()
    """The contacts that Exchange rejected, at most 100."""
    rejected_count: int = 0
    """The number of all rejected contacts."""
    refused: RefusedRequest | None = None
    """The last request that Microsoft Graph refused; null if none was."""
    ended: datetime
    """When the mailbox was finished (UTC)."""
