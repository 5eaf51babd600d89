"""One mailbox while a worker syncs it: its lease, its head and contacts, and its result.

The rules of writing are here: the head is only replaced by its ETag, a list of contacts counts once
the head names its generation, and the result is in the head before it is anywhere else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.graph.mailbox import Mailbox
from shared.adapters.graph.transport import LONGEST_WAIT, Meter
from shared.adapters.storage.leases import Lease, Leases
from shared.adapters.storage.mailbox_state import Head, MailboxStates, Partial
from shared.adapters.storage.records import Store, results_of
from shared.adapters.telemetry import emit
from shared.domain.contacts.fields import Contact
from shared.domain.contacts.plan import Change, KnownContacts, Plan, Policy, observe, unknown_ids
from shared.domain.errors import Busy, NeedsAdmin, Paced
from shared.domain.events import MailboxSyncFinished
from shared.domain.importing.messages import SyncMailbox
from shared.domain.importing.runs import ContactCounts, Outcome, Result
from shared.domain.reasons import Reason
from shared.services.sync.threads import run_in_thread_if_large

LEASE: Final = timedelta(minutes=5)
NOBODY_THERE: Final = frozenset({Reason.NO_MAILBOX, Reason.USER_NOT_FOUND})
_RENEW_BEFORE: Final = timedelta(minutes=3)
_SKIPPED: Final = NOBODY_THERE | {Reason.IMPORT_DELETED}


@dataclass(slots=True)
class MailboxWork:
    """The work of one message.

    `head` is what we know now; `save` and `finish` store it. `etag` belongs to the stored head.
    """

    message: SyncMailbox
    mailbox: Mailbox
    meter: Meter
    head: Head
    etag: str | None
    store: Store
    states: MailboxStates
    leases: Leases
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    started: datetime = field(init=False)
    lease: Lease | None = None
    counted: int = 0
    superseded: bool = False
    ended: bool = False

    def __post_init__(self) -> None:
        """Start measuring the duration."""
        self.started = self.clock()

    async def take_lease(self, writes: int = 0) -> None:
        """Lease the mailbox, which other imports may also target.

        A mailbox handles at most four requests at once, and one batch uses all four. `writes` is
        the mask of fields that may be written: if this worker dies, the next one knows them. Raises
        `Busy` while another worker holds the lease, or if one held it since our head was read.
        """
        message, now = self.message, self.clock()
        begin = {message.import_id: writes} if writes else None
        what = f"mailbox|{message.mailbox}"
        self.lease = await self.leases.take(message.tenant, what, now, LEASE, begin)
        stored = await self.states.read(*self._place)
        if (stored.etag if stored else None) != self.etag:
            raise Busy("Another worker was at this mailbox.", 1.0)

    async def may_send(self, requests: int, weighing: int, to_come: int) -> None:
        """Check that the lease is still ours and the mailbox can take this many requests.

        `weighing` is their weight (`pacing.weight`). Raises `Busy` if the lease was lost, and
        `Paced` if the mailbox needs a pause (for `to_come` requests in all).
        """
        if self.lease is None:
            return
        now = self.clock()
        if self.lease.until - now < _RENEW_BEFORE:
            self.lease = await self.leases.renew(self.lease, now, LEASE)
        self._count(self.lease, now)
        if wait := self.lease.pace.wait(now, weighing, to_come):
            raise Paced("The mailbox's limit is near.", max(wait, LONGEST_WAIT))
        self.lease.pace = self.lease.pace.spent(now, weighing - requests)

    def _count(self, lease: Lease, now: datetime) -> None:
        """Add what was sent since the last call to the pace."""
        lease.pace = lease.pace.spent(now, self.meter.items - self.counted)
        self.counted = self.meter.items

    async def release(self) -> None:
        """Release the lease on the mailbox."""
        if self.lease is not None:
            self._count(self.lease, self.clock())
            if self.ended:
                self.lease.begun.pop(self.message.import_id, None)
            await self.leases.give_back(self.lease)
            self.lease = None

    async def known(self) -> KnownContacts:
        """Return our contacts, as the head's generation lists them.

        If a part of the list is lost, the whole list counts as lost and is read again from the
        folder.
        """
        found = await self.states.contacts(*self._place, self.head)
        if found is None:
            self.head = self.head.copy_with(link=None, chunks=0)
        return found or {}

    async def observe(
        self,
        known: KnownContacts,
        changes: tuple[Change, ...],
        desired: Mapping[str, Contact],
        policy: Policy,
        *,
        complete: bool,
    ) -> tuple[KnownContacts, tuple[str, ...]]:
        """Update what we know from the folder's delta, including marks."""
        marks = await self.mailbox.marks(unknown_ids(known, changes))
        begun = self.lease.before.get(self.message.import_id, 0) if self.lease else 0
        return await run_in_thread_if_large(
            len(changes) + len(known),
            observe,
            known,
            changes,
            marks,
            desired,
            complete=complete,
            policy=policy,
            begun=begun,
        )

    async def keep(
        self, known: KnownContacts, *, fingerprint: str | None, link: str | None
    ) -> None:
        """Write the contacts under a new generation; the head that names it is written next."""
        self.superseded = self.superseded or bool(self.head.generation)
        generation = self.new_id()[:12]
        chunks = await self.states.write_contacts(*self._place, generation, known)
        self.head = self.head.copy_with(
            fingerprint=fingerprint,
            link=link,
            generation=generation,
            chunks=chunks,
            contacts=count_of(known),
        )

    async def save(self) -> None:
        """Write the head as it is, before the work is finished."""
        stored = await self.states.write(*self._place, self.head, self.etag)
        self.etag = stored.etag

    def done_before(self) -> Partial:
        """Return what earlier tries of this run did."""
        partial, run = self.head.partial, self.message.run
        return partial if partial is not None and partial.run == run else Partial(run=run)

    async def give_back(
        self, known: KnownContacts, link: str | None, counts: ContactCounts, photos: int
    ) -> None:
        """Store what was done so far, so that the next try continues from there."""
        before = self.done_before()
        self.head = self.head.copy_with(
            partial=Partial(
                run=before.run,
                contacts=before.contacts + counts,
                photos=before.photos + photos,
                graph_requests=before.graph_requests + self.meter.requests,
                throttled=before.throttled + self.meter.throttled,
            )
        )
        await self.keep(known, fingerprint=None, link=link)
        await self.save()

    async def finish(self, result: Result) -> None:
        """Record the result in the head first, so that a repeated message gives the same result."""
        self.ended = result.outcome in {Outcome.SUCCEEDED, Outcome.HELD}
        self.head = self.head.copy_with(last_run=self.message.run, result=result, partial=None)
        await self.save()
        await self.record(result)
        if self.superseded:
            await self.states.drop_contacts(*self._place, keep=self.head.generation)

    async def record(self, result: Result) -> None:
        """Write the result to the run's results, and emit its telemetry."""
        await self.restore(result)
        emit(MailboxSyncFinished.of(self.message, result))

    async def restore(self, result: Result) -> None:
        """Write the stored result of a message that came twice, if its row is missing."""
        run = results_of(self.message.tenant, self.message.run)
        await self.store.results.upsert(run, self.message.mailbox, result)

    async def forget(self) -> None:
        """Delete everything we know about the mailbox."""
        self.ended = True
        await self.states.erase(*self._place, self.etag)

    def success(self, counts: ContactCounts, photos: int = 0) -> Result:
        """Return the result of all tries, with what could not be done."""
        rejected, before = self.head.rejected, self.done_before()
        written = before.contacts.created + before.contacts.updated
        counts += before.contacts
        counts = counts.copy_with(unchanged=max(0, counts.unchanged - written))
        photos += before.photos
        reason = Reason.CONTACTS_REJECTED if rejected else self.head.notice
        return self._result(Outcome.SUCCEEDED, reason).copy_with(
            contacts=counts, photos=photos, rejected=rejected
        )

    def held(self, reason: Reason, plan: Plan) -> Result:
        """Return the result of a plan that waits for an admin."""
        return self._result(Outcome.HELD, reason).copy_with(
            planned=counts_of(plan), held_run=self.message.run
        )

    def left_alone(self, reason: Reason, run: str) -> Result:
        """Return the result of a plan for which an earlier `run` already asked."""
        return self._result(Outcome.SKIPPED, reason).copy_with(held_run=run)

    def refusal(self, error: NeedsAdmin) -> Result:
        """Return the result of work that only an admin can make possible."""
        outcome = Outcome.SKIPPED if error.reason in _SKIPPED else Outcome.FAILED
        return self._result(outcome, error.reason)

    @property
    def _place(self) -> tuple[str, str, str]:
        return self.message.tenant, self.message.import_id, self.message.mailbox

    def _result(self, outcome: Outcome, reason: Reason | None) -> Result:
        now, before = self.clock(), self.done_before()
        return Result(
            mailbox=self.message.mailbox,
            outcome=outcome,
            reason=reason,
            graph_requests=before.graph_requests + self.meter.requests,
            throttled=before.throttled + self.meter.throttled,
            milliseconds=int((now - self.started).total_seconds() * 1000),
            ended=now,
        )


def count_of(known: KnownContacts) -> int:
    """Return how many contacts we have in a mailbox, without those that its user deleted."""
    return sum(1 for entry in known.values() if entry.id)


def counts_of(plan: Plan) -> ContactCounts:
    """Return what a plan would do."""
    return ContactCounts(
        created=len(plan.creates),
        updated=len(plan.updates),
        deleted=len(plan.deletes),
        unchanged=plan.unchanged,
    )
