"""What has to change in one mailbox: pure decisions over what is desired, known and observed.

A sync first brings what we know up to date with what the folder's delta shows (`observe`), then
compares it with what the share says (`make_plan`), and after writing takes note of the echo of its
own writes (`settle`). Contacts without our mark never enter any of it, so nothing here can touch
them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.domain.contact import Contact, Fields, graph_body, seen_hash


@dataclass(frozen=True, slots=True)
class Known:
    """One of our contacts in a mailbox, as far as we know.

    `written` is the hash of what we wrote last (None: must be written again), `seen` the hash of
    how Graph showed it afterwards (None: not shown yet), `mask` the fields we wrote.
    Graph may normalise what it is sent, so a user's edit is told by `seen`, not by `written`.
    """

    id: str
    written: str | None
    seen: str | None
    mask: int


type KnownContacts = dict[str, Known]


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a folder's delta: a contact as it now is, or None for one that is gone."""

    id: str
    fields: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Create:
    """Create the contact of `key`."""

    key: str
    contact: Contact


@dataclass(frozen=True, slots=True)
class Update:
    """Bring contact `id` to what `contact` says; `before` is the mask written last."""

    key: str
    contact: Contact
    id: str
    before: int

    @property
    def body(self) -> Fields:
        """What Graph is sent: all that we own, and nothing else."""
        return graph_body(self.contact, self.before)


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete contact `id`; `key` is empty for a second contact of one source."""

    key: str
    id: str


type Operation = Create | Update | Delete


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes for one mailbox, before anything is done; `unchanged` counts the rest."""

    creates: tuple[Create, ...]
    updates: tuple[Update, ...]
    deletes: tuple[Delete, ...]
    unchanged: int

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All of it, removals last: a run cut short leaves too much rather than too little."""
        return (*self.creates, *self.updates, *self.deletes)


def unknown_ids(
    known: KnownContacts, changes: Iterable[Change], duplicates: Iterable[str] = ()
) -> list[str]:
    """Ids in a delta that we do not know: their marks must be looked up before they count."""
    ours = {entry.id for entry in known.values()} | set(duplicates)
    return [c.id for c in changes if c.fields is not None and c.id not in ours]


def observe(
    known: KnownContacts,
    changes: Iterable[Change],
    marks: Mapping[str, str],
    desired: Mapping[str, Contact],
    *,
    complete: bool,
    duplicates: Iterable[str] = (),
) -> tuple[KnownContacts, tuple[str, ...]]:
    """Bring what we know up to date with a folder's delta.

    `marks` maps contact ids that we did not know to the source key their mark names (of this
    import only); `complete` says that the delta lists the whole folder, so that what it does not
    show is gone. Answers what is known now, and the ids of surplus contacts of one source.
    """
    current = dict(known)
    by_id = {entry.id: key for key, entry in current.items()}
    surplus = dict.fromkeys(duplicates)
    shown: set[str] = set()
    for change in changes:
        key = by_id.get(change.id)
        if change.fields is None:
            surplus.pop(change.id, None)
            if key is not None:
                del current[key], by_id[change.id]
            continue
        shown.add(change.id)
        if key is not None:
            current[key] = _looked_at(current[key], change.fields, desired.get(key))
        elif (key := marks.get(change.id)) is None:
            continue
        elif key in current:
            surplus[change.id] = None
        else:
            current[key] = _found(change, desired.get(key))
            by_id[change.id] = key
    if complete:
        current = {key: entry for key, entry in current.items() if entry.id in shown}
        surplus = {id_: None for id_ in surplus if id_ in shown}
    return _without_gaps(current, surplus, marks)


def _looked_at(entry: Known, fields: Mapping[str, Any], contact: Contact | None) -> Known:
    now = seen_hash(fields, entry.mask)
    if entry.seen == now:
        return entry
    if (
        entry.seen is None
        and contact is not None
        and (entry.written, now)
        == (
            contact.hash,
            contact.seen,
        )
    ):
        return replace(entry, seen=now)
    # Edited, or we never saw how Graph took our last write: write it once more.
    return replace(entry, written=None, seen=None)


def _found(change: Change, contact: Contact | None) -> Known:
    """A contact that bears our mark and that we have no record of: a worker died after creating."""
    if contact is None or change.fields is None:
        return Known(change.id, None, None, 0)
    now = seen_hash(change.fields, contact.mask)
    # The fax is out of sight: a contact that should have one is written once more.
    whole = now == contact.seen and "fax" not in contact.fields
    return Known(change.id, contact.hash if whole else None, now if whole else None, contact.mask)


def _without_gaps(
    current: KnownContacts, surplus: dict[str, None], marks: Mapping[str, str]
) -> tuple[KnownContacts, tuple[str, ...]]:
    """Where a source's contact is gone but a surplus one is there, that one takes its place."""
    for id_ in list(surplus):
        key = marks.get(id_)
        if key is not None and key not in current:
            current[key] = Known(id_, None, None, 0)
            del surplus[id_]
    return current, tuple(surplus)


def make_plan(
    desired: Mapping[str, Contact], known: KnownContacts, surplus: Iterable[str] = ()
) -> Plan:
    """Compare what the share says with what the mailbox holds of it."""
    creates = [Create(key, c) for key, c in desired.items() if key not in known]
    updates = [
        Update(key, contact, entry.id, entry.mask)
        for key, entry in known.items()
        if (contact := desired.get(key)) is not None and entry.written != contact.hash
    ]
    deletes = [Delete(key, entry.id) for key, entry in known.items() if key not in desired]
    deletes += [Delete("", id_) for id_ in surplus]
    unchanged = len(desired) - len(creates) - len(updates)
    return Plan(tuple(creates), tuple(updates), tuple(deletes), unchanged)


def applied(known: KnownContacts, done: Iterable[tuple[Operation, str]]) -> KnownContacts:
    """What we know after these operations took effect; each comes with its contact's id."""
    current = dict(known)
    for operation, id_ in done:
        match operation:
            case Create(key, contact) | Update(key, contact):
                current[key] = Known(id_, contact.hash, None, contact.mask)
            case Delete(key):
                current.pop(key, None)
    return current


def settle(known: KnownContacts, changes: Iterable[Change]) -> tuple[KnownContacts, bool]:
    """Take note of how Graph shows our own writes, from the delta read right after them.

    Answers what is known now, and whether it is all as we left it; if not (a user was at it
    meanwhile), the next run has to plan again although the share did not change.
    """
    current = dict(known)
    by_id = {entry.id: key for key, entry in current.items()}
    calm = True
    for change in changes:
        key = by_id.get(change.id)
        if key is None:
            continue
        entry = current[key]
        if change.fields is None:
            del current[key]
            calm = False
        elif entry.seen is None:
            current[key] = replace(entry, seen=seen_hash(change.fields, entry.mask))
        elif entry.seen != seen_hash(change.fields, entry.mask):
            current[key] = replace(entry, written=None, seen=None)
            calm = False
    return current, calm
