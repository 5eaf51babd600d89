"""One mailbox while a worker syncs it: its lease, its head and contacts, and its result.

The rules of writing are here. Before the first write to the mailbox, the head says that the run
works here (`intend`), and only then it is asked whether the run is still the open one: so either a
removal or a newer run sees the head, or this worker sees the removal. The head is only replaced by
its ETag, a list of contacts counts once the head names its rows, and the result is in the head
before it is anywhere else.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched
from typing import Final

from shared.adapters.graph.mailboxes.mailbox import Mailbox
from shared.adapters.graph.transport import LONGEST_REQUEST, LONGEST_WAIT, Meter
from shared.adapters.storage.leases import Lease, Leases
from shared.adapters.storage.mailboxes.chunk_links import mark_of_link
from shared.adapters.storage.mailboxes.mailbox_contacts import ContactRows, ListPlace
from shared.adapters.storage.mailboxes.mailbox_state import Head, MailboxStates, Partial
from shared.adapters.storage.mailboxes.read_marks import hash_of_id
from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import Store, results_of
from shared.adapters.telemetry import emit
from shared.domain.contacts.fields import Contact, Mark
from shared.domain.contacts.known import (
    Change,
    KnownContacts,
    Policy,
    doubtful_ids,
    missing_ids,
    observe,
    rival_ids,
    unknown_ids,
)
from shared.domain.errors import OutOfTime, Paced, TransientError
from shared.domain.events import MailboxSyncFinished
from shared.domain.importing.messages import SyncMailbox
from shared.domain.importing.runs import ContactCounts, Outcome, Result
from shared.services.sync.threads import run_in_thread_if_large

LEASE: Final = timedelta(minutes=5)
_RENEW_BEFORE: Final = timedelta(seconds=LONGEST_REQUEST + 60)
"""The lease is renewed so that it outlasts the next request, with a minute to spare."""

TIME_BUDGET: Final = timedelta(minutes=4)
"""How long an invocation works; the platform ends it after ten minutes."""
_MARKS_AT_ONCE: Final = 400
"""After how many marks it is asked whether the read may go on."""
CHECKPOINT_EVERY: Final = 5
"""After how many batches progress is saved, and whether the run is still open is asked again."""
_CLEAN: Final = frozenset({Outcome.SUCCEEDED, Outcome.HELD})
"""Outcomes after which the list of contacts shows every field that was ever written."""
NO_RUN: Final = "none"
"""The run id of work that an admin starts directly, outside of any run."""
_PATIENCE: Final = 8
"""How often a message comes back, within some nine minutes, while nothing can be written."""


class SupersededError(Exception):
    """The run is no longer the open one: the work ends here, without a result."""


@dataclass(slots=True)
class MailboxWork:
    """The work of one message.

    `head` is what we know now; `save` and `finish` store it. `stored` is the head as it is in
    storage, `before` as this worker found it (None: there was none). `save_progress` is what a
    checkpoint does. `departed` are our contacts that left the folder, and may come back.
    """

    message: SyncMailbox
    mailbox: Mailbox
    meter: Meter
    store: Store
    states: MailboxStates
    leases: Leases
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    head: Head = field(default_factory=Head)
    stored: Stored[Head] | None = None
    before: Stored[Head] | None = None
    earlier: Partial = field(init=False)
    started: datetime = field(init=False)
    lease: Lease | None = None
    counted: int = 0
    batches: int = 0
    save_progress: Callable[[], Awaitable[None]] | None = None
    departed: list[str] = field(default_factory=list)
    _known: KnownContacts | None = None
    _rows_found: frozenset[str] | None = None

    def __post_init__(self) -> None:
        """Start measuring the duration."""
        self.started = self.clock()
        self.earlier = Partial(run=self.message.run)

    @property
    def patient(self) -> bool:
        """Whether the message may come back because single contacts cannot be written."""
        return self.message.attempt < _PATIENCE

    async def read_head(self) -> None:
        """Read the head; done once, after the lease is taken."""
        self.stored = self.before = await self.states.read(*self._place)
        if self.stored is not None:
            self.head = self.stored.value
            link = self.head.link
            if link and self.message.link and mark_of_link(link) == self.message.link_base:
                self.head = self.head.copy_with(link=self.message.link)
            partial = self.head.partial
            result = self.head.result if self.head.last_run == self.message.run else None
            if partial is not None and partial.run == self.message.run:
                self.earlier = partial
            elif result is not None and result.outcome is Outcome.HELD:
                # An approved run adds to what it applied before it was held.
                applied = result.contacts.copy_with(unchanged=0)
                self.earlier = self.earlier.copy_with(contacts=applied, photos=result.photos)

    async def take_lease(self) -> None:
        """Lease the mailbox, which other imports may also target.

        A mailbox handles at most four requests at once, and one batch uses all four. Raises `Busy`
        while another worker holds the lease.
        """
        what = f"mailbox|{self.message.mailbox}"
        self.lease = await self.leases.take(self.message.tenant, what, self.clock(), LEASE)

    async def is_open(self) -> bool:
        """Return whether the run of this work is still its import's open one."""
        return self.message.run == NO_RUN or await self.store.is_open(self.message)

    async def intend(self, writes: int = 0) -> None:
        """Let the head say that this run works here, then check that the run is still open.

        `writes` is the mask of fields that may be written: if this worker dies, the next one knows
        them. Raises `SupersededError` if the run is not open; the head is then as it was.
        """
        self.head = self.head.copy_with(
            number=self.message.number, fingerprint=None, begun=self.head.begun | writes
        )
        await self.save()
        if not await self.is_open():
            await self.put_back()
            raise SupersededError
        await self.hold_lease()

    async def put_back(self) -> None:
        """Restore the head as this worker found it; nothing was written to the mailbox."""
        if self.stored is None:
            return
        if self.before is None:
            await self.states.delete(*self._place, self.stored.etag)
            self.stored = None
        else:
            self.head = self.before.value
            await self.save()

    async def hold_lease(self) -> None:
        """Renew the lease unless it outlasts any request. Raises `Busy` if it was lost."""
        now = self.clock()
        if self.lease is not None and self.lease.until - now < _RENEW_BEFORE:
            self.lease = await self.leases.renew(self.lease, now, LEASE)

    async def may_send(self, requests: int, weighing: int, to_come: int) -> None:
        """Save progress if it is time, and check that the next batch may be sent.

        `weighing` is the weight of its requests (`pacing.weight`). Raises `Busy` if the lease was
        lost, `Paced` if the mailbox needs a pause (for `to_come` requests in all), `OutOfTime` if
        this invocation has worked long enough, and `SupersededError` if the run is not open.
        """
        if self.lease is None:
            return
        if self.batches and self.batches % CHECKPOINT_EVERY == 0:
            if self.save_progress is not None:
                await self.save_progress()
            if not await self.is_open():
                raise SupersededError
        now = self.clock()
        if self.batches and now - self.started >= TIME_BUDGET and self.message.run != NO_RUN:
            raise OutOfTime("The mailbox needs more time than one invocation has.", 0.0)
        await self.hold_lease()
        self._count(self.lease, now)
        if wait := self.lease.pace.wait(now, weighing, to_come):
            raise Paced("The mailbox's limit is near.", max(wait, LONGEST_WAIT))
        self.lease.pace = self.lease.pace.spent(now, weighing - requests)
        self.batches += 1

    def _count(self, lease: Lease, now: datetime) -> None:
        """Add what was sent since the last call to the pace."""
        lease.pace = lease.pace.spent(now, self.meter.items - self.counted)
        self.counted = self.meter.items

    async def release(self) -> None:
        """Give the lease back, unless a request of ours may still take effect."""
        if self.lease is None:
            return
        self._count(self.lease, self.clock())
        lease, self.lease = self.lease, None
        if self.mailbox.unanswered:
            await self.leases.leave(lease)
        else:
            await self.leases.release(lease)

    async def known(self) -> KnownContacts:
        """Return our contacts, as the head's rows list them.

        If a part of the list is lost, the whole list counts as lost and is read again from the
        folder.
        """
        if not self.head.rows.names:
            return {}
        if self._known is None:
            loaded = await self.states.lists.load(self._list, self.head.rows)
            self._rows_found = loaded.found
            if loaded.known is None:
                self.head = self.head.copy_with(link=None, rows=ContactRows())
                return {}
            self._known = loaded.known
        return self._known

    def forget_contacts(self) -> None:
        """Forget the list of contacts: they are read again from the folder, by their marks."""
        self._known = None
        self.head = self.head.copy_with(link=None, rows=ContactRows())

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
        changes = await self.reread(known, changes)
        if complete and (missing := missing_ids(known, changes)):
            changes = await self._read_again(changes, missing)
        # Those that were asked about and are still not shown could not be read.
        unread = frozenset(missing_ids(known, changes)) if complete else frozenset[str]()
        marks = await self.marks(unknown_ids(known, changes))
        changes = await self._read_again(changes, rival_ids(known, changes, marks))
        return await run_in_thread_if_large(
            len(changes) + len(known),
            observe,
            known,
            changes,
            marks,
            desired,
            complete=complete,
            policy=policy,
            begun=self.before.value.begun if self.before is not None else 0,
            unread=unread,
        )

    async def marks(self, ids: Sequence[str]) -> dict[str, Mark]:
        """Return the marks of those contacts that are ours.

        A long read is cut off by time or by the mailbox's pace, with what was read saved, and the
        next try goes on from there. The first part is always read.
        """
        if len(ids) <= _MARKS_AT_ONCE:
            return await self.mailbox.marks(ids)
        place, run = self._list, self.message.run
        seen = await self.states.read_marks.load(place, run)
        left = [id_ for id_ in ids if hash_of_id(id_) not in seen]
        for number, chunk in enumerate(batched(left, _MARKS_AT_ONCE, strict=False)):
            try:
                await self._may_read(len(left) - number * _MARKS_AT_ONCE, first=number == 0)
                found = await self.mailbox.marks(chunk)
            except TransientError:
                await self.states.read_marks.save(place, run, seen)
                raise
            seen.update({hash_of_id(id_): found.get(id_) for id_ in chunk})
        if left:
            # Until the plan is carried out, a killed worker must not read all of it again.
            await self.states.read_marks.save(place, run, seen)
        return {id_: mark for id_ in ids if (mark := seen.get(hash_of_id(id_))) is not None}

    async def _may_read(self, to_come: int, *, first: bool) -> None:
        """Check that the next marks may be read; raises as `may_send` does."""
        if self.lease is None:
            return
        now = self.clock()
        if not first and now - self.started >= TIME_BUDGET and self.message.run != NO_RUN:
            raise OutOfTime("The mailbox needs more time than one invocation has.", 0.0)
        await self.hold_lease()
        self._count(self.lease, now)
        if wait := self.lease.pace.wait(now, min(to_come, _MARKS_AT_ONCE), to_come):
            raise Paced("The mailbox's limit is near.", max(wait, LONGEST_WAIT))

    async def forget_marks(self) -> None:
        """Forget what an unfinished read has seen, before contacts are marked."""
        await self.states.read_marks.erase(self._list)

    async def reread(self, known: KnownContacts, changes: tuple[Change, ...]) -> tuple[Change, ...]:
        """Return the changes, with our contacts read again where the delta may be incomplete."""
        doubtful = await run_in_thread_if_large(len(changes), doubtful_ids, known, changes)
        return await self._read_again(changes, doubtful)

    async def _read_again(
        self, changes: tuple[Change, ...], ids: Sequence[str]
    ) -> tuple[Change, ...]:
        changes = await self.mailbox.reread(changes, ids, self.head.folder)
        gone = {change.id for change in changes if change.fields is None}
        self.departed += [id_ for id_ in ids if id_ in gone]
        return changes

    async def keep(
        self, known: KnownContacts, *, fingerprint: str | None, link: str | None
    ) -> None:
        """Write what changed in the list of contacts; the head that names it is written next."""
        before, token = await self.known(), self.new_id()[:12]
        if self._rows_found is None and len(known) > 0 and self.before is not None:
            self._rows_found = await self.states.lists.names(self._list)
        rows = await self.states.lists.write(self._list, self.head.rows, before, known, token)
        self._known = known
        self.head = self.head.copy_with(
            fingerprint=fingerprint, link=link, rows=rows, contacts=count_of(known)
        )

    async def save(self) -> None:
        """Write the head, and delete the rows of contacts that it no longer names."""
        etag = self.stored.etag if self.stored is not None else None
        named = self.stored.value.rows if self.stored is not None else ContactRows()
        self.stored = await self.states.write(*self._place, self.head, etag)
        rows = self.head.rows
        if self._rows_found is None or rows.generation == named.generation:
            return
        found = {*self._rows_found, *named.names}
        await self.states.lists.drop(self._list, found, rows)
        self._rows_found = frozenset()

    async def store_progress(
        self, known: KnownContacts, link: str | None, counts: ContactCounts, photos: int
    ) -> None:
        """Store what was done so far, so that the next try continues from there."""
        await self.keep(known, fingerprint=None, link=link)
        await self.save_counts(counts, photos)

    async def save_counts(self, counts: ContactCounts, photos: int = 0) -> None:
        """Write the head with what this invocation and earlier ones did so far."""
        before = self.earlier
        self.head = self.head.copy_with(
            partial=Partial(
                run=before.run,
                contacts=before.contacts + counts,
                photos=before.photos + photos,
                graph_requests=before.graph_requests + self.meter.requests,
                throttled=before.throttled + self.meter.throttled,
            )
        )
        await self.save()

    async def finish(self, result: Result) -> None:
        """Record the result in the head first, so that a repeated message gives the same result."""
        self.head = self.head.copy_with(
            number=self.message.number,
            last_run=self.message.run,
            result=result,
            partial=None,
            begun=0 if result.outcome in _CLEAN else self.head.begun,
        )
        await self.save()
        await self.record(result)

    async def record(self, result: Result) -> None:
        """Write the result to the run's results, and emit its telemetry."""
        await self.restore(result)
        emit(MailboxSyncFinished.of(self.message, result))

    async def restore(self, result: Result) -> None:
        """Write the stored result of a message that came twice, if its row is missing."""
        run = results_of(self.message.tenant, self.message.run)
        await self.store.results.upsert(run, self.message.mailbox, result)

    async def forget(self) -> None:
        """Delete everything we know about the mailbox, its head last."""
        await self.states.lists.erase(self._list)
        if self.stored is not None:
            await self.states.delete(*self._place, self.stored.etag)
            self.stored = None

    @property
    def _place(self) -> tuple[str, str, str]:
        return self.message.tenant, self.message.import_id, self.message.mailbox

    @property
    def _list(self) -> ListPlace:
        return ListPlace(*self._place)


def count_of(known: KnownContacts) -> int:
    """Return how many contacts we have in a mailbox, without those that its user deleted."""
    return sum(1 for entry in known.values() if entry.id)
