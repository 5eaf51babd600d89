"""Where an import's contacts are in a mailbox: its folder and category, and removing both."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from shared.adapters.graph.batch import BATCH_SIZE
from shared.adapters.graph.mailboxes.answers import FolderGoneError
from shared.adapters.storage.mailboxes.mailbox_contacts import ContactRows
from shared.adapters.storage.mailboxes.mailbox_state import Head
from shared.domain.contacts.known import DEFAULT_POLICY, KnownContacts
from shared.domain.contacts.plan import Delete, make_plan
from shared.domain.errors import NeedsAdmin, Unavailable
from shared.domain.importing.imports import Destination, Import
from shared.domain.reasons import Reason
from shared.domain.tenancy.missing_mailboxes import MISSING
from shared.services.sync.applying import ApplyProgress, apply_plan
from shared.services.sync.mailbox_work import MailboxWork


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What a mailbox holds before it is filled: our folder, if it exists, and `contacts` of ours.

    These are in the default folder, and can be there only after tables were restored.
    """

    folder: str | None
    contacts: bool


async def look_first(
    work: MailboxWork, destination: Destination, keys: Sequence[str]
) -> FirstLook | None:
    """Look into a mailbox before it is filled; None if it was filled, or gets no folder of ours."""
    head = work.head
    if destination.folder is None or head.folder is not None or head.contacts or head.rows.names:
        return None
    await work.hold_lease()
    folder, found = await work.mailbox.look_first(keys)
    return FirstLook(folder, bool(found))


async def open_folder(
    work: MailboxWork, destination: Destination, first: FirstLook | None = None
) -> bool:
    """Find, create or rename the import's folder; return whether it is new (and so empty)."""
    wanted = destination.folder
    await work.hold_lease()
    await _require_in_place(work)
    head, new = work.head, False
    folder = head.folder
    if folder is None and wanted is not None:
        folder = first.folder if first is not None else await work.mailbox.find_folder()
        if folder is None:
            folder, new = await work.mailbox.create_folder(wanted), True
    elif folder is None:
        folder = await work.mailbox.default_folder()
    elif wanted is not None and wanted != head.folder_name:
        await work.mailbox.rename_folder(folder, wanted)
    work.mailbox.in_folder(folder if wanted is not None else None)
    work.head = work.head.copy_with(
        folder=folder, own_folder=wanted is not None, folder_name=wanted
    )
    if folder is not None and (home := work.mailbox.parents.get(folder)):
        work.head = work.head.copy_with(home=home, looked=work.clock())
    await _empty_surplus(work, folder)
    work.mailbox.in_folder(folder if wanted is not None else None)
    return new


async def _empty_surplus(work: MailboxWork, folder: str | None) -> None:
    """Remove our contacts from folders that their user restored after we had made another one."""
    for other in work.mailbox.surplus:
        if other != folder:
            progress = ApplyProgress(patient=work.patient)
            try:
                await _empty(work, other, progress, own=True, known={})
            except NeedsAdmin as error:
                if error.reason is not Reason.CONTACTS_REJECTED:
                    raise
    work.mailbox.surplus = ()


async def _require_in_place(work: MailboxWork) -> None:
    """Forget our folder if its user deleted it, unless this invocation has already looked."""
    head = work.head
    looked = head.looked is not None and head.looked >= work.started
    if head.folder is None or not head.own_folder or not head.home or looked:
        return
    try:
        await work.mailbox.require_in_place(head.folder, head.home)
        work.head = head.copy_with(looked=work.clock())
    except FolderGoneError:
        work.head = head.copy_with(folder=None, link=None, rows=ContactRows())


async def leave_old_place(work: MailboxWork, destination: Destination) -> bool:
    """Remove our contacts if the import now uses another kind of folder."""
    head, to_own = work.head, destination.folder is not None
    if work.before is None or head.own_folder == to_own:
        return False
    await remove_contacts(work, ApplyProgress(patient=work.patient))
    work.head = Head(number=head.number, begun=head.begun, partial=head.partial, own_folder=to_own)
    # If this worker dies from here on, a removal looks where we write now.
    await work.save()
    return True


async def remove_contacts(work: MailboxWork, progress: ApplyProgress) -> None:
    """Delete all of our contacts, our folder if it holds nothing else, and then our category.

    `progress` grows as contacts are deleted. Raises `NeedsAdmin` if Graph refuses to delete some.
    """
    await _remove_from_folder(work, progress)
    try:
        await _drop_category(work)
    except Unavailable:
        if work.patient:
            raise


async def _remove_from_folder(work: MailboxWork, progress: ApplyProgress) -> None:
    """Delete our contacts from where the head says, and what is not there from the other place."""
    own = work.head.own_folder
    ours = await work.mailbox.own_folders() if own else []
    folder = work.head.folder or next(iter(ours), None)
    if folder is None and not own:
        folder = await work.mailbox.default_folder()
    before = {key for key, entry in (await work.known()).items() if entry.id}
    if folder is not None:
        work.head = work.head.copy_with(folder=folder)
        before -= await _empty(work, folder, progress, own=own)
    for other in ours:
        if other != folder:
            before -= await _empty(work, other, progress, own=True, known={})
    if before:
        await clear_other_place(work, sorted(before), progress)
    await delete_away(work, work.head.away, progress)


async def delete_away(work: MailboxWork, ids: Sequence[str], progress: ApplyProgress) -> None:
    """Delete contacts of ours that their user moved elsewhere; they can be recovered."""
    if ids:
        work.mailbox.in_folder(None)
        deletes = [Delete("", id_) for id_ in ids]
        await apply_plan(work.mailbox, deletes, progress, None, work.may_send)


async def clear_other_place(
    work: MailboxWork,
    keys: Sequence[str],
    progress: ApplyProgress,
    moved: Collection[str] = (),
) -> bool:
    """Remove our contacts from the kind of folder that the head does not name.

    They are there if tables were restored to a day before the import changed its kind of folder.
    `keys` are contacts that would be among them: all of the default folder is only read if it holds
    one of the first of these, beside those that the user `moved` there. Return whether there was
    anything of ours.
    """
    own = not work.head.own_folder
    await work.hold_lease()
    work.mailbox.in_folder(None)
    try:
        if not own:
            found = await work.mailbox.find(keys[:BATCH_SIZE])
            if not set(found.values()).difference(moved):
                return False
        folder = await _folder(work, own=own)
        if folder is not None:
            await _empty(work, folder, progress, own=own, known={})
        return folder is not None
    finally:
        work.mailbox.in_folder(work.head.folder if work.head.own_folder else None)


async def _folder(work: MailboxWork, *, own: bool) -> str | None:
    """Return our folder, or the default one; None if there is none, or nothing in it."""
    return await work.mailbox.find_folder() if own else await work.mailbox.default_folder()


async def _empty(
    work: MailboxWork,
    folder: str,
    progress: ApplyProgress,
    *,
    own: bool,
    known: KnownContacts | None = None,
) -> set[str]:
    """Delete our contacts in a folder, and the folder if it is our `own`; return their keys.

    `known` are those that may be in it, without those that only their marks show.
    """
    work.mailbox.in_folder(folder if own else None)
    try:
        delta = await work.mailbox.delta(folder)
    except FolderGoneError:
        return set()
    if known is None:
        known = await work.known()
    found, surplus = await work.observe(known, delta.changes, {}, DEFAULT_POLICY, complete=True)
    plan = make_plan({}, found, surplus)
    await apply_plan(work.mailbox, plan.operations, progress, None, work.may_send)
    if progress.rejected:
        codes = ", ".join(sorted({rejected.code for rejected in progress.rejected}))
        raise NeedsAdmin(Reason.CONTACTS_REJECTED, f"Graph did not delete contacts: {codes}.")
    if own:
        await work.hold_lease()
        await work.mailbox.remove_folder(folder)
    return set(found)


async def color_category(work: MailboxWork, import_: Import) -> None:
    """Add our category and its color to the user's list of categories, once.

    If Graph refuses or fails, contacts are still written; the notice in the head informs the admin.
    """
    head = work.head
    category = import_.destination.category
    color = import_.category_color if category is not None else None
    if (head.category, head.color) == (category, color) and head.notice is None:
        return
    with suppress(Unavailable):
        await _drop_category(work)
    work.head = work.head.copy_with(notice=None, category_id=None, color=color)
    if category is None or color is None:
        return
    try:
        made = await work.mailbox.make_category(category, color)
        work.head = work.head.copy_with(category_id=made)
    except NeedsAdmin as error:
        if error.reason in MISSING:
            raise
        work.head = work.head.copy_with(notice=Reason.CATEGORY_COLOR_REFUSED)
    except Unavailable:
        work.head = work.head.copy_with(notice=Reason.CATEGORY_COLOR_REFUSED)


async def _drop_category(work: MailboxWork) -> None:
    if work.head.category_id is not None:
        await work.mailbox.remove_category(work.head.category_id)
