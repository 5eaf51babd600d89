"""Syncs one mailbox to its run's snapshot, or removes our contacts from it.

If nothing has changed, this costs one Graph request and no lease. Otherwise the mailbox is leased,
so that only one worker writes to it, of any import. Anything that a crashed worker left behind
shows in the folder's delta and is recognized by its mark.
"""

import functools
import logging
import operator
from dataclasses import replace
from itertools import batched

from shared.adapters.graph.batch import BATCH_SIZE
from shared.adapters.graph.mailbox import Delta, FolderGoneError, LinkExpiredError
from shared.adapters.storage.mailbox_state import HeldPlan
from shared.adapters.storage.records import Store, results_of
from shared.adapters.storage.snapshots import Desired, Snapshots, snapshot_id
from shared.domain.contacts.plan import (
    DELETED_BY_USER,
    KnownContacts,
    Policy,
    SetPhoto,
    applied,
    photos_due,
    settle,
    unknown_ids,
)
from shared.domain.errors import Busy, Defect, NeedsAdmin, Paced
from shared.domain.importing.imports import Import
from shared.domain.importing.messages import SyncMailbox, Task
from shared.domain.importing.runs import ContactCounts, Outcome, Result, RunStatus
from shared.domain.reasons import Reason
from shared.services.licensing.seats import SeatBook
from shared.services.sync.applying import ApplyProgress, apply_plan
from shared.services.sync.mailbox_place import (
    color_category,
    leave_old_place,
    open_folder,
    take_out,
)
from shared.services.sync.mailbox_planning import Planned, plan_mailbox, policy_of, since_last_time
from shared.services.sync.mailbox_work import NOBODY_THERE, MailboxWork
from shared.services.sync.mailboxes import Mailboxes
from shared.services.sync.threads import run_in_thread_if_large
from shared.services.tenancy.tenants import Tenants

_log = logging.getLogger(__name__)


class MailboxSync:
    """Syncs mailboxes; each call is one message of the queue `mailbox-syncs`."""

    def __init__(
        self,
        store: Store,
        mailboxes: Mailboxes,
        snapshots: Snapshots,
        seats: SeatBook,
        tenants: Tenants,
    ) -> None:
        self._store = store
        self._mailboxes = mailboxes
        self._snapshots = snapshots
        self._seats = seats
        self._tenants = tenants

    async def run(self, message: SyncMailbox) -> None:
        """Do what the message asks and record the result. Safe to repeat at any point.

        Raises `TransientError` if the message must be retried later (progress is kept) and `Defect`
        for errors in our code; every other error becomes the mailbox's result.
        """
        work = await self._mailboxes.open(message)
        done = work.head.result if work.head.last_run == message.run else None
        if done is not None and done.outcome is not Outcome.HELD:
            await work.restore(done)
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
                work.head = work.head.copy_with(folder=None, chunks=0)
            work.head = work.head.copy_with(link=None)
            await work.save()
            raise Busy("The folder changed under our hands.", 1.0) from error
        finally:
            await work.release()

    async def _refuse(self, work: MailboxWork, error: NeedsAdmin) -> None:
        message = work.message
        _log.info(
            "mailbox %s of run %s: %s (%s)",
            message.mailbox,
            message.run,
            error.reason,
            error.detail,
        )
        nobody = error.reason in NOBODY_THERE
        if nobody:
            await self._seats.release(message.tenant, message.mailbox)
        if error.reason is Reason.CONSENT_MISSING:
            await self._tenants.check_consent(message.tenant)
        if error.reason is Reason.IMPORT_DELETED:
            run = await self._store.runs.get(message.tenant, message.run)
            if run is None:
                # The tenant left meanwhile: no data about it may be stored any more.
                return
        if nobody and message.task is Task.REMOVE:
            # Our contacts were deleted with the mailbox.
            await work.record(work.refusal(error))
            await work.forget()
        else:
            await work.finish(work.refusal(error))

    async def _sync(self, work: MailboxWork) -> None:
        delta = await since_last_time(work)
        if delta and not delta.changes and work.head.fingerprint == work.message.fingerprint:
            work.head = work.head.copy_with(link=delta.link)
            await work.finish(work.success(ContactCounts(unchanged=work.head.contacts)))
            return
        import_ = await self._import(work.message)
        desired = await self._desired(work.message)
        await work.take_lease(functools.reduce(operator.or_, (c.mask for c in desired.values()), 0))
        if await leave_old_place(work, import_.destination):
            delta = None
        await self._bring_up_to_date(work, import_, desired, delta)

    async def _bring_up_to_date(
        self, work: MailboxWork, import_: Import, desired: Desired, delta: Delta | None
    ) -> None:
        folder_is_new = await open_folder(work, import_.destination)
        planned = await plan_mailbox(work, import_, desired, delta, empty=folder_is_new)
        waiting = await self._waiting(work, planned)
        if waiting is not None:
            await work.keep(planned.known, fingerprint=None, link=planned.link)
            await work.finish(waiting)
            return
        await color_category(work, import_)
        await self._carry_out(work, import_, planned, desired)

    async def _carry_out(
        self, work: MailboxWork, import_: Import, planned: Planned, desired: Desired
    ) -> None:
        progress, category = ApplyProgress(), import_.destination.category
        plan, before, link = planned.plan, planned.known, planned.link
        try:
            await apply_plan(work.mailbox, plan.operations, progress, category, work.may_send)
            if import_.photos is not None:
                known = _after(before, progress)
                await self._send_photos(work, photos_due(desired, known), progress)
        except Paced:
            # There is time to read our own writes, so the next try continues where this one ends.
            known, _, link = await self._settle(
                work, _after(before, progress), link, policy_of(import_)
            )
            await work.give_back(known, link, progress.counts, progress.photos)
            raise
        except BaseException:
            # Keep the old link, so that the next delta shows again what has just taken effect.
            known, link = _after(before, progress), work.head.link
            await work.give_back(known, link, progress.counts, progress.photos)
            raise
        known = _after(before, progress)
        calm = not (progress.vanished or progress.rejected or work.head.notice)
        policy = policy_of(import_)
        if progress.done or link is None:
            known, settled, link = await self._settle(work, known, link, policy)
            calm = calm and settled
        work.head = work.head.copy_with(
            rejected=tuple(progress.rejected),
            held=None,
            category=category,
            keep_edits=policy.keep_edits,
        )
        await work.keep(known, fingerprint=work.message.fingerprint if calm else None, link=link)
        counts = progress.counts + ContactCounts(unchanged=plan.unchanged)
        await work.finish(work.success(counts, progress.photos))

    async def _send_photos(
        self, work: MailboxWork, photos: tuple[SetPhoto, ...], progress: ApplyProgress
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

    async def _waiting(self, work: MailboxWork, planned: Planned) -> Result | None:
        """Return the result of a plan that must wait for an admin, or None if it may run.

        A plan for which an earlier run already asked is not asked about again.
        """
        plan, objection = planned.plan, planned.objection
        if objection is None:
            return None
        run, held = work.message.run, work.head.held
        if held is None or held.risk != plan.risk:
            work.head = work.head.copy_with(held=HeldPlan(risk=plan.risk, run=run))
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

    async def _settle(
        self, work: MailboxWork, known: KnownContacts, link: str | None, policy: Policy
    ) -> tuple[KnownContacts, bool, str | None]:
        """Read our own writes from the folder's delta; the next idle run then finds nothing."""
        folder = work.head.folder or await work.mailbox.default_folder()
        if folder is None:
            return known, True, None
        work.head = work.head.copy_with(folder=folder)
        delta = await work.mailbox.delta(folder, link)
        strangers = await work.mailbox.marks(unknown_ids(known, delta.changes))
        known, calm = await run_in_thread_if_large(
            len(delta.changes), settle, known, delta.changes, policy
        )
        # A duplicate of ours must not be hidden by this link: the next run reads the whole folder.
        return known, calm and not strangers, None if strangers else delta.link

    async def _import(self, message: SyncMailbox) -> Import:
        found = await self._store.imports.get(message.tenant, message.import_id)
        if found is None or found.value.removing:
            # A late message must not bring back contacts that were removed.
            raise NeedsAdmin(Reason.IMPORT_DELETED, f"Import {message.import_id} was deleted.")
        return found.value

    async def _desired(self, message: SyncMailbox) -> Desired:
        desired = await self._snapshots.read(snapshot_id(message.tenant, message.run))
        if desired is None:
            note = "The run's snapshot is not there."
            raise Defect(note)
        return desired


def _after(known: KnownContacts, progress: ApplyProgress) -> KnownContacts:
    current = applied(known, progress.done)
    for key in progress.vanished:
        current[key] = DELETED_BY_USER
    return current
