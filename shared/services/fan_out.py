"""Starting runs: one message per import from the timer, one message per mailbox from a run.

A run resolves its share once, with the publisher's consent, writes the snapshot, resolves the
target mailboxes and their seats, and sends one message for each. Every step may be repeated: the
mailboxes that have their result already are not asked again.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from shared.adapters.graph import directory
from shared.adapters.graph.transport import Graph, Meter
from shared.adapters.mailbox_state import MailboxStates
from shared.adapters.queues import Queues
from shared.adapters.records import OWNER_ROW, Store, Stored, results_of
from shared.adapters.snapshots import Snapshots, snapshot_id
from shared.domain.contact import fingerprint
from shared.domain.errors import Conflict, NeedsAdmin
from shared.domain.licensing import Assignment
from shared.domain.messages import (
    IMPORT_RUNS,
    MAILBOX_SYNCS,
    RUN_CLOSINGS,
    CloseRun,
    StartRun,
    SyncMailbox,
    Task,
)
from shared.domain.models import (
    Import,
    MailboxCounts,
    Outcome,
    Result,
    Run,
    RunStatus,
    RunTrigger,
    Share,
    Targets,
)
from shared.domain.reasons import Reason
from shared.domain.schedule import run_id
from shared.services.seats import SeatBook
from shared.services.share_resolution import Resolution, resolve

_log = logging.getLogger(__name__)
_OMISSIONS_KEPT: Final = 1_000
_FIRST_LOOK_AFTER: Final = 1.0


@dataclass(slots=True)
class TargetMailboxes:
    """The users an import aims at: those with mail, and those left out with the reason."""

    mailboxes: set[str] = field(default_factory=set)
    left_out: dict[str, Reason] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Job:
    """What a run has to do: whom to sync, whom to clear, whom to skip and why."""

    sync: frozenset[str]
    remove: frozenset[str]
    skip: dict[str, Reason]
    fingerprint: str


class FanOut:
    """Starts runs and spreads them over the mailboxes."""

    def __init__(
        self,
        store: Store,
        queues: Queues,
        graph: Graph,
        states: MailboxStates,
        snapshots: Snapshots,
        seats: SeatBook,
        clock: Callable[[], datetime],
    ) -> None:
        """Work on these."""
        self._store = store
        self._queues = queues
        self._graph = graph
        self._seats = seats
        self._clock = clock
        self._states = states
        self._snapshots = snapshots

    async def start_all(self) -> int:
        """Queue today's run of every active import and answer how many; harmless to repeat."""
        started = 0
        now = self._clock()
        async for tenant, stored in self._store.imports.everywhere():
            import_ = stored.value
            if import_.removing:
                # Its removal run may have been lost; asking again is harmless.
                await self.queue_run(tenant, import_.id, RunTrigger.REMOVAL, import_.changed)
            elif import_.active:
                await self.queue_run(tenant, import_.id, RunTrigger.SCHEDULE, now)
                started += 1
        return started

    async def queue_run(
        self, tenant: str, import_id: str, trigger: RunTrigger, when: datetime
    ) -> str:
        """Record a run and queue its message; the same trigger and time mean the same run."""
        run = Run(
            id=run_id(import_id, trigger, when),
            import_id=import_id,
            trigger=trigger,
            queued=self._clock(),
        )
        try:
            await self._store.runs.insert(tenant, run.id, run)
        except Conflict:
            known = await self._store.runs.get(tenant, run.id)
            if known is not None and known.value.status is not RunStatus.QUEUED:
                return run.id
        await self.send_run(tenant, import_id, run.id)
        return run.id

    async def send_run(self, tenant: str, import_id: str, run: str) -> None:
        """Queue the message of a run that is recorded already."""
        await self._queues.send(IMPORT_RUNS, StartRun(tenant=tenant, import_id=import_id, run=run))

    async def start(self, message: StartRun) -> None:
        """Resolve a run and fan it out; safe to repeat at any point.

        Raises `PassingError` for what goes again later; what an admin must mend ends the run.
        """
        stored = await self._store.runs.get(message.tenant, message.run)
        if stored is None or stored.value.status.ended:
            return
        found = await self._store.imports.get(message.tenant, message.import_id)
        meter = Meter()
        if found is None:
            await self._end(message, stored, Reason.IMPORT_DELETED, meter)
            return
        try:
            stored, job = await self._prepare(message, stored, found.value, meter)
        except NeedsAdmin as error:
            _log.warning("run %s cannot start: %s (%s)", message.run, error.reason, error.detail)
            await self._end(message, stored, error.reason, meter)
            return
        await self._spread(message, stored.value, job)

    async def resolve_targets(self, tenant: str, targets: Targets, meter: Meter) -> TargetMailboxes:
        """The mailboxes that targets mean today. Raises when any part cannot be read."""
        session = self._graph.session(tenant, meter)
        found = TargetMailboxes()
        users = await directory.mailboxes_by_id(session, targets.users) if targets.users else {}
        by_lower = {id_.lower() for id_ in users}
        for id_ in targets.users:
            if id_.lower() not in by_lower:
                found.left_out[id_] = Reason.USER_NOT_FOUND
        members = list(users.values())
        for group in targets.groups:
            members += [user async for user in directory.group_mailboxes(session, group)]
        for user in members:
            if user.get("mail"):
                found.mailboxes.add(user["id"])
            else:
                found.left_out[user["id"]] = Reason.NO_MAILBOX
        return found

    async def _prepare(
        self, message: StartRun, stored: Stored[Run], import_: Import, meter: Meter
    ) -> tuple[Stored[Run], _Job]:
        here = frozenset(await self._states.mailboxes(message.tenant, message.import_id))
        run = stored.value
        if import_.removing or run.trigger is RunTrigger.REMOVAL:
            await self._seats.serve(message.tenant, import_.id, ())
            job = _Job(frozenset(), here, {}, "")
            return await self._running(message, stored, job, Resolution(), meter), job
        if not import_.active:
            raise NeedsAdmin(Reason.IMPORT_PAUSED, f"Import {import_.id} is paused.")
        share, publisher = await self._share(message.tenant, import_.share_id)
        if share is None:
            await self._seats.serve(message.tenant, import_.id, ())
            job = _Job(frozenset(), here, {}, "")
            withdrawn = run.model_copy(update={"reason": Reason.SHARE_WITHDRAWN})
            stored = Stored(withdrawn, stored.etag)
            return await self._running(message, stored, job, Resolution(), meter), job
        resolution = await self._resolve(share, publisher, message.tenant, meter)
        contacts = list(resolution.contacts.values())
        if not contacts and here:
            raise NeedsAdmin(Reason.SHARE_EMPTY, f"Share {share.id} holds nobody.")
        targets = await self.resolve_targets(message.tenant, import_.targets, meter)
        if not targets.mailboxes and here:
            raise NeedsAdmin(Reason.TARGETS_EMPTY, f"Import {import_.id} aims at nobody.")
        seats = await self._seats.serve(message.tenant, import_.id, targets.mailboxes)
        print_ = _combined(fingerprint(contacts), import_)
        job = _job(targets, seats, here, print_)
        await self._snapshots.write(
            snapshot_id(message.tenant, message.run), contacts, self._clock()
        )
        return await self._running(message, stored, job, resolution, meter), job

    async def _share(self, tenant: str, share_id: str) -> tuple[Share | None, str]:
        """The share and its publisher; no share if it was withdrawn from this tenant for sure."""
        location = await self._store.share_index.get(share_id, OWNER_ROW)
        if location is None:
            raise NeedsAdmin(Reason.SHARE_NOT_FOUND, f"Share {share_id} is not known.")
        publisher = location.value.publisher
        if location.value.withdrawn is not None:
            return None, publisher
        found = await self._store.shares.get(publisher, share_id)
        if found is None:
            raise NeedsAdmin(Reason.SHARE_NOT_FOUND, f"Share {share_id} is not there.")
        if not found.value.access.admits(tenant, publisher, self._clock()):
            return None, publisher
        return found.value, publisher

    async def _resolve(
        self, share: Share, publisher: str, subscriber: str, meter: Meter
    ) -> Resolution:
        try:
            return await resolve(share, self._graph.session(publisher, meter))
        except NeedsAdmin as error:
            if error.reason is Reason.CONSENT_MISSING and publisher != subscriber:
                raise NeedsAdmin(Reason.PUBLISHER_CONSENT_MISSING, error.detail) from error
            raise

    async def _running(
        self,
        message: StartRun,
        stored: Stored[Run],
        job: _Job,
        resolution: Resolution,
        meter: Meter,
    ) -> Stored[Run]:
        """Write down what the run is about to do, before the first mailbox is told."""
        omissions = list(resolution.omissions.values())
        run = stored.value.model_copy(
            update={
                "status": RunStatus.RUNNING,
                "started": stored.value.started or self._clock(),
                "mailboxes": MailboxCounts(total=len(job.sync | job.remove) + len(job.skip)),
                "share_contacts": len(resolution.contacts),
                "omissions": omissions[:_OMISSIONS_KEPT],
                "omitted": dict(Counter(omission.reason for omission in omissions)),
                "fingerprint": job.fingerprint,
                "graph_requests": meter.requests,
                "throttled": meter.throttled,
            }
        )
        return await self._store.runs.replace(message.tenant, message.run, run, stored.etag)

    async def _spread(self, message: StartRun, run: Run, job: _Job) -> None:
        partition = results_of(message.tenant, message.run)
        now = self._clock()
        skipped = {
            mailbox: Result(mailbox=mailbox, outcome=Outcome.SKIPPED, reason=reason, ended=now)
            for mailbox, reason in job.skip.items()
        }
        await self._store.results.write_many(partition, skipped)
        done = {stored.value.mailbox async for stored in self._store.results.all(partition)}
        messages = [
            SyncMailbox(
                tenant=message.tenant,
                import_id=message.import_id,
                run=run.id,
                mailbox=mailbox,
                task=task,
                fingerprint=job.fingerprint,
            )
            for task, mailboxes in ((Task.SYNC, job.sync), (Task.REMOVE, job.remove))
            for mailbox in sorted(mailboxes - done)
        ]
        await self._queues.send_many(MAILBOX_SYNCS, messages)
        closing = CloseRun(tenant=message.tenant, import_id=message.import_id, run=run.id)
        await self._queues.send(RUN_CLOSINGS, closing, delay=_FIRST_LOOK_AFTER)

    async def _end(
        self, message: StartRun, stored: Stored[Run], reason: Reason, meter: Meter
    ) -> None:
        """End a run that could not start; nothing was changed in any mailbox."""
        held = reason in {Reason.SHARE_EMPTY, Reason.TARGETS_EMPTY}
        now = self._clock()
        run = stored.value.model_copy(
            update={
                "status": RunStatus.HELD if held else RunStatus.FAILED,
                "reason": reason,
                "started": stored.value.started or now,
                "ended": now,
                "graph_requests": meter.requests,
                "throttled": meter.throttled,
            }
        )
        await self._store.runs.replace(message.tenant, message.run, run, stored.etag)
        await self._snapshots.erase(snapshot_id(message.tenant, message.run))


def _job(targets: TargetMailboxes, seats: Assignment, here: frozenset[str], print_: str) -> _Job:
    skip = {**targets.left_out, **dict.fromkeys(seats.refused, Reason.NO_SEAT)}
    # Whoever has no seat keeps what is there; whoever is no target any more does not.
    remove = here - targets.mailboxes - skip.keys()
    gone = here & targets.left_out.keys()
    for mailbox in gone:
        del skip[mailbox]
    return _Job(seats.served, remove | gone, skip, print_)


def _combined(contacts: str, import_: Import) -> str:
    """One fingerprint over what the mailboxes shall hold and where."""
    place = import_.destination.model_dump_json()
    return hashlib.blake2b(f"{contacts}\n{place}".encode(), digest_size=16).hexdigest()
