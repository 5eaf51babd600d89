"""Bringing one mailbox to its run's snapshot, or taking our contacts out of it.

Nothing to do costs one Graph request and no lease. Otherwise the head row is leased by its ETag,
so that one worker at a time writes to a mailbox (the mailbox itself is leased too, since other
imports may aim at it); whatever a worker that died left behind shows in
the folder's delta and is told by its mark.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

from shared.adapters.graph.mailbox import Delta, FolderGoneError, LinkExpiredError, Mailbox
from shared.adapters.graph.transport import Graph, Meter
from shared.adapters.leases import Leases
from shared.adapters.mailbox_state import Head, MailboxStates
from shared.adapters.records import Store, Stored, results_of
from shared.adapters.snapshots import Desired, Snapshots, snapshot_id
from shared.domain.errors import Busy, Defect, NeedsAdmin
from shared.domain.guard import Guard
from shared.domain.messages import SyncMailbox, Task
from shared.domain.models import ContactCounts, Import
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
from shared.services.mailbox_work import LEASE, NOBODY_THERE, MailboxWork


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
        self._leases = Leases(store.tables)
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
        work = self._work(message, stored)
        if work.head.last_run == message.run and work.head.result:
            await work.record(work.head.result)
            return
        if work.head.leased(self._clock()):
            raise Busy("Another worker is at this mailbox.", LEASE.total_seconds() / 10)
        try:
            if message.task is Task.REMOVE:
                await self._remove(work)
            else:
                await self._sync(work)
        except NeedsAdmin as error:
            if error.reason in NOBODY_THERE:
                await self._free_seat(message.tenant, message.mailbox)
            await work.finish(work.refusal(error))
        except (FolderGoneError, LinkExpiredError) as error:
            work.learn(link=None)
            await work.release_head()
            raise Busy("The folder changed under our hands.", 1.0) from error
        except BaseException:
            await work.release_head()
            raise
        finally:
            await work.release_mailbox()

    def _work(self, message: SyncMailbox, stored: Stored[Head] | None) -> MailboxWork:
        meter = Meter()
        session = self._graph.session(message.tenant, meter)
        return MailboxWork(
            message=message,
            mailbox=Mailbox(session, message.mailbox, message.import_id),
            meter=meter,
            head=stored.value if stored else Head(),
            etag=stored.etag if stored else None,
            store=self._store,
            states=self._states,
            leases=self._leases,
            clock=self._clock,
            new_id=self._new_id,
        )

    async def _sync(self, work: MailboxWork) -> None:
        delta = await self._since_last_time(work)
        if delta and not delta.changes and work.head.fingerprint == work.message.fingerprint:
            work.learn(link=delta.link)
            counts = ContactCounts(unchanged=work.head.contacts)
            await work.finish(work.success(counts))
            return
        await work.take_lease()
        import_ = await self._import(work.message)
        desired = await self._desired(work.message)
        if await self._leave_old_place(work, import_):
            delta = None
        known = await work.known()
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
            await work.keep(known, fingerprint=None, link=None if surplus else link)
            await work.finish(work.held())
            return
        progress = Progress()
        try:
            await apply_plan(
                work.mailbox,
                plan.operations,
                progress,
                import_.destination.category,
                work.renew_lease,
            )
        except BaseException:
            # The link stays the old one: the next delta shows again what took effect just now.
            known = _after(known, progress)
            await work.keep(known, fingerprint=None, link=work.head.link)
            raise
        known = _after(known, progress)
        calm = not progress.vanished
        if plan.operations or link is None:
            known, settled, link = await self._settle(work, known, link)
            calm = calm and settled
        work.learn(rejected=tuple(progress.rejected))
        await work.keep(known, fingerprint=work.message.fingerprint if calm else None, link=link)
        counts = progress.counts + ContactCounts(unchanged=plan.unchanged)
        await work.finish(work.success(counts))

    async def _remove(self, work: MailboxWork) -> None:
        done = await self._store.results.get(
            results_of(work.message.tenant, work.message.run), work.message.mailbox
        )
        if done is not None:
            return
        await work.take_lease()
        counts = await self._take_out(work)
        result = work.success(counts)
        await work.record(result)
        await work.forget()

    async def _take_out(self, work: MailboxWork) -> ContactCounts:
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
            work, await work.known(), delta.changes, {}, complete=True
        )
        progress = Progress()
        plan = make_plan({}, known, surplus)
        await apply_plan(work.mailbox, plan.operations, progress, None, work.renew_lease)
        if own:
            await work.mailbox.remove_folder(folder)
        return progress.counts

    async def _since_last_time(self, work: MailboxWork) -> Delta | None:
        """The folder's delta; None if there is no folder or link yet, or not any more."""
        head = work.head
        if head.folder is None or head.link is None:
            return None
        work.mailbox.in_folder(head.folder if head.own_folder else None)
        try:
            return await work.mailbox.delta(head.folder, head.link)
        except LinkExpiredError:
            work.learn(link=None)
        except FolderGoneError:
            work.learn(folder=None, link=None, chunks=0)
        return None

    async def _leave_old_place(self, work: MailboxWork, import_: Import) -> bool:
        """Take our contacts out if the import now goes to another kind of folder."""
        head, to_own = work.head, import_.destination.folder is not None
        if head.folder is None or head.own_folder == to_own:
            return False
        await self._take_out(work)
        head = work.head
        work.head = Head(lease_owner=head.lease_owner, lease_until=head.lease_until)
        return True

    async def _open_folder(self, work: MailboxWork, import_: Import) -> bool:
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
        work.learn(folder=folder, own_folder=wanted is not None, folder_name=wanted)
        return new

    async def _observe(
        self,
        work: MailboxWork,
        known: KnownContacts,
        changes: tuple[Change, ...],
        desired: Desired,
        *,
        complete: bool,
    ) -> tuple[KnownContacts, tuple[str, ...]]:
        marks = await work.mailbox.marks(unknown_ids(known, changes))
        return observe(known, changes, marks, desired, complete=complete)

    async def _settle(
        self, work: MailboxWork, known: KnownContacts, link: str | None
    ) -> tuple[KnownContacts, bool, str | None]:
        """Read how the folder shows our own writes, so that the next idle run finds nothing."""
        folder = work.head.folder or await work.mailbox.default_folder()
        if folder is None:
            return known, True, None
        work.learn(folder=folder)
        delta = await work.mailbox.delta(folder, link)
        strangers = await work.mailbox.marks(unknown_ids(known, delta.changes))
        known, calm = settle(known, delta.changes)
        # A second contact of ours: do not let this link hide it, the next run looks at everything.
        return known, calm and not strangers, None if strangers else delta.link

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


def _after(known: KnownContacts, progress: Progress) -> KnownContacts:
    current = applied(known, progress.done)
    for key in progress.vanished:
        current.pop(key, None)
    return current
