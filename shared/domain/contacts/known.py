"""Our contacts in a mailbox as last known, and how a folder's delta updates them.

A sync updates them from what happened since the last time (`observe`) and, after writing, from the
delta of its own writes (`settle`). Contacts without our mark are never passed in, so nothing here
can touch them.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.domain.contacts.fields import Contact, Mark, checks, edited, holds_any, seen_hash
from shared.domain.contacts.holdings import holds_more, shows_all
from shared.domain.contacts.source_values import UNKNOWN, same_source


@dataclass(frozen=True, slots=True)
class Known:
    """One of our contacts in a mailbox, as last known; an empty id means that the user deleted it.

    `written` is the hash of what we wrote last (None: it must be written again), `seen` the hash of
    what Graph returned afterwards (None: not read yet), `mask` the fields we wrote. Graph may
    normalize values, so a user's edit shows in `seen`, not in `written`. If the import keeps edits,
    `kept` is the mask of the fields that the user edited, and `checks` shows which field an edit
    changed. `photo` is the digest of the photo we sent. `source` is the hash of the source values
    that what we wrote last was made of (`source_values`). `others` is not 0 if the contact holds
    something of the user's (`HOLDS_MORE`), or if we may not have created it (`FOUND`).
    """

    id: str
    written: str | None
    seen: str | None
    mask: int
    source: str = UNKNOWN
    kept: int = 0
    checks: str = ""
    photo: str = ""
    others: int = 0

    @property
    def only_ours(self) -> bool:
        """Whether we created the contact, and saw that nothing in it is the user's."""
        return self.seen is not None and not (self.kept or self.others)


HOLDS_MORE: Final = 1
FOUND: Final = 2

type KnownContacts = dict[str, Known]

_VERSION: Final = "@odata.etag"

DELETED_BY_USER: Final = Known("", None, None, 0)


@dataclass(frozen=True, slots=True)
class Policy:
    """How an import handles deletions and edits of our contacts by the mailbox's user."""

    restore_deleted: bool = True
    keep_edits: bool = False


DEFAULT_POLICY: Final = Policy()

_NO_ANSWERS: Final[Mapping[str, "Answer"]] = {}


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a folder's delta: a contact's present fields, or None if it was deleted."""

    id: str
    fields: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What Graph answered to our write of a contact: its version, and the hash of what it shows.

    `edit` is the hash of the user's edit that this write overwrote, if there was one.
    """

    version: str
    seen: str
    edit: str | None = None

    @classmethod
    def of(cls, fields: object, mask: int, edit: str | None = None) -> "Answer | None":
        """Read the body of an answer; None if it does not tell the contact's version."""
        if not isinstance(fields, Mapping) or not isinstance(fields.get(_VERSION), str):
            return None
        return cls(fields[_VERSION], seen_hash(fields, mask), edit)

    def is_of(self, fields: Mapping[str, Any], now: str) -> bool:
        """Return whether a delta shows what we wrote.

        Graph may show the same version in another way, and a new version with the same content,
        such as after we sent the photo. Without a version, nothing proves that a user edited it.
        An edit that comes back each time is how Graph shows the contact, or another program's
        work; overwriting it again would never end.
        """
        return fields.get(_VERSION) in {None, self.version} or now in {self.seen, self.edit}


def unknown_ids(
    known: KnownContacts, changes: Iterable[Change], duplicates: Iterable[str] = ()
) -> list[str]:
    """Return the unknown contact ids of a delta, whose marks must be read before `observe`."""
    ours = {entry.id for entry in known.values()} | set(duplicates)
    return [c.id for c in changes if c.fields is not None and c.id not in ours]


def doubtful_ids(known: KnownContacts, changes: Iterable[Change]) -> list[str]:
    """Return our contacts of a delta that must be read again before `observe`.

    Graph may show a contact that was moved out and back as removed (microsoft-graph-docs#21752),
    and a changed one without properties that did not change (microsoft-graph-docs-contrib#5544).
    """
    masks = {entry.id: entry.mask for entry in known.values() if entry.id}
    return [
        change.id
        for change in changes
        if change.id in masks
        and (change.fields is None or not shows_all(change.fields, masks[change.id]))
    ]


def missing_ids(known: KnownContacts, changes: Iterable[Change]) -> list[str]:
    """Return our contacts that a read of the whole folder does not show."""
    shown = {change.id for change in changes}
    return [entry.id for entry in known.values() if entry.id and entry.id not in shown]


def rival_ids(
    known: KnownContacts, changes: Iterable[Change], marks: Mapping[str, Mark]
) -> list[str]:
    """Return our contacts that seem to be there twice, and are read again before one is deleted.

    Graph may show one contact under two ids, such as an old and a new format.
    """
    shown = {change.id for change in changes if change.fields is not None}
    ids = (known[mark.key].id for mark in marks.values() if mark.key in known)
    return [id_ for id_ in ids if id_ and id_ not in shown]


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
    unread: Collection[str] = (),
) -> tuple[KnownContacts, tuple[str, ...]]:
    """Update the known contacts from a folder's delta.

    `marks` maps unknown contact ids to their marks of this import. `complete` says that the delta
    lists the whole folder, so that a contact not in it is gone, unless it is `unread`: then nothing
    is known of it. `begun` is the mask of fields that a worker that died may have written. Return
    the known contacts, and the ids of duplicates: of two contacts of one key, the one that holds
    something of the user's stays.
    """
    # Contacts that are gone come first: another one may have their key.
    changes = sorted(changes, key=lambda change: change.fields is not None)
    fields = {change.id: change.fields for change in changes}
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
        elif mark := marks.get(change.id):
            if loser := _loser(current.get(mark.key), change, mark, fields):
                surplus[loser] = None
                by_id.pop(loser, None)
            if loser != change.id:
                current[mark.key] = _found(change, mark, desired.get(mark.key), policy, begun)
                by_id[change.id] = mark.key
    if complete:
        there = shown | set(unread)
        current = {key: e if e.id in there else DELETED_BY_USER for key, e in current.items()}
        surplus = {id_: None for id_ in surplus if id_ in shown}
    current, left = _without_gaps(current, surplus, marks)
    return {key: entry for key, entry in current.items() if entry.id or key in desired}, left


def _loser(
    rival: Known | None, change: Change, mark: Mark, fields: Mapping[str, Mapping[str, Any] | None]
) -> str:
    """Return which of two contacts with one mark goes: the `rival` that we know, or the new one.

    The rival goes if only the other one holds something of the user's. '' if there is no rival.
    """
    if rival is None or not rival.id:
        return ""
    shown = fields.get(rival.id) or {}
    keeps = rival.kept or rival.others & HOLDS_MORE or holds_more(shown, rival.mask)
    gives = not keeps and change.fields is not None and holds_more(change.fields, mark.mask)
    return rival.id if gives else change.id


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
    source = contact.source if contact is not None and in_step else entry.source
    mask = entry.mask | begun
    return replace(entry, written=None, seen=None, mask=mask, source=source, checks="")


def _seen(entry: Known, now: str, fields: Mapping[str, Any], policy: Policy) -> Known:
    found = checks(fields, entry.mask) if policy.keep_edits else ""
    others = entry.others & FOUND | (HOLDS_MORE if holds_more(fields, entry.mask) else 0)
    return replace(entry, seen=now, checks=found, others=others)


def _found(
    change: Change, mark: Mark, contact: Contact | None, policy: Policy, begun: int
) -> Known:
    """Return the entry of a marked contact without a record.

    Its worker died after creating it, the list was lost, or the contact was adopted. A contact that
    shows what its source gives is of this source. An adopted one, in which we never wrote a field,
    holds no source data yet: an admin has confirmed that we write it. Any other may hold older
    source data, so that writing it counts as a change: a list that is lost on the day on which the
    source is damaged would otherwise let the damage into the mailbox.
    """
    begun |= mark.mask
    if contact is None or change.fields is None:
        return Known(change.id, None, None, begun, others=FOUND)
    now = seen_hash(change.fields, contact.mask)
    same = now == contact.seen and not begun & ~contact.mask
    # A contact with a field that Graph does not return is written again.
    if same and not contact.has_hidden_fields:
        mask = contact.mask
        entry = Known(change.id, contact.hash, now, mask, contact.source, others=FOUND)
        return _seen(entry, now, change.fields, policy)
    source = contact.source if same or not mark.mask else UNKNOWN
    return Known(change.id, None, None, contact.mask | begun, source, others=FOUND)


def _without_gaps(
    current: KnownContacts, surplus: dict[str, None], marks: Mapping[str, Mark]
) -> tuple[KnownContacts, tuple[str, ...]]:
    """Replace each missing contact by its duplicate, if there is one."""
    for id_ in list(surplus):
        mark = marks.get(id_)
        if mark is not None and (mark.key not in current or not current[mark.key].id):
            current[mark.key] = Known(id_, None, None, mark.mask, others=FOUND)
            del surplus[id_]
    return current, tuple(surplus)


def settle(
    known: KnownContacts,
    changes: Iterable[Change],
    policy: Policy = DEFAULT_POLICY,
    answers: Mapping[str, Answer] = _NO_ANSWERS,
) -> tuple[KnownContacts, bool]:
    """Record how Graph returns our own writes, from the delta read right after them.

    `answers` are those to the writes, by contact id: a version that is not ours is a user's edit,
    made before we read the delta. Return the known contacts, and whether the delta shows only our
    own writes. If not, the next run must plan even if the share did not change.
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
            answer = answers.get(change.id)
            if answer is None or answer.is_of(change.fields, now):
                current[key] = _seen(entry, now, change.fields, policy)
            else:
                current[key] = replace(entry, written=None, seen=now)
                only_ours = False
        elif entry.seen != now:
            current[key] = _compared(entry, change.fields, None, policy)
            only_ours = False
    return current, only_ours


def with_sources(
    known: KnownContacts, desired: Mapping[str, Contact], policy: Policy = DEFAULT_POLICY
) -> KnownContacts:
    """Note today's source values of the contacts that need no change.

    Values that are not published may have changed: whoever publishes them later changes no source.
    """
    current = known
    for key, contact in desired.items():
        entry = known.get(key)
        if entry is None or not entry.id or same_source(entry.source, contact.source):
            continue
        if entry.written == contact.without(entry.kept if policy.keep_edits else 0).hash:
            current = known.copy() if current is known else current
            current[key] = replace(entry, source=contact.source)
    return current
