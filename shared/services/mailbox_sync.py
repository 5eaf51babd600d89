"""Bringing one mailbox to its run's snapshot, or taking our contacts out of it.

Nothing to do costs one Graph request and no lease. Otherwise the head row is leased by its ETag,
so that one worker at a time writes to a mailbox; whatever a worker that died left behind shows in
the folder's delta and is told by its mark.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.graph.mailbox import Delta, FolderGoneError, LinkExpiredError, Mailbox
from shared.adapters.graph.transport import Graph, Meter
from shared.adapters.mailbox_state import Head, MailboxStates
from shared.adapters.records import Store, Stored, results_of
from shared.adapters.snapshots import Desired, Snapshots, snapshot_id
from shared.domain.errors import Busy, Defect, NeedsAdmin
from shared.domain.guard import Guard
from shared.domain.messages import SyncMailbox, Task
from shared.domain.models import ContactCounts, Import, Outcome, Result
from shared.domain.plan import (
    Change,
    KnownContacts,
    applied,
    make_plan,
    observe,
    settle,
    unknown_ids,
)
from shared.domain.reasons import Reason
from shared.services.applying import Progress, apply_plan

_LEASE: Final = timedelta(minutes=5)
_RENEW_BEFORE: Final = timedelta(minutes=3)
_NOBODY_THERE: Final = frozenset({Reason.NO_MAILBOX, Reason.USER_NOT_FOUND})
_SKIPPED: Final = _NOBODY_THERE | {Reason.IMPORT_DELETED}


@dataclass(slots=True)
class _Work:
    """One mailbox under way: its head as last stored, and what we found out meanwhile."""

    message: SyncMailbox
    meter: Meter
    started: datetime
    mailbox: Mailbox
    head: Head
    etag: str | None
    owner: str


class MailboxSync:
    """Syncs mailboxes; each call is one message of the queue `mailbox-syncs`."""

    def __init__(
        self,
        store: Store,
        graph: Graph,
        states: MailboxStates,
        snapshots: Snapshots,
        free_seat: Callable[[str, str], Awaitable[None]],
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        """Work on these; `free_seat` gives back the seat of a mailbox that does not exist."""
        self._free_seat = free_seat
        self._store = store
        self._graph = graph
        self._clock = clock
        self._new_id = new_id
        self._states = states
        self._snapshots = snapshots

    async def run(self, message: SyncMailbox) -> None:
        """Do what the message asks and record the result; safe to repeat at any point.

        Raises `PassingError` for what goes again later (progress is kept), `Defect` for what is
        ours to mend; everything else ends as the mailbox's result.
        """
        stored = await self._states.read(message.tenant, message.import_id, message.mailbox)
        if stored is not None and stored.value.last_run == message.run and stored.value.result:
            await self._record(message, stored.value.result)
            return
        if stored is not None and stored.value.leased(self._clock()):
            raise Busy("Another worker is at this mailbox.", _LEASE.total_seconds() / 10)
        work = self._work(message, stored)
        try:
            if message.task is Task.REMOVE:
                await self._remove(work)
            else:
                await self._sync(work)
        except NeedsAdmin as error:
            if error.reason in _NOBODY_THERE:
                await self._free_seat(message.tenant, message.mailbox)
            await self._finish(work, self._refusal(work, error))
        except (FolderGoneError, LinkExpiredError) as error:
            work.head = work.head.model_copy(update={"link": None})
            await self._release(work)
            raise Busy("The folder changed under our hands.", 1.0) from error
        except BaseException:
            await self._release(work)
            raise

    def _work(self, message: SyncMailbox, stored: Stored[Head] | None) -> _Work:
        meter = Meter()
        session = self._graph.session(message.tenant, meter)
        return _Work(
            message=message,
            meter=meter,
            started=self._clock(),
            mailbox=Mailbox(session, message.mailbox, message.import_id),
            head=stored.value if stored else Head(),
            etag=stored.etag if stored else None,
            owner=self._new_id(),
        )

    async def _sync(self, work: _Work) -> None:
        delta = await self._since_last_time(work)
        if delta and not delta.changes and work.head.fingerprint == work.message.fingerprint:
            work.head = work.head.model_copy(update={"link": delta.link})
            counts = ContactCounts(unchanged=work.head.contacts)
            await self._finish(work, self._success(work, counts))
            return
        await self._lease(work)
        import_ = await self._import(work.message)
        desired = await self._desired(work.message)
        if await self._leave_old_place(work, import_):
            delta = None
        known = await self._known(work)
        folder_is_new = await self._open_folder(work, import_)
        complete = delta is None
        if delta is None and work.head.folder is not None and not folder_is_new:
            delta = await work.mailbox.delta(work.head.folder)
        changes = delta.changes if delta else ()
        known, surplus = await self._observe(work, known, changes, desired, complete=complete)
        plan = make_plan(desired, known, surplus)
        guard = Guard(import_.guard.deletes, import_.guard.delete_share)
        link = delta.link if delta else None
        if guard.holds(plan, len(known)):
            # A surplus contact is in no state: without a link the next run finds it again.
            await self._keep(work, known, fingerprint=None, link=None if surplus else link)
            await self._finish(work, self._held(work))
            return
        progress = Progress()
        try:
            await apply_plan(
                work.mailbox,
                plan.operations,
                progress,
                import_.destination.category,
                lambda: self._renew(work),
            )
        except BaseException:
            # The link stays the old one: the next delta shows again what took effect just now.
            known = _after(known, progress)
            await self._keep(work, known, fingerprint=None, link=work.head.link)
            raise
        known = _after(known, progress)
        calm = not progress.vanished
        if plan.operations or link is None:
            known, settled, link = await self._settle(work, known, link)
            calm = calm and settled
        work.head = work.head.model_copy(update={"rejected": tuple(progress.rejected)})
        await self._keep(
            work, known, fingerprint=work.message.fingerprint if calm else None, link=link
        )
        counts = progress.counts + ContactCounts(unchanged=plan.unchanged)
        await self._finish(work, self._success(work, counts))

    async def _remove(self, work: _Work) -> None:
        done = await self._store.results.get(
            results_of(work.message.tenant, work.message.run), work.message.mailbox
        )
        if done is not None:
            return
        await self._lease(work)
        counts = await self._take_out(work)
        result = self._success(work, counts)
        await self._record(work.message, result)
        await self._states.erase(
            work.message.tenant, work.message.import_id, work.message.mailbox, work.etag
        )

    async def _take_out(self, work: _Work) -> ContactCounts:
        """Delete all of our contacts, and our folder if nothing of the user's is in it."""
        own = work.head.own_folder
        folder = work.head.folder or (
            await work.mailbox.find_folder() if own else await work.mailbox.default_folder()
        )
        if folder is None:
            return ContactCounts()
        work.mailbox.in_folder(folder if own else None)
        try:
            delta = await work.mailbox.delta(folder)
        except FolderGoneError:
            return ContactCounts()
        known, surplus = await self._observe(
            work, await self._known(work), delta.changes, {}, complete=True
        )
        progress = Progress()
        plan = make_plan({}, known, surplus)
        await apply_plan(work.mailbox, plan.operations, progress, None, lambda: self._renew(work))
        if own:
            await work.mailbox.remove_folder(folder)
        return progress.counts

    async def _since_last_time(self, work: _Work) -> Delta | None:
        """The folder's delta; None if there is no folder or link yet, or not any more."""
        head = work.head
        if head.folder is None or head.link is None:
            return None
        work.mailbox.in_folder(head.folder if head.own_folder else None)
        try:
            return await work.mailbox.delta(head.folder, head.link)
        except LinkExpiredError:
            work.head = head.model_copy(update={"link": None})
        except FolderGoneError:
            work.head = head.model_copy(update={"folder": None, "link": None, "chunks": 0})
        return None

    async def _leave_old_place(self, work: _Work, import_: Import) -> bool:
        """Take our contacts out if the import now goes to another kind of folder."""
        head, to_own = work.head, import_.destination.folder is not None
        if head.folder is None or head.own_folder == to_own:
            return False
        await self._take_out(work)
        head = work.head
        work.head = Head(lease_owner=head.lease_owner, lease_until=head.lease_until)
        return True

    async def _open_folder(self, work: _Work, import_: Import) -> bool:
        """Find or make the folder the import names; say whether it is new (and so empty)."""
        wanted = import_.destination.folder
        head, new = work.head, False
        folder = head.folder
        if folder is None and wanted is not None:
            folder = await work.mailbox.find_folder()
            if folder is None:
                folder, new = await work.mailbox.create_folder(wanted), True
        elif folder is None:
            folder = await work.mailbox.default_folder()
        elif wanted is not None and wanted != head.folder_name:
            await work.mailbox.rename_folder(folder, wanted)
        work.mailbox.in_folder(folder if wanted is not None else None)
        work.head = head.model_copy(
            update={"folder": folder, "own_folder": wanted is not None, "folder_name": wanted}
        )
        return new

    async def _observe(
        self,
        work: _Work,
        known: KnownContacts,
        changes: tuple[Change, ...],
        desired: Desired,
        *,
        complete: bool,
    ) -> tuple[KnownContacts, tuple[str, ...]]:
        marks = await work.mailbox.marks(unknown_ids(known, changes))
        return observe(known, changes, marks, desired, complete=complete)

    async def _settle(
        self, work: _Work, known: KnownContacts, link: str | None
    ) -> tuple[KnownContacts, bool, str | None]:
        """Read how the folder shows our own writes, so that the next idle run finds nothing."""
        folder = work.head.folder or await work.mailbox.default_folder()
        if folder is None:
            return known, True, None
        work.head = work.head.model_copy(update={"folder": folder})
        delta = await work.mailbox.delta(folder, link)
        strangers = await work.mailbox.marks(unknown_ids(known, delta.changes))
        known, calm = settle(known, delta.changes)
        # A second contact of ours: do not let this link hide it, the next run looks at everything.
        return known, calm and not strangers, None if strangers else delta.link

    async def _known(self, work: _Work) -> KnownContacts:
        message = work.message
        return await self._states.contacts(
            message.tenant, message.import_id, message.mailbox, work.head
        )

    async def _import(self, message: SyncMailbox) -> Import:
        found = await self._store.imports.get(message.tenant, message.import_id)
        if found is None or found.value.removing:
            # A message that came late must not bring back what was removed.
            raise NeedsAdmin(Reason.IMPORT_DELETED, f"Import {message.import_id} was deleted.")
        return found.value

    async def _desired(self, message: SyncMailbox) -> Desired:
        desired = await self._snapshots.read(snapshot_id(message.tenant, message.run))
        if desired is None:
            note = "The run's snapshot is not there."
            raise Defect(note)
        return desired

    async def _lease(self, work: _Work) -> None:
        lease = {"lease_owner": work.owner, "lease_until": self._clock() + _LEASE}
        await self._store_head(work, work.head.model_copy(update=lease))

    async def _renew(self, work: _Work) -> None:
        until = work.head.lease_until
        if until is None or until - self._clock() < _RENEW_BEFORE:
            await self._lease(work)

    async def _release(self, work: _Work) -> None:
        """Give the lease back, so that the next try need not wait for its end."""
        if work.head.lease_owner == work.owner:
            free = {"lease_owner": None, "lease_until": None}
            await self._store_head(work, work.head.model_copy(update=free))

    async def _keep(
        self, work: _Work, known: KnownContacts, *, fingerprint: str | None, link: str | None
    ) -> None:
        """Write the contacts under a new generation; the head that names it is written next."""
        message, generation = work.message, self._new_id()[:12]
        chunks = await self._states.write_contacts(
            message.tenant, message.import_id, message.mailbox, generation, known
        )
        work.head = work.head.model_copy(
            update={
                "fingerprint": fingerprint,
                "link": link,
                "generation": generation,
                "chunks": chunks,
                "contacts": len(known),
            }
        )

    async def _finish(self, work: _Work, result: Result) -> None:
        """Record the result in the head first, so that a repeated message tells the same."""
        message, old = work.message, work.head
        done = {
            "lease_owner": None,
            "lease_until": None,
            "last_run": message.run,
            "result": result,
        }
        await self._store_head(work, old.model_copy(update=done))
        await self._record(message, result)
        if old.lease_owner == work.owner:
            await self._states.drop_contacts(
                message.tenant, message.import_id, message.mailbox, keep=old.generation
            )

    async def _store_head(self, work: _Work, head: Head) -> None:
        message = work.message
        stored = await self._states.write(
            message.tenant, message.import_id, message.mailbox, head, work.etag
        )
        work.head, work.etag = stored.value, stored.etag

    async def _record(self, message: SyncMailbox, result: Result) -> None:
        await self._store.results.upsert(
            results_of(message.tenant, message.run), message.mailbox, result
        )

    def _success(self, work: _Work, counts: ContactCounts) -> Result:
        rejected = work.head.rejected
        reason = Reason.CONTACTS_REJECTED if rejected else None
        return self._result(work, Outcome.SUCCEEDED, reason).model_copy(
            update={"contacts": counts, "rejected": rejected}
        )

    def _held(self, work: _Work) -> Result:
        return self._result(work, Outcome.HELD, Reason.TOO_MANY_DELETES)

    def _refusal(self, work: _Work, error: NeedsAdmin) -> Result:
        outcome = Outcome.SKIPPED if error.reason in _SKIPPED else Outcome.FAILED
        return self._result(work, outcome, error.reason)

    def _result(self, work: _Work, outcome: Outcome, reason: Reason | None) -> Result:
        now = self._clock()
        return Result(
            mailbox=work.message.mailbox,
            outcome=outcome,
            reason=reason,
            graph_requests=work.meter.requests,
            throttled=work.meter.throttled,
            milliseconds=int((now - work.started).total_seconds() * 1000),
            ended=now,
        )


def _after(known: KnownContacts, progress: Progress) -> KnownContacts:
    current = applied(known, progress.done)
    for key in progress.vanished:
        current.pop(key, None)
    return current
