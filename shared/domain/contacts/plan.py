"""What has to change in one mailbox: pure decisions over what is desired, known and observed.

A sync first brings what we know up to date with what the folder's delta shows (`observe`), then
compares it with what the share says (`make_plan`), and after writing takes note of the echo of its
own writes (`settle`). Contacts without our mark never enter any of it, so nothing here can touch
them. Photos go last (`photos_due`), since a contact must be there before it can have one.
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
    """One of our contacts in a mailbox, as far as we know; without an id the user deleted it.

    `written` is the hash of what we wrote last (None: must be written again), `seen` the hash of
    how Graph showed it afterwards (None: not shown yet), `mask` the fields we wrote.
    Graph may normalise what it is sent, so a user's edit is told by `seen`, not by `written`.
    Where edits are kept, `kept` is the mask of fields that are now the user's, and `checks` tells
    which field an edit was of. `photo` is the digest of the photo we sent.
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
    """How an import meets what a mailbox's user does to our contacts."""

    restore_deleted: bool = True
    keep_edits: bool = False


DEFAULT_POLICY: Final = Policy()


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
    """Bring contact `id` to what `contact` says; `known` is what we know of it until then.

    `categories` are its categories from now on (None: as they are).
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
        """Whether it only mends what should be there already; the source did not change."""
        return self.known.written in {None, self.contact.hash}

    @property
    def body(self) -> Fields:
        """What Graph is sent: all that we own, and nothing else."""
        body = graph_body(self.contact, self.known.mask & ~self.known.kept)
        if self.known.written is None or self.known.mask != self.contact.mask:
            body.setdefault("singleValueExtendedProperties", []).append(wrote(self.contact.mask))
        if self.categories is not None:
            body["categories"] = list(self.categories)
        return body


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete contact `id`; `key` is empty for a second contact of one source."""

    key: str
    id: str


@dataclass(frozen=True, slots=True)
class SetPhoto:
    """Give contact `id` the photo of this digest; `image` is the JPEG, once it is loaded."""

    key: str
    id: str
    digest: str
    image: bytes = b""


@dataclass(frozen=True, slots=True)
class Adopt:
    """Mark a contact that another tool left behind as ours."""

    key: str
    id: str


type Operation = Create | Update | Delete | SetPhoto | Adopt


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes for one mailbox, before anything is done; `unchanged` counts the rest."""

    creates: tuple[Create, ...]
    updates: tuple[Update, ...]
    deletes: tuple[Delete, ...]
    unchanged: int

    @property
    def operations(self) -> tuple[Create | Update | Delete, ...]:
        """All of it, removals last: a run cut short leaves too much rather than too little."""
        return (*self.creates, *self.updates, *self.deletes)

    @property
    def removed(self) -> tuple[Delete, ...]:
        """The deletes of contacts whose source is gone, not of doubles."""
        return tuple(delete for delete in self.deletes if delete.key)

    @property
    def changed(self) -> tuple[Update, ...]:
        """The updates that bring something new, not those that mend."""
        return tuple(update for update in self.updates if not update.repair)

    @property
    def risk(self) -> str:
        """One digest of all that a guard looks at, to know a plan again that was held once."""
        digest = hashlib.blake2b(digest_size=12)
        for delete in sorted(self.removed, key=lambda d: d.key):
            digest.update(f"-{delete.key}\n".encode())
        for update in sorted(self.changed, key=lambda u: u.key):
            digest.update(f"={update.key}\0{update.contact.hash}\n".encode())
        return digest.hexdigest()


def unknown_ids(
    known: KnownContacts, changes: Iterable[Change], duplicates: Iterable[str] = ()
) -> list[str]:
    """Ids in a delta that we do not know: their marks must be looked up before they count."""
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
    """Bring what we know up to date with a folder's delta.

    `marks` maps contact ids that we did not know to the source key their mark names (of this
    import only); `complete` says that the delta lists the whole folder, so that what it does not
    show is gone; `begun` is the mask of what a worker that died may have written. Answers what is
    known now, and the ids of surplus contacts of one source.
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
            current[key] = _looked_at(current[key], change.fields, desired.get(key), policy, begun)
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


def _looked_at(
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
    # Edited, or we never saw how Graph took our last write: write it once more.
    mask = entry.mask | begun
    return replace(entry, written=None, seen=None, mask=mask, checks="")


def _seen(entry: Known, now: str, fields: Mapping[str, Any], policy: Policy) -> Known:
    found = checks(fields, entry.mask) if policy.keep_edits else ""
    return replace(entry, seen=now, checks=found)


def _found(change: Change, contact: Contact | None, policy: Policy, begun: int) -> Known:
    """A contact that bears our mark and that we have no record of: a worker died after creating."""
    if contact is None or change.fields is None:
        return Known(change.id, None, None, begun)
    now = seen_hash(change.fields, contact.mask)
    # The fax is out of sight: a contact that should have one is written once more.
    if now == contact.seen and contact.hash == contact.seen and not begun & ~contact.mask:
        entry = Known(change.id, contact.hash, now, contact.mask)
        return _seen(entry, now, change.fields, policy)
    return Known(change.id, None, None, contact.mask | begun)


def _without_gaps(
    current: KnownContacts, surplus: dict[str, None], marks: Mapping[str, Mark]
) -> tuple[KnownContacts, tuple[str, ...]]:
    """Where a source's contact is gone but a surplus one is there, that one takes its place."""
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
    """Compare what the share says with what the mailbox holds of it.

    `categories` are the new ones of those contacts (by id) whose categories have to change.
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
    """The categories of our contacts once `after` takes the place of `before`, where they differ.

    All other categories are the user's and stay.
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
    """The photos to send: those that differ from what was sent last.

    A photo that is gone at its source stays: Graph cannot delete a contact's photo (docs:
    profilephoto-delete).
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
    """What we know after these operations took effect; each comes with its contact's id."""
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
    """Take note of how Graph shows our own writes, from the delta read right after them.

    Answers what is known now, and whether it is all as we left it; if not (a user was at it
    meanwhile), the next run has to plan again although the share did not change.
    """
    current = dict(known)
    by_id = {entry.id: key for key, entry in current.items() if entry.id}
    calm = True
    for change in changes:
        key = by_id.get(change.id)
        if key is None:
            continue
        entry = current[key]
        if change.fields is None:
            current[key] = DELETED_BY_USER
            calm = False
            continue
        now = seen_hash(change.fields, entry.mask)
        if entry.seen is None:
            current[key] = _seen(entry, now, change.fields, policy)
        elif entry.seen != now:
            current[key] = _looked_at(entry, change.fields, None, policy)
            calm = False
    return current, calm
