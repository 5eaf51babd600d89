"""What a run has to do: its contacts, its mailboxes with their tasks, and those left out.

Everything is read whole, or the run does not start: unknown is never treated as empty.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.graph.mailbox_directory import MailboxDirectory
from shared.adapters.graph.transport import Meter
from shared.adapters.storage.mailboxes.mailbox_state import MailboxStates
from shared.adapters.storage.snapshots import Job, Snapshots
from shared.adapters.telemetry import emit, span
from shared.domain.contacts.fields import Contact
from shared.domain.contacts.guard import guard_of
from shared.domain.errors import NeedsAdmin
from shared.domain.events import ShareResolved
from shared.domain.importing.fingerprint import run_fingerprint
from shared.domain.importing.imports import Import
from shared.domain.importing.messages import RunMessage, Task
from shared.domain.importing.runs import Omission, Run, RunTrigger
from shared.domain.reasons import Reason
from shared.domain.sharing.shares import Share
from shared.services.licensing.missing_mailboxes import MissingMailboxes
from shared.services.licensing.seats import SeatBook
from shared.services.sharing.publications import Publications
from shared.services.sharing.resolution import OwnContents, ShareContents
from shared.services.sharing.subscribers import Subscribers
from shared.services.tenancy.tenants import Tenants

_NOTHING: Final = ShareContents({})


@dataclass(frozen=True, slots=True)
class Resolved:
    """The work of a run, and what it may know of its share (nothing where it only removes)."""

    job: Job
    share: ShareContents = _NOTHING

    @property
    def contacts(self) -> Mapping[str, Contact]:
        """The contacts of the share."""
        return self.share.contacts

    @property
    def omissions(self) -> Sequence[Omission]:
        """Who is not in the share: only for the tenant's own one."""
        share = self.share
        return tuple(share.omissions.values()) if isinstance(share, OwnContents) else ()


class GrewTooMuch(NeedsAdmin):
    """The share holds many more `contacts` than before; the run is held."""

    def __init__(self, reason: Reason, contacts: int) -> None:
        super().__init__(reason, f"The share now holds {contacts} contacts.")
        self.contacts = contacts


@dataclass(slots=True)
class StartCost:
    """What the start of a run costs: reading its share, and its targets.

    A foreign share is read in the publisher's directory: `share_resolved` tells its cost, and the
    run, which the subscriber sees, does not count it.
    """

    targets: Meter = field(default_factory=Meter)
    share: Meter = field(default_factory=Meter)
    share_milliseconds: int = 0
    foreign: bool = False

    @property
    def requests(self) -> int:
        """The requests that the run counts."""
        return self.targets.requests + (0 if self.foreign else self.share.requests)

    @property
    def throttled(self) -> int:
        """The 429 responses that the run counts."""
        return self.targets.throttled + (0 if self.foreign else self.share.throttled)


class RunResolving:
    """Decides the work of runs."""

    def __init__(
        self,
        directory: MailboxDirectory,
        states: MailboxStates,
        snapshots: Snapshots,
        publications: Publications,
        subscribers: Subscribers,
        seats: SeatBook,
        missing: MissingMailboxes,
        tenants: Tenants,
        clock: Callable[[], datetime],
    ) -> None:
        self._directory = directory
        self._states = states
        self._snapshots = snapshots
        self._publications = publications
        self._subscribers = subscribers
        self._seats = seats
        self._missing = missing
        self._tenants = tenants
        self._clock = clock

    async def resolve(
        self,
        tenant: str,
        import_: Import,
        run: Run,
        snapshot: str,
        cost: StartCost,
        before: int | None = None,
    ) -> Resolved:
        """Decide the work of a run; photos go to its `snapshot` at once.

        `before` is how many contacts the share had when they were last applied or approved.

        Raises `NeedsAdmin` if the run cannot start, and `TransientError` if it must try later.
        """
        filled = frozenset(await self._states.mailboxes(tenant, import_.id))
        if import_.removing or run.trigger is RunTrigger.REMOVAL:
            await self._seats.leave(tenant, import_.id)
            return Resolved(Job(import_, tasks=_tasks(Task.REMOVE, filled)))
        revoking = run.trigger is RunTrigger.REVOCATION
        if not import_.active and not revoking:
            raise NeedsAdmin(Reason.IMPORT_PAUSED, f"Import {import_.id} is paused.")
        share, publisher = await self._publications.find(tenant, import_.share_id)
        if share is None:
            return Resolved(await self._closed(tenant, import_, run, filled))
        if revoking:
            return Resolved(await self._purge(tenant, import_, filled))
        contents = await self._share(tenant, import_, run, share, publisher, snapshot, cost)
        _require_usual_growth(import_, run, before, len(contents.contacts))
        return await self._job(
            tenant, import_, run, share, publisher, filled, contents, cost, before
        )

    async def _closed(self, tenant: str, import_: Import, run: Run, filled: frozenset[str]) -> Job:
        """Return the job of an import whose share is not open to it: to remove what it has.

        Raises `NeedsAdmin` if it has nothing and waits for the publisher's approval.
        """
        waiting = await self._publications.waiting(tenant, import_.share_id)
        reason = Reason.SHARE_WITHDRAWN
        if waiting is not None:
            share, publisher = waiting
            await self._subscribers.note(publisher, share.id, tenant, import_.id, 0)
            reason = Reason.PUBLISHER_APPROVAL_PENDING
            if not filled:
                raise NeedsAdmin(reason, f"Share {share.id} waits for its publisher's approval.")
        elif not filled:
            await self._subscribers.drop(tenant, import_.id, import_.share_id)
        await self._seats.serve(_message(tenant, run), ())
        return Job(import_, tasks=_tasks(Task.REMOVE, filled), reason=reason)

    async def forget_removed(self, tenant: str, import_id: str) -> None:
        """Undo what a run of an import that is gone may have done before its worker died."""
        await self._seats.release_removed(tenant, import_id)

    async def _share(
        self,
        tenant: str,
        import_: Import,
        run: Run,
        share: Share,
        publisher: str,
        snapshot: str,
        cost: StartCost,
    ) -> ShareContents:
        async def keep_photo(digest: str, image: bytes) -> None:
            await self._snapshots.write_photo(snapshot, digest, image)

        edge = import_.photos.edge if import_.photos is not None else None
        begun, cost.foreign = self._clock(), publisher != tenant
        with span("resolve_share", attributes={"importId": import_.id, "run": run.id}):
            contents = await self._publications.resolve(
                tenant, share, publisher, cost.share, edge, keep_photo
            )
        cost.share_milliseconds = _milliseconds(self._clock() - begun)
        emit(
            ShareResolved(
                tenant=tenant,
                import_id=import_.id,
                run=run.id,
                publisher=publisher,
                contacts=len(contents.contacts),
                omitted=len(contents.omissions) if isinstance(contents, OwnContents) else 0,
                graph_requests=cost.share.requests,
                throttled=cost.share.throttled,
                milliseconds=cost.share_milliseconds,
            )
        )
        return contents

    async def _job(
        self,
        tenant: str,
        import_: Import,
        run: Run,
        share: Share,
        publisher: str,
        filled: frozenset[str],
        contents: ShareContents,
        cost: StartCost,
        before: int | None,
    ) -> Resolved:
        contacts = contents.contacts
        targets = await self._directory.mailboxes_of(tenant, import_.targets, cost.targets)
        # A share that was never filled is not suddenly empty.
        emptied = bool(filled) and not contacts and before != 0
        if filled and not run.approved:
            if emptied:
                raise NeedsAdmin(Reason.SHARE_EMPTY, "The share holds nobody.")
            if not targets.mailboxes:
                raise NeedsAdmin(Reason.TARGETS_EMPTY, f"Import {import_.id} has no target.")
        found = await self._missing.sort(tenant, targets, run)
        seats = await self._seats.serve(_message(tenant, run), found.existing)
        await self._tenants.confirm_consent(tenant)
        await self._subscribers.note(publisher, share.id, tenant, import_.id, len(seats.served))
        if emptied:
            job = Job(import_, tasks=_tasks(Task.REMOVE, filled), reason=Reason.SHARE_EMPTY)
            return Resolved(job, contents)
        without = dict.fromkeys(found.missing - found.asked_again.keys(), Reason.NO_MAILBOX)
        skip = {**targets.skipped, **without, **dict.fromkeys(seats.refused, Reason.NO_SEAT)}
        # Without a seat, a mailbox keeps its contacts for a time; a former target does not.
        expired = self._seats.grace_expired(seats)
        removed = filled - targets.mailboxes - skip.keys()
        gone = filled & (targets.skipped.keys() | expired)
        for mailbox in gone:
            del skip[mailbox]
        print_ = await asyncio.to_thread(run_fingerprint, contacts.values(), import_, share)
        synced = seats.served | found.asked_again.keys()
        tasks = sorted((*_tasks(Task.SYNC, synced), *_tasks(Task.REMOVE, removed | gone)))
        reason = None if contacts else Reason.NO_CONTACTS
        if not filled and not tasks and not skip:
            reason = Reason.NO_TARGETS
        job = Job(import_, print_, tuple(tasks), skip, reason=reason, asked_again=found.asked_again)
        return Resolved(job, contents)

    async def _purge(self, tenant: str, import_: Import, filled: frozenset[str]) -> Job:
        """Return the job of a revocation while the share is still open to the import.

        It does not say who is removed: each mailbox asks for that by itself.
        """
        keys = await self._publications.suppressed(tenant, import_.share_id)
        return Job(import_, tasks=_tasks(Task.PURGE, filled) if keys else ())


def _milliseconds(lasted: timedelta) -> int:
    return max(0, int(lasted.total_seconds() * 1000))


def _message(tenant: str, run: Run) -> RunMessage:
    return RunMessage(tenant=tenant, import_id=run.import_id, run=run.id, number=run.number)


def _require_usual_growth(import_: Import, run: Run, before: int | None, now: int) -> None:
    """Raise `GrewTooMuch` if a share grew beyond the import's limit since it was last applied.

    An approved run may grow to what was shown, and from there by the same limit.
    """
    shown = run.share_contacts if run.approved else 0
    reference = max(before, shown) if before is not None else None
    objection = guard_of(import_.guard).objection_to_growth(reference, now)
    if objection is not None:
        raise GrewTooMuch(objection, now)


def _tasks(task: Task, mailboxes: Iterable[str]) -> tuple[tuple[str, Task], ...]:
    return tuple((mailbox, task) for mailbox in sorted(mailboxes))
