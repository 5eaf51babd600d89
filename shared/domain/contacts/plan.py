"""The changes that one mailbox needs: pure decisions from desired, known and observed contacts.

A sync updates the known contacts from the folder's delta (`observe`), compares them with the share
(`make_plan`), and after writing reads the delta of its own writes (`settle`). Contacts without our
mark are never passed in, so nothing here can touch them. Photos come last (`photos_due`), because
a contact must exist before it can have one.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.domain.contacts.fields import (
    Contact,
    Mark,
    checks,
    edited,
    graph_body,
    holds_any,
    seen_hash,
    wrote,
)
from shared.domain.contacts.values import Fields


@dataclass(frozen=True, slots=True)
class Known:
    """One of our contacts in a mailbox, as last known; an empty id means that the user deleted it.

    `written` is the hash of what we wrote last (None: it must be written again), `seen` the hash of
    what Graph returned afterwards (None: not read yet), `mask` the fields we wrote. Graph may
    normalize values, so a user's edit shows in `seen`, not in `written`. If the import keeps edits,
    `kept` is the mask of the fields that the user edited, and `checks` shows which field an edit
    changed. `photo` is the digest of the photo we sent.
    """

    id: str
    written: str | None
    seen: str | None
    mask: int
    kept: int = 0
    checks: str = ""
    photo: str = ""


type KnownContacts = dict[str, Known]

DELETED_BY_USER: Final = Known("", None, None, 0)


@dataclass(frozen=True, slots=True)
class Policy:
    """How an import handles deletions and edits of our contacts by the mailbox's user."""

    restore_deleted: bool = True
    keep_edits: bool = False


DEFAULT_POLICY: Final = Policy()


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a folder's delta: a contact's present fields, or None if it was deleted."""

    id: str
    fields: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Create:
    """Create the contact of `key`."""

    key: str
    contact: Contact


@dataclass(frozen=True, slots=True)
class Update:
    """Update contact `id` to `contact`; `known` is its state before.

    `categories` are its new categories (None: unchanged).
    """

    key: str
    contact: Contact
    known: Known
    categories: tuple[str, ...] | None = None

    @property
    def id(self) -> str:
        """The contact's id in the mailbox."""
        return self.known.id

    @property
    def repair(self) -> bool:
        """Whether the update only repairs a contact whose source did not change."""
        return self.known.written in {None, self.contact.hash}

    @property
    def body(self) -> Fields:
        """The JSON to send to Graph: only the fields that we own."""
        body = graph_body(self.contact, self.known.mask & ~self.known.kept)
        if self.known.written is None or self.known.mask != self.contact.mask:
            body.setdefault("singleValueExtendedProperties", []).append(wrote(self.contact.mask))
        if self.categories is not None:
            body["categories"] = list(self.categories)
        return body


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete contact `id`; `key` is empty for a duplicate."""

    key: str
    id: str


@dataclass(frozen=True, slots=True)
class SetPhoto:
    """Set the photo of contact `id`; `image` is the JPEG, once it is loaded."""

    key: str
    id: str
    digest: str
    image: bytes = b""


@dataclass(frozen=True, slots=True)
class Adopt:
    """Mark a contact that another tool created as ours."""

    key: str
    id: str


type Operation = Create | Update | Delete | SetPhoto | Adopt


@dataclass(frozen=True, slots=True)
class Plan:
    """The planned changes of one mailbox; `unchanged` counts the other contacts."""

    creates: tuple[Create, ...]
    updates: tuple[Update, ...]
    deletes: tuple[Delete, ...]
    unchanged: int

    @property
    def operations(self) -> tuple[Create | Update | Delete, ...]:
        """All operations; deletes come last, so that no interrupted run leaves too few contacts."""
        return (*self.creates, *self.updates, *self.deletes)

    @property
    def removed(self) -> tuple[Delete, ...]:
        """The deletes of contacts whose source is gone, without duplicates."""
        return tuple(delete for delete in self.deletes if delete.key)

    @property
    def changed(self) -> tuple[Update, ...]:
        """The updates with new source data, not the repairs."""
        return tuple(update for update in self.updates if not update.repair)

    @property
    def risk(self) -> str:
        """A digest of everything the guard counts. It identifies a held plan."""
        digest = hashlib.blake2b(digest_size=12)
        for delete in sorted(self.removed, key=lambda d: d.key):
            digest.update(f"-{delete.key}\n".encode())
        for update in sorted(self.changed, key=lambda u: u.key):
            digest.update(f"={update.key}\0{update.contact.hash}\n".encode())
        return digest.hexdigest()


def unknown_ids(
    known: KnownContacts, changes: Iterable[Change], duplicates: Iterable[str] = ()
) -> list[str]:
    """Return the unknown contact ids of a delta, whose marks must be read before `observe`."""
    ours = {entry.id for entry in known.values()} | set(duplicates)
    return [c.id for c in changes if c.fields is not None and c.id not in ours]


def observe(
    known: KnownContacts,
    changes: Iterable[Change],
    marks: Mapping[str, Mark],
    desired: Mapping[str, Contact],
    *,
    complete: bool,
    duplicates: Iterable[str] = (),
    policy: Policy = DEFAULT_POLICY,
    begun: int = 0,
) -> tuple[KnownContacts, tuple[str, ...]]:
    """Update the known contacts from a folder's delta.

    `marks` maps unknown contact ids to their marks of this import. `complete` says that the delta
    lists the whole folder, so that a contact not in it is gone. `begun` is the mask of fields that
    a worker that died may have written. Return the known contacts, and the ids of duplicates.
    """
    current = dict(known)
    by_id = {entry.id: key for key, entry in current.items() if entry.id}
    surplus = dict.fromkeys(duplicates)
    shown: set[str] = set()
    for change in changes:
        key = by_id.get(change.id)
        if change.fields is None:
            surplus.pop(change.id, None)
            if key is not None:
                current[key] = DELETED_BY_USER
                del by_id[change.id]
            continue
        shown.add(change.id)
        if key is not None:
            current[key] = _compared(current[key], change.fields, desired.get(key), policy, begun)
        elif (mark := marks.get(change.id)) is None:
            continue
        elif mark.key in current and current[mark.key].id:
            surplus[change.id] = None
        else:
            current[mark.key] = _found(change, desired.get(mark.key), policy, begun | mark.mask)
            by_id[change.id] = mark.key
    if complete:
        for key, entry in current.items():
            if entry.id not in shown:
                current[key] = DELETED_BY_USER
        surplus = {id_: None for id_ in surplus if id_ in shown}
    current, left = _without_gaps(current, surplus, marks)
    return {key: entry for key, entry in current.items() if entry.id or key in desired}, left


def _compared(
    entry: Known,
    fields: Mapping[str, Any],
    contact: Contact | None,
    policy: Policy,
    begun: int = 0,
) -> Known:
    now = seen_hash(fields, entry.mask)
    if entry.seen == now and not holds_any(fields, begun & ~(entry.mask | entry.kept)):
        return _seen(entry, now, fields, policy)
    as_written = contact.without(entry.kept) if contact is not None else None
    in_step = as_written is not None and entry.written == as_written.hash
    if entry.seen is None and in_step and as_written is not None and now == as_written.seen:
        return _seen(entry, now, fields, policy)
    if policy.keep_edits and entry.seen is not None and entry.checks and not begun:
        kept = entry.kept | edited(entry.checks, checks(fields, entry.mask), entry.mask)
        written = contact.without(kept).hash if contact and in_step else entry.written
        return _seen(replace(entry, kept=kept, written=written), now, fields, policy)
    # Edited, or we never saw the result of our last write: write it again.
    mask = entry.mask | begun
    return replace(entry, written=None, seen=None, mask=mask, checks="")


def _seen(entry: Known, now: str, fields: Mapping[str, Any], policy: Policy) -> Known:
    found = checks(fields, entry.mask) if policy.keep_edits else ""
    return replace(entry, seen=now, checks=found)


def _found(change: Change, contact: Contact | None, policy: Policy, begun: int) -> Known:
    """Return the entry of a marked contact without a record: its worker died after creating it."""
    if contact is None or change.fields is None:
        return Known(change.id, None, None, begun)
    now = seen_hash(change.fields, contact.mask)
    # Graph does not return the fax: a contact that should have one is written again.
    if now == contact.seen and contact.hash == contact.seen and not begun & ~contact.mask:
        entry = Known(change.id, contact.hash, now, contact.mask)
        return _seen(entry, now, change.fields, policy)
    return Known(change.id, None, None, contact.mask | begun)


def _without_gaps(
    current: KnownContacts, surplus: dict[str, None], marks: Mapping[str, Mark]
) -> tuple[KnownContacts, tuple[str, ...]]:
    """Replace each missing contact by its duplicate, if there is one."""
    for id_ in list(surplus):
        mark = marks.get(id_)
        if mark is not None and (mark.key not in current or not current[mark.key].id):
            current[mark.key] = Known(id_, None, None, mark.mask)
            del surplus[id_]
    return current, tuple(surplus)


def make_plan(
    desired: Mapping[str, Contact],
    known: KnownContacts,
    surplus: Iterable[str] = (),
    policy: Policy = DEFAULT_POLICY,
    categories: Mapping[str, tuple[str, ...]] | None = None,
) -> Plan:
    """Plan the changes that bring a mailbox's known contacts to the desired ones.

    `categories` are the new categories, by contact id, of the contacts whose categories change.
    """
    relabelled = categories or {}
    creates: list[Create] = []
    updates: list[Update] = []
    unchanged = 0
    for key, contact in desired.items():
        entry = known.get(key)
        if entry is None or not entry.id:
            if entry is None or policy.restore_deleted:
                creates.append(Create(key, contact))
            continue
        kept = entry.kept if policy.keep_edits else 0
        wanted, labels = contact.without(kept), relabelled.get(entry.id)
        if entry.written == wanted.hash and labels is None:
            unchanged += 1
        else:
            updates.append(Update(key, wanted, replace(entry, kept=kept), labels))
    deletes = [Delete(k, entry.id) for k, entry in known.items() if entry.id and k not in desired]
    deletes += [Delete("", id_) for id_ in surplus]
    return Plan(tuple(creates), tuple(updates), tuple(deletes), unchanged)


def relabelled(
    known: KnownContacts, changes: Iterable[Change], before: str | None, after: str | None
) -> dict[str, tuple[str, ...]]:
    """Return the new categories of our contacts that change when `after` replaces `before`.

    All other categories are the user's and are kept.
    """
    ours = {entry.id for entry in known.values()}
    found: dict[str, tuple[str, ...]] = {}
    for change in changes:
        if change.fields is None or change.id not in ours:
            continue
        now = tuple(change.fields.get("categories") or ())
        wanted = tuple(name for name in now if name != before)
        if after is not None and after not in wanted:
            wanted = (*wanted, after)
        if wanted != now:
            found[change.id] = wanted
    return found


def photos_due(desired: Mapping[str, Contact], known: KnownContacts) -> tuple[SetPhoto, ...]:
    """Return the photos that differ from those sent last.

    A photo that was removed at its source stays, because Graph cannot delete a contact's photo
    (docs: profilephoto-delete).
    """
    return tuple(
        SetPhoto(key, entry.id, contact.photo)
        for key, contact in desired.items()
        if contact.photo
        and (entry := known.get(key)) is not None
        and entry.id
        and entry.photo != contact.photo
    )


def applied(known: KnownContacts, done: Iterable[tuple[Operation, str]]) -> KnownContacts:
    """Return the known contacts after these operations, each given with its contact's id."""
    current = dict(known)
    for operation, id_ in done:
        match operation:
            case Create(key, contact):
                current[key] = Known(id_, contact.hash, None, contact.mask)
            case Update(key, contact, before):
                current[key] = Known(
                    id_, contact.hash, None, contact.mask, before.kept, "", before.photo
                )
            case Delete(key):
                current.pop(key, None)
            case SetPhoto(key, _, digest):
                current[key] = replace(current[key], photo=digest)
            case Adopt(key):
                current[key] = Known(id_, None, None, 0)
    return current


def settle(
    known: KnownContacts, changes: Iterable[Change], policy: Policy = DEFAULT_POLICY
) -> tuple[KnownContacts, bool]:
    """Record how Graph returns our own writes, from the delta read right after them.

    Return the known contacts, and whether the delta shows only our own writes. If not, because a
    user edited contacts in the meantime, the next run must plan even if the share did not change.
    """
    current = dict(known)
    by_id = {entry.id: key for key, entry in current.items() if entry.id}
    only_ours = True
    for change in changes:
        key = by_id.get(change.id)
        if key is None:
            continue
        entry = current[key]
        if change.fields is None:
            current[key] = DELETED_BY_USER
            only_ours = False
            continue
        now = seen_hash(change.fields, entry.mask)
        if entry.seen is None:
            current[key] = _seen(entry, now, change.fields, policy)
        elif entry.seen != now:
            current[key] = _compared(entry, change.fields, None, policy)
            only_ours = False
    return current, only_ours
