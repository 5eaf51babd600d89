"""The changes that one mailbox needs: pure decisions from desired and known contacts.

A sync compares the known contacts (`known`) with the share (`make_plan`). Photos come last
(`photos_due`), because a contact must exist before it can have one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from shared.domain.contacts.fields import Contact, graph_body, wrote
from shared.domain.contacts.known import (
    DEFAULT_POLICY,
    FOUND,
    Change,
    Known,
    KnownContacts,
    Policy,
)
from shared.domain.contacts.source_values import same_source
from shared.domain.contacts.values import Fields


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
        """Whether the source did not change: we repair the contact, or write it differently.

        Where it is not known of which source values the contact was made, they count as changed.
        """
        same = same_source(self.known.source, self.contact.source)
        return same or self.known.written == self.contact.hash

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
    """Delete contact `id`; `key` is empty for a duplicate.

    One that is `only_ours` is deleted for good; any other can be recovered by the mailbox's user.
    """

    key: str
    id: str
    only_ours: bool = False


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
        """The updates with new source data, without repairs and rewrites of our own making."""
        return tuple(update for update in self.updates if not update.repair)


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
    deletes = [
        Delete(k, entry.id, entry.only_ours)
        for k, entry in known.items()
        if entry.id and k not in desired
    ]
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
                current[key] = Known(id_, contact.hash, None, contact.mask, contact.source)
            case Update(key, contact, before):
                current[key] = Known(
                    id_,
                    contact.hash,
                    None,
                    contact.mask,
                    contact.source,
                    before.kept,
                    "",
                    before.photo,
                    before.others,
                )
            case Delete(key):
                current.pop(key, None)
            case SetPhoto(key, _, digest):
                current[key] = replace(current[key], photo=digest)
            case Adopt(key):
                current[key] = Known(id_, None, None, 0, others=FOUND)
    return current
