"""Bringing one mailbox to its run's snapshot, or taking our contacts out of it.

Nothing to do costs one Graph request and no lease. Otherwise the mailbox is leased, so that one
worker at a time writes to it, of whatever import; whatever a worker that died left behind shows
in the folder's delta and is told by its mark.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from itertools import batched

from shared.adapters.graph.batch import BATCH_SIZE
from shared.adapters.graph.mailbox import Delta, FolderGoneError, LinkExpiredError, Mailbox
from shared.adapters.graph.transport import Graph, Meter
from shared.adapters.leases import Leases
from shared.adapters.mailbox_state import Head, HeldPlan, MailboxStates
from shared.adapters.records import Store, Stored, results_of
from shared.adapters.snapshots import Desired, Snapshots, snapshot_id
from shared.domain.errors import Busy, Defect, NeedsAdmin
from shared.domain.guard import Guard
from shared.domain.messages import SyncMailbox, Task
from shared.domain.models import ContactCounts, Import, Outcome, Result, RunStatus
from shared.domain.plan import (
    DELETED_BY_USER,
    KnownContacts,
    Plan,
    Policy,
    SetPhoto,
    applied,
    make_plan,
    photos_due,
    relabelled,
    settle,
    unknown_ids,
)
from shared.domain.reasons import Reason
from shared.services.applying import Progress, apply_plan
from shared.services.background import aside
from shared.services.mailbox_place import color_category, leave_old_place, open_folder, take_out
from shared.services.mailbox_work import NOBODY_THERE, MailboxWork, count_of


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
        done = work.head.result if work.head.last_run == message.run else None
        if done is not None and done.outcome is not Outcome.HELD:
            await work.record(done)
            return
        try:
            if message.task is Task.REMOVE:
                await self._remove(work)
            else:
                await self._sync(work)
        except NeedsAdmin as error:
            await self._refuse(work, error)
        except (FolderGoneError, LinkExpiredError) as error:
            if isinstance(error, FolderGoneError):
                work.learn(folder=None, chunks=0)
            work.learn(link=None)
            await work.save()
            raise Busy("The folder changed under our hands.", 1.0) from error
        finally:
            await work.release()

    async def _refuse(self, work: MailboxWork, error: NeedsAdmin) -> None:
        message = work.message
        nobody = error.reason in NOBODY_THERE
        if nobody:
            await self._free_seat(message.tenant, message.mailbox)
        if nobody and message.task is Task.REMOVE:
            # Our contacts went with the mailbox.
            await work.record(work.refusal(error))
            await work.forget()
        else:
            await work.finish(work.refusal(error))

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
            await work.finish(work.success(ContactCounts(unchanged=work.head.contacts)))
            return
        await work.take_lease()
        import_ = await self._import(work.message)
        desired = await self._desired(work.message)
        if await leave_old_place(work, import_.destination):
            delta = None
        await self._bring_up_to_date(work, import_, desired, delta)

    async def _bring_up_to_date(
        self, work: MailboxWork, import_: Import, desired: Desired, delta: Delta | None
    ) -> None:
        destination, policy = import_.destination, policy_of(import_)
        known = await work.known()
        folder_is_new = await open_folder(work, destination)
        if needs_whole_folder(work.head, import_):
            delta = None
        complete = delta is None
        if delta is None and work.head.folder is not None and not folder_is_new:
            delta = await work.mailbox.delta(work.head.folder)
        changes = delta.changes if delta else ()
        link = delta.link if delta else None
        known, surplus = await work.observe(known, changes, desired, policy, complete=complete)
        labels = (
            relabelled(known, changes, work.head.category, destination.category)
            if work.head.category != destination.category
            else None
        )
        plan = await aside(len(desired), make_plan, desired, known, surplus, policy, labels)
        waiting = await self._waiting(work, import_, plan, count_of(known))
        if waiting is not None:
            # A surplus contact is in no state: without a link the next run finds it again.
            await work.keep(known, fingerprint=None, link=None if surplus else link)
            await work.finish(waiting)
            return
        await color_category(work, destination)
        await self._carry_out(work, import_, plan, known, desired, link)

    async def _carry_out(
        self,
        work: MailboxWork,
        import_: Import,
        plan: Plan,
        known: KnownContacts,
        desired: Desired,
        link: str | None,
    ) -> None:
        progress, category = Progress(), import_.destination.category
        before = known
        try:
            await apply_plan(work.mailbox, plan.operations, progress, category, work.may_send)
            if import_.photos is not None:
                known = _after(before, progress)
                await self._send_photos(work, photos_due(desired, known), progress)
        except BaseException:
            # The link stays the old one: the next delta shows again what took effect just now.
            await work.keep(_after(before, progress), fingerprint=None, link=work.head.link)
            await work.save()
            raise
        known = _after(before, progress)
        calm = not (progress.vanished or progress.rejected or work.head.notice)
        policy = policy_of(import_)
        if progress.done or link is None:
            known, settled, link = await self._settle(work, known, link, policy)
            calm = calm and settled
        work.learn(
            rejected=tuple(progress.rejected),
            held=None,
            category=category,
            keep_edits=policy.keep_edits,
        )
        await work.keep(known, fingerprint=work.message.fingerprint if calm else None, link=link)
        counts = progress.counts + ContactCounts(unchanged=plan.unchanged)
        await work.finish(work.success(counts))

    async def _send_photos(
        self, work: MailboxWork, photos: tuple[SetPhoto, ...], progress: Progress
    ) -> None:
        snapshot = snapshot_id(work.message.tenant, work.message.run)
        for chunk in batched(photos, BATCH_SIZE, strict=False):
            loaded = []
            for photo in chunk:
                image = await self._snapshots.photo(snapshot, photo.digest)
                if image is None:
                    note = "A photo of the run's snapshot is not there."
                    raise Defect(note)
                loaded.append(replace(photo, image=image))
            await apply_plan(work.mailbox, loaded, progress, None, work.may_send)

    async def _waiting(
        self, work: MailboxWork, import_: Import, plan: Plan, known: int
    ) -> Result | None:
        """The result of a plan that has to wait for an admin, or None if it may run.

        A plan that an earlier run asked about is not asked about again.
        """
        limits = import_.guard
        guard = Guard(limits.deletes, limits.delete_share, limits.changes, limits.change_share)
        objection = guard.objection(plan, known)
        if objection is None:
            return None
        run, held = work.message.run, work.head.held
        if held is None or held.risk != plan.risk:
            work.learn(held=HeldPlan(risk=plan.risk, run=run))
            return work.held(objection, plan)
        asked = await self._store.runs.get(work.message.tenant, held.run)
        if asked is not None and asked.value.approved:
            return None
        if asked is not None and asked.value.status is RunStatus.DISCARDED:
            return work.left_alone(Reason.PLAN_DISCARDED, held.run)
        if held.run == run:
            return work.held(objection, plan)
        return work.left_alone(Reason.APPROVAL_PENDING, held.run)

    async def _remove(self, work: MailboxWork) -> None:
        run = results_of(work.message.tenant, work.message.run)
        if await self._store.results.get(run, work.message.mailbox) is not None:
            return
        await work.take_lease()
        counts = await take_out(work)
        result = work.success(counts)
        await work.record(result)
        await work.forget()

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

    async def _settle(
        self, work: MailboxWork, known: KnownContacts, link: str | None, policy: Policy
    ) -> tuple[KnownContacts, bool, str | None]:
        """Read how the folder shows our own writes, so that the next idle run finds nothing."""
        folder = work.head.folder or await work.mailbox.default_folder()
        if folder is None:
            return known, True, None
        work.learn(folder=folder)
        delta = await work.mailbox.delta(folder, link)
        strangers = await work.mailbox.marks(unknown_ids(known, delta.changes))
        known, calm = await aside(len(delta.changes), settle, known, delta.changes, policy)
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


def policy_of(import_: Import) -> Policy:
    """How the import meets what a mailbox's user does to our contacts."""
    conflicts = import_.conflicts
    return Policy(conflicts.deleted == "restore", conflicts.edited == "keep")


def needs_whole_folder(head: Head, import_: Import) -> bool:
    """Whether each contact has to be looked at: its category changes, or edits are kept from now.

    Neither shows in what changed since the last time.
    """
    starts_to_keep = policy_of(import_).keep_edits and not head.keep_edits
    return head.category != import_.destination.category or starts_to_keep


def _after(known: KnownContacts, progress: Progress) -> KnownContacts:
    current = applied(known, progress.done)
    for key in progress.vanished:
        current[key] = DELETED_BY_USER
    return current
