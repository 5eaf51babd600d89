"""Removing contacts from a mailbox: all of an import's, or those of people removed everywhere.

A removal forgets a mailbox only once nothing of ours can be in it, or still come into it.
"""

from collections.abc import Collection
from datetime import timedelta

from shared.adapters.graph.mailboxes.answers import FolderGoneError, LinkExpiredError
from shared.adapters.graph.mailboxes.mailbox import Delta
from shared.adapters.storage.store import results_of
from shared.domain.contacts.known import DEFAULT_POLICY, unknown_ids
from shared.domain.contacts.plan import Delete
from shared.domain.errors import Busy, NeedsAdmin, TransientError
from shared.domain.importing.runs import ContactCounts
from shared.domain.tenancy.missing_mailboxes import UNREACHABLE_FOR
from shared.services.sync.applying import ApplyProgress
from shared.services.sync.mailbox_place import delete_away, remove_contacts
from shared.services.sync.mailbox_results import refusal, success
from shared.services.sync.mailbox_work import MailboxWork
from shared.services.sync.mailbox_writing import Writing


async def remove(work: MailboxWork) -> None:
    """Remove all of the import's contacts, and forget the mailbox.

    Raises `Busy` if a request of a worker that died may still take effect: the mailbox is then
    looked at again after that time.
    """
    message = work.message
    if work.before is None:
        partition = results_of(message.tenant, message.run)
        known = await work.store.results.get(partition, message.mailbox)
        if known is not None and known.value.number == message.number:
            return  # removed and forgotten before
    await work.intend()
    progress = ApplyProgress(patient=work.patient)
    try:
        await remove_contacts(work, progress)
    except TransientError:
        await work.save_counts(progress.counts)
        raise
    unsettled = work.lease.unsettled(work.clock()) if work.lease is not None else timedelta()
    if unsettled:
        await work.save_counts(progress.counts)
        raise Busy(
            "A request of an earlier worker may still take effect.", unsettled.total_seconds()
        )
    work.head = work.head.copy_with(unreachable=None)
    await work.finish(success(work, progress.counts))
    await work.forget()


async def keep_unreachable(work: MailboxWork, error: NeedsAdmin) -> None:
    """Keep the head of a mailbox that is gone: Exchange may give it back with our contacts.

    After `UNREACHABLE_FOR`, it counts as gone.
    """
    now = work.clock()
    since = work.head.unreachable or now
    if work.before is None:
        await work.put_back()
        await work.record(refusal(work, error))
        return
    work.head = work.head.copy_with(unreachable=since)
    await work.finish(refusal(work, error))
    if now - since >= UNREACHABLE_FOR:
        await work.forget()


async def purge(work: MailboxWork, suppressed: Collection[str]) -> None:
    """Remove the contacts of `suppressed` people (contact keys), and nothing else.

    Whatever is known to us or bears our mark goes, whatever the guard says. The delta link stays as
    it is, so that the next run sees all that its user did.
    """
    if work.before is None:
        await work.record(success(work, ContactCounts()))
        return
    await work.intend()
    known, changed = await work.known(), set[str]()
    doomed = {entry.id: key for key, entry in known.items() if entry.id and key in suppressed}
    delta = await _delta(work)
    if delta is not None:
        changed = {change.id for change in delta.changes}
        marks = await work.marks(unknown_ids(known, delta.changes))
        doomed.update({id_: mark.key for id_, mark in marks.items() if mark.key in suppressed})
    progress = ApplyProgress(patient=work.patient)
    writing = Writing(work, known, work.head.link, DEFAULT_POLICY, progress)
    # A contact that is not the known one of its key is deleted without touching what we know.
    operations = [
        Delete(key, id_, known[key].only_ours and id_ not in changed)
        if key in known and known[key].id == id_
        else Delete("", id_)
        for id_, key in doomed.items()
    ]
    await writing.apply(operations)
    await _purge_away(work, suppressed, progress)
    await work.keep(writing.known, fingerprint=None, link=work.head.link)
    work.head = work.head.copy_with(unreachable=None)
    await work.finish(success(work, progress.counts))


async def _purge_away(
    work: MailboxWork, suppressed: Collection[str], progress: ApplyProgress
) -> None:
    """Remove the contacts of `suppressed` people that the user moved out of our folder."""
    if work.head.away:
        work.mailbox.in_folder(None)
        marks = await work.marks(work.head.away)
        doomed = [id_ for id_, mark in marks.items() if mark.key in suppressed]
        await delete_away(work, doomed, progress)


async def _delta(work: MailboxWork) -> Delta | None:
    """Read what is new in the folder, or all of it; None if there is no folder."""
    own = work.head.own_folder
    folder = work.head.folder or (
        await work.mailbox.find_folder() if own else await work.mailbox.default_folder()
    )
    if folder is None:
        return None
    work.mailbox.in_folder(folder if own else None)
    try:
        return await work.mailbox.delta(folder, work.head.link)
    except LinkExpiredError:
        work.head = work.head.copy_with(link=None)
        return await work.mailbox.delta(folder)
    except FolderGoneError:
        return None
