"""Syncs one mailbox to its run's snapshot, or removes our contacts from it.

The mailbox is leased first, so that only one worker, of any import, writes to it. If nothing has
changed, it costs one Graph request. Anything that a crashed worker left behind shows in the
folder's delta and is recognized by its mark.
"""

import functools
import logging
import operator
from dataclasses import replace
from itertools import batched
from typing import Final

from shared.adapters.graph.batch import BATCH_SIZE
from shared.adapters.graph.mailboxes.answers import FolderGoneError, LinkExpiredError
from shared.adapters.graph.mailboxes.mailbox import Delta
from shared.adapters.storage.mailboxes.mailbox_contacts import ContactRows
from shared.adapters.storage.snapshots import Desired, Snapshots
from shared.adapters.storage.store import Store
from shared.domain.contacts.plan import SetPhoto, photos_due
from shared.domain.errors import Busy, Defect, NeedsAdmin
from shared.domain.importing.imports import Import
from shared.domain.importing.messages import SyncMailbox, Task
from shared.domain.importing.runs import ContactCounts, Outcome
from shared.domain.reasons import Reason
from shared.domain.tenancy.missing_mailboxes import MISSING
from shared.services.licensing.missing_mailboxes import MissingMailboxes
from shared.services.sharing.publications import Publications
from shared.services.sync import mailbox_removal, mailbox_results
from shared.services.sync.applying import ApplyProgress
from shared.services.sync.mailbox_holding import Division, divided
from shared.services.sync.mailbox_place import (
    FirstLook,
    clear_other_place,
    color_category,
    leave_old_place,
    look_first,
    open_folder,
)
from shared.services.sync.mailbox_planning import Planned, plan_mailbox, policy_of, since_last_time
from shared.services.sync.mailbox_returns import note_departed
from shared.services.sync.mailbox_work import MailboxWork, SupersededError
from shared.services.sync.mailbox_writing import Writing
from shared.services.sync.mailboxes import Mailboxes
from shared.services.tenancy.tenants import Tenants

_log = logging.getLogger(__name__)
_SAMPLE: Final = 4
"""Contacts that are looked for before a mailbox is filled: Outlook runs four requests at once."""


class MailboxSync:
    """Syncs mailboxes; each call is one message of the queue `mailbox-syncs`."""

    def __init__(
        self,
        store: Store,
        mailboxes: Mailboxes,
        snapshots: Snapshots,
        missing: MissingMailboxes,
        tenants: Tenants,
        publications: Publications,
    ) -> None:
        self._store = store
        self._mailboxes = mailboxes
        self._snapshots = snapshots
        self._missing = missing
        self._tenants = tenants
        self._publications = publications

    async def run(self, message: SyncMailbox) -> None:
        """Do what the message asks and record the result. Safe to repeat at any point.

        Work of a run that is not its import's open one ends without a result. Raises
        `TransientError` if the message must be retried later (progress is kept) and `Defect` for
        errors in our code; every other error becomes the mailbox's result.
        """
        work = await self._mailboxes.open(message)
        try:
            if not await self._ended(work):
                await self._do(work)
        except SupersededError:
            _log.info("mailbox %s: run %s is not open", message.mailbox, message.run)
        except NeedsAdmin as error:
            await self._refuse(work, error)
        except (FolderGoneError, LinkExpiredError) as error:
            if isinstance(error, FolderGoneError):
                work.head = work.head.copy_with(folder=None, rows=ContactRows())
            work.head = work.head.copy_with(link=None)
            await work.save()
            raise Busy("The folder changed under our hands.", 1.0) from error
        except Exception:
            raise
        except BaseException:
            # Cancelled: nobody knows what becomes of the request that was under way.
            work.mailbox.unanswered = True
            raise
        finally:
            await work.release()

    async def _ended(self, work: MailboxWork) -> bool:
        """Return whether a newer run was here, or this one has its result already."""
        message, head = work.message, work.head
        result = head.result if head.last_run == message.run else None
        if result is not None and result.number == message.number:
            if await work.is_open():
                await work.restore(result)
                if message.task is Task.REMOVE and result.outcome is Outcome.SUCCEEDED:
                    await work.forget()
            return True
        # Tables that were restored to an older day may give a number again: then the run counts.
        return head.number > message.number and not await work.is_open()

    async def _do(self, work: MailboxWork) -> None:
        message = work.message
        if message.task is Task.REMOVE:
            await mailbox_removal.remove(work)
            return
        job = await self._snapshots.job(message.snapshot)
        desired = await self._snapshots.read(message.snapshot)
        if job is None or desired is None:
            if not await work.is_open():
                return
            note = "The run's snapshot is not there."
            raise Defect(note)
        if message.task is Task.PURGE:
            suppressed = await self._publications.suppressed(message.tenant, job.settings.share_id)
            await mailbox_removal.purge(work, suppressed)
            return
        if message.mailbox in job.asked_again:
            await self._require_mailbox(work)
        await self._sync(work, job.settings, desired)

    async def _require_mailbox(self, work: MailboxWork) -> None:
        """Check whether a mailbox that was missing exists now, and only then take a license.

        Raises `NeedsAdmin` if it is still missing, or if no license is free.
        """
        await work.mailbox.default_folder()
        if not await work.is_open():
            raise SupersededError
        if not await self._missing.found(work.message, work.message.mailbox):
            raise NeedsAdmin(Reason.NO_SEAT, "All licenses are assigned.")

    async def _refuse(self, work: MailboxWork, error: NeedsAdmin) -> None:
        message = work.message
        _log.info(
            "mailbox %s of run %s: %s (%s)",
            message.mailbox,
            message.run,
            error.reason,
            error.detail,
        )
        nobody = error.reason in MISSING
        if error.reason is Reason.CONSENT_MISSING:
            await self._tenants.check_consent(message.tenant)
        if not await work.is_open():
            if not work.mailbox.wrote:
                await work.put_back()
            return
        if nobody and message.task is not Task.SYNC:
            await mailbox_removal.keep_unreachable(work, error)
            return
        if nobody and message.task is Task.SYNC:
            job = await self._snapshots.job(message.snapshot)
            entry = job.asked_again.get(message.mailbox, "") if job is not None else ""
            await self._missing.note(message, message.mailbox, error.reason, entry)
        if work.before is None and not work.mailbox.wrote:
            # Nothing of ours can be in this mailbox: no later removal need look.
            await work.put_back()
            await work.record(mailbox_results.refusal(work, error))
        else:
            await work.finish(mailbox_results.refusal(work, error))

    async def _sync(self, work: MailboxWork, import_: Import, desired: Desired) -> None:
        delta = await since_last_time(work)
        same = work.head.fingerprint == work.message.fingerprint and not work.mailbox.surplus
        if delta and not delta.changes and same:
            if not await work.is_open():
                return
            work.head = work.head.copy_with(link=delta.link, unreachable=None)
            counts = ContactCounts(unchanged=work.head.contacts)
            await work.finish(mailbox_results.success(work, counts))
            return
        if work.before is None:
            # The intent also says where: a removal looks there if this worker dies.
            own = import_.destination.folder is not None
            work.head = work.head.copy_with(own_folder=own)
        await work.intend(functools.reduce(operator.or_, (c.mask for c in desired.values()), 0))
        if await leave_old_place(work, import_.destination):
            delta = None
        await self._bring_up_to_date(work, import_, desired, delta)

    async def _bring_up_to_date(
        self, work: MailboxWork, import_: Import, desired: Desired, delta: Delta | None
    ) -> None:
        policy, category = policy_of(import_), import_.destination.category
        first = await look_first(work, import_.destination, list(desired)[:_SAMPLE])
        folder_is_new = await open_folder(work, import_.destination, first)
        if folder_is_new:
            # All contacts in it will have the category, and show which fields a user edits.
            work.head = work.head.copy_with(category=category, keep_edits=policy.keep_edits)
        planned = await plan_mailbox(work, import_, desired, delta, empty=folder_is_new)
        elsewhere = await _keys_elsewhere(work, planned, desired, first)
        progress = ApplyProgress(patient=work.patient)
        ids = {entry.id for entry in (await work.known()).values()}
        if elsewhere and await clear_other_place(work, elsewhere, progress, ids):
            # What is missing here was not deleted by the user.
            work.forget_contacts()
            planned = await plan_mailbox(work, import_, desired, None, empty=folder_is_new)
        division = await divided(work, self._store, planned)
        await color_category(work, import_)
        await self._carry_out(work, import_, planned, division, desired)

    async def _carry_out(
        self,
        work: MailboxWork,
        import_: Import,
        planned: Planned,
        division: Division,
        desired: Desired,
    ) -> None:
        """Apply the part that does not wait, and record the part that does."""
        category, policy = import_.destination.category, policy_of(import_)
        progress = ApplyProgress(patient=work.patient)
        writing = Writing(work, planned.known, planned.link, policy, progress)
        await writing.apply(division.now.operations, category)
        all_sent = True
        if import_.photos is not None:
            due = photos_due(desired, writing.known)
            all_sent = await self._send_photos(work, import_, import_.photos.edge, due, writing)
        calm = all_sent and not (progress.vanished or progress.rejected or work.head.notice)
        if (progress.done or writing.link is None) and not await writing.settle():
            # A duplicate of ours must not be hidden by this link: the next run reads everything.
            writing.link = None
        calm = calm and writing.calm and not division.held
        await note_departed(work)
        fingerprint = work.message.fingerprint if calm else None
        work.head = work.head.copy_with(
            begun=0,
            held=division.held,
            category=category,
            keep_edits=policy.keep_edits,
            unreachable=None,
        )
        await work.keep(writing.known, fingerprint=fingerprint, link=writing.link)
        counts = progress.counts + ContactCounts(unchanged=planned.plan.unchanged)
        result = mailbox_results.success(work, counts, progress.photos, progress.rejected)
        await work.finish(division.told(result))

    async def _send_photos(
        self,
        work: MailboxWork,
        import_: Import,
        edge: int,
        photos: tuple[SetPhoto, ...],
        writing: Writing,
    ) -> bool:
        """Send photos; return whether all could be read. The next run tries the others again."""
        snapshot, all_read = work.message.snapshot, True
        for chunk in batched(photos, BATCH_SIZE, strict=False):
            images = {p.key: await self._snapshots.photo(snapshot, p.digest) for p in chunk}
            missing = [photo for photo in chunk if images[photo.key] is None]
            if missing:
                if not await work.is_open():
                    raise SupersededError
                # The snapshot holds only changed photos; this mailbox lacks older ones.
                again = await self._publications.photos(
                    work.message.tenant,
                    import_.share_id,
                    [photo.key for photo in missing],
                    edge,
                    work.meter,
                )
                for photo in missing:
                    if image := again.get(photo.key):
                        images[photo.key] = image
                        self._snapshots.hold_photo(snapshot, photo.digest, image)
            loaded = [replace(p, image=image) for p in chunk if (image := images[p.key])]
            await writing.apply(loaded)
            all_read = all_read and len(loaded) == len(chunk)
        return all_read


async def _keys_elsewhere(
    work: MailboxWork, planned: Planned, desired: Desired, first: FirstLook | None
) -> list[str]:
    """Return contacts that may be in the kind of folder that the import does not use.

    Only restored tables can be so wrong. It shows in contacts or a folder that are gone; before a
    mailbox is filled for the first time nothing can show it, so a few contacts are looked for.
    """
    known = await work.known()
    if first is not None and not first.contacts:
        return []
    if not known:
        return list(desired)[: BATCH_SIZE if work.head.contacts else _SAMPLE]
    here = {key for key, entry in planned.known.items() if entry.id}
    return [key for key in desired if key not in here and key in known and known[key].id]
