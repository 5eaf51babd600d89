"""Contacts of ours that left their folder, and may come back: then one person has two contacts.

Its delta may not show their return. The head names a few of them, and each sync asks where they
are. So do checks of an idle mailbox: one day in seven, and at first each, if the user moved one to
another contact folder, and not to Deleted Items. Once one is back, the folder is read whole, which
finds all that came back by their marks.
"""

from contextlib import suppress
from datetime import datetime
from typing import Final

from shared.adapters.graph.mailboxes.elsewhere import Places
from shared.adapters.storage.mailboxes.mailbox_state import Head
from shared.domain.errors import ContactSyncError
from shared.services.sync.mailbox_work import MailboxWork

_MOST: Final = 18
"""How many are remembered: any further ones wait for the return of one of these, or 30 days."""
_OFTEN: Final = 14
"""For how many days each check looks for contacts in other contact folders."""
_EVERY: Final = 7
"""Days between looks otherwise."""


async def note_departed(work: MailboxWork) -> None:
    """Let the head name the contacts that left the folder during this work, and still exist."""
    if not work.departed:
        return
    departed, work.departed = work.departed[-_MOST:], []
    moved = work.head.moved
    with suppress(ContactSyncError):  # the next look asks again
        found = await work.mailbox.places(departed)
        departed = list(found)
        moved = await work.mailbox.any_contact_folder(set(found.values())) or moved
    if departed:
        away = dict.fromkeys((*departed, *work.head.away))
        work.head = work.head.copy_with(
            away=tuple(away)[:_MOST], departed=work.clock(), moved=moved
        )


async def drop_link_after_returns(work: MailboxWork) -> None:
    """Drop the link of the folder if a contact that had left it is back, so that all are read."""
    head = work.head
    if not head.away:
        return
    found = await work.mailbox.places(head.away)
    away = tuple(id_ for id_, place in found.items() if place != head.folder)
    link = None if head.folder in found.values() else head.link
    work.head = head.copy_with(away=away, link=link, moved=head.moved and bool(away))


def look_due(head: Head, now: datetime) -> bool:
    """Return whether it is time to look for contacts that left the folder of an idle mailbox."""
    if not head.away or head.departed is None:
        return False
    days = (now - head.departed).days
    return (head.moved and days < _OFTEN) or days % _EVERY == _EVERY - 1


def nothing_returned(head: Head, found: Places) -> bool:
    """Return whether all contacts that left a folder still exist, and none is back."""
    return len(found) == len(head.away) and head.folder not in found.values()
