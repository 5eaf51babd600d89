"""Reading a mailbox and planning its changes. Nothing is written here."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zlib import crc32

from shared.adapters.graph.mailboxes.answers import FolderGoneError, LinkExpiredError
from shared.adapters.graph.mailboxes.mailbox import Delta
from shared.adapters.storage.mailboxes.mailbox_contacts import ContactRows
from shared.adapters.storage.mailboxes.mailbox_state import Head
from shared.adapters.storage.snapshots import Desired
from shared.domain.contacts.guard import guard_of
from shared.domain.contacts.held_plans import HeldChanges
from shared.domain.contacts.known import KnownContacts, Policy, with_sources
from shared.domain.contacts.plan import Plan, make_plan, relabelled
from shared.domain.importing.imports import Import
from shared.domain.reasons import Reason
from shared.services.sync.mailbox_returns import drop_link_after_returns
from shared.services.sync.mailbox_work import MailboxWork, count_of
from shared.services.sync.threads import run_in_thread_if_large

_WHOLE_READ_EVERY: Final = timedelta(days=30)
_SPREAD: Final = timedelta(days=7)
_LOOK_EVERY: Final = timedelta(days=7)
_LOOKS_SPREAD: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, what it is based on, and the delta link up to which the folder was read.

    `held` is what the guard holds of the plan, and `objection` is why, if it does.
    """

    plan: Plan
    known: KnownContacts
    link: str | None
    objection: Reason | None
    held: HeldChanges


async def since_last_time(work: MailboxWork) -> Delta | None:
    """Return the folder's delta; None if the folder or link does not exist, or no longer does."""
    if whole_read_due(work.head, work.message.mailbox, work.clock()):
        work.head = work.head.copy_with(link=None)
    await drop_link_after_returns(work)
    head = work.head
    if head.folder is None or head.link is None:
        return None
    work.mailbox.in_folder(head.folder if head.own_folder else None)
    try:
        return await _changes(work, head.folder, head.link)
    except LinkExpiredError:
        work.head = work.head.copy_with(link=None)
    except FolderGoneError:
        work.head = work.head.copy_with(folder=None, link=None, rows=ContactRows())
    return None


async def _changes(work: MailboxWork, folder: str, link: str) -> Delta:
    """Return what changed in a folder; if it is ours, check that it is still in its place."""
    home = work.head.home if work.head.own_folder else None
    if home is None:
        return await work.mailbox.delta(folder, link)
    delta = await work.mailbox.look(folder, link, home)
    work.head = work.head.copy_with(looked=work.clock())
    return delta


async def plan_mailbox(
    work: MailboxWork, import_: Import, desired: Desired, delta: Delta | None, *, empty: bool
) -> Planned:
    """Plan from the changes since the last run, or from the whole folder if `delta` is None.

    `empty` says that the folder was just created.
    """
    known = await work.known()
    if work.head.link is None or needs_whole_folder(work.head, import_):
        delta = None
    complete = delta is None
    if complete:
        work.head = work.head.copy_with(read_whole=work.clock())
    if delta is None and work.head.folder is not None and not empty:
        delta = await work.mailbox.delta(work.head.folder)
    changes = delta.changes if delta else ()
    policy, category = policy_of(import_), import_.destination.category
    known, surplus = await work.observe(known, changes, desired, policy, complete=complete)
    labels = (
        relabelled(known, changes, work.head.category, category)
        if work.head.category != category
        else None
    )
    known = await run_in_thread_if_large(len(desired), with_sources, known, desired, policy)
    plan = await run_in_thread_if_large(
        len(desired), make_plan, desired, known, surplus, policy, labels
    )
    # A surplus contact is not in the state: without a link, the next run finds it again.
    link = delta.link if delta and not surplus else None
    guard, count = guard_of(import_.guard), count_of(known)
    return Planned(plan, known, link, guard.objection(plan, count), guard.held(plan, count))


def whole_read_due(head: Head, mailbox: str, now: datetime) -> bool:
    """Return whether all of the folder must be read again: within 30 days, spread over a week.

    The mailbox decides where in the week, so that those filled together are read apart.
    """
    if head.read_whole is None:
        return True
    earlier = timedelta(seconds=crc32(mailbox.encode()) % int(_SPREAD.total_seconds()))
    return now - head.read_whole >= _WHOLE_READ_EVERY - earlier


def look_due(head: Head, looked: datetime | None, mailbox: str, now: datetime) -> bool:
    """Return whether it is time to check that our folder, last `looked` at, is still in its place.

    Checks come after 5 to 7 days, spread over the mailboxes. They are needed because the delta of a
    folder that its user deleted shows nothing.
    """
    if not head.own_folder or not head.home:
        return False
    earlier = timedelta(seconds=crc32(mailbox.encode()) % int(_LOOKS_SPREAD.total_seconds()))
    return looked is None or now - looked >= _LOOK_EVERY - earlier


def policy_of(import_: Import) -> Policy:
    """Return how the import treats a user's changes to our contacts."""
    conflicts = import_.conflicts
    return Policy(conflicts.deleted == "restore", conflicts.edited == "keep")


def needs_whole_folder(head: Head, import_: Import) -> bool:
    """Return whether every contact must be read: the category changes, or edits are now kept.

    The delta shows neither.
    """
    starts_to_keep = policy_of(import_).keep_edits and not head.keep_edits
    return head.category != import_.destination.category or starts_to_keep
