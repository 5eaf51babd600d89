"""Resolves a share's sources to contacts: who is in it, with which fields, and who is omitted.

Reading is all or nothing: if a page or group cannot be read, the resolution fails and no mailbox is
changed. Each source decides what it reads and what it omits. Only what `contents_for` returns
leaves the publisher.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.adapters.graph import directory
from shared.adapters.graph.transport import GraphSession
from shared.domain.contacts.fields import Contact
from shared.domain.contacts.keys import ContactKey
from shared.domain.contacts.mapping import people_named
from shared.domain.contacts.source_values import source_hash, without_values
from shared.domain.contacts.values import Fields
from shared.domain.errors import NeedsAdmin
from shared.domain.importing.runs import Omission
from shared.domain.reasons import INCLUDED, Reason
from shared.domain.sharing.selection import Selection, as_seen
from shared.domain.sharing.shares import ShareInput
from shared.services.sharing.sources.registry import SOURCES
from shared.services.sharing.sources.source import Source

MAX_CONTACTS: Final = 50_000


@dataclass(frozen=True, slots=True)
class ShareContents:
    """All that an importing tenant may know of a share: the contacts in it, by key."""

    contacts: dict[str, Contact]


@dataclass(frozen=True, slots=True)
class OwnContents(ShareContents):
    """The contents of a tenant's own share, and who is not in it: never for another tenant."""

    omissions: dict[tuple[str, Reason], Omission]

    def why_omitted(self, person: str) -> Reason | None:
        """Return why a person (an object id or a contact key) is omitted.

        None if the person is not.
        """
        text = person.lower()
        key = ContactKey.parse(text)
        ids = {text, key.id if key is not None else text}
        found = (o.reason for o in self.omissions.values() if o.id.lower() in ids)
        return next((reason for reason in found if reason not in INCLUDED), None)


@dataclass(slots=True)
class Resolution:
    """What a publisher's sources hold: contacts by key, the people they name, and the omissions."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    omissions: dict[tuple[str, Reason], Omission] = field(default_factory=dict)
    _named: dict[str, dict[str, ContactKey | str]] = field(default_factory=dict)

    def add(
        self,
        key: str,
        fields: Fields,
        source: str,
        named: Mapping[str, ContactKey | str] | None = None,
    ) -> None:
        """Add a contact unless its key is already there; `source` is its `source_hash`.

        `named` says who its fields name (`people_named`). Raises `NeedsAdmin` beyond 50,000.
        """
        if key in self.contacts:
            return
        if len(self.contacts) >= MAX_CONTACTS:
            raise NeedsAdmin(
                Reason.SHARE_TOO_LARGE, f"The share holds more than {MAX_CONTACTS} contacts."
            )
        self.contacts[key] = Contact.of(key, fields, source=source)
        if named:
            self._named[key] = dict(named)

    def omit(self, id_: str, reason: Reason) -> None:
        """Record that a person is omitted, or included without some values or the photo."""
        self.omissions.setdefault((id_.lower(), reason), Omission(id=id_, reason=reason))

    def omits(self, id_: str, reason: Reason) -> bool:
        """Return whether something is omitted for this reason."""
        return (id_.lower(), reason) in self.omissions

    def contents(self) -> OwnContents:
        """Return what the publisher sees of its own share."""
        return OwnContents(self._without_strangers(), self.omissions)

    def contents_for(self, subscriber: str, publisher: str) -> ShareContents:
        """Return what a tenant may know of the share, which may be its own."""
        own = subscriber == publisher
        return self.contents() if own else ShareContents(self._without_strangers())

    def _without_strangers(self) -> dict[str, Contact]:
        """Return the contacts without the names of people who are not among them."""
        found = dict(self.contacts)
        texts = {n for named in self._named.values() for n in named.values() if isinstance(n, str)}
        names = _names_among(found.values(), texts)
        known = found.keys() | names
        for key, named in self._named.items():
            strangers = [name for name, person in named.items() if str(person) not in known]
            if strangers and key in found:
                source = without_values(found[key].source, strangers)
                found[key] = found[key].without_fields(strangers, source)
        return found


def _names_among(contacts: Iterable[Contact], names: set[str]) -> set[str]:
    """Return those of the names that a contact has, compared as people see them."""
    if not names:
        return set()
    known = {as_seen(str(contact.fields.get("displayName", ""))) for contact in contacts}
    return {name for name in names if as_seen(name) in known}


async def resolve(share: ShareInput, session: GraphSession) -> Resolution:
    """Read a share's sources with its publisher's consent.

    A group among the exclusions excludes its members as well, including nested ones.

    Raises `TransientError` or `NeedsAdmin` (consent, a group that is gone, too many people).
    """
    resolution, wanted = Resolution(), Selection(share)
    if share.sources.exclude:
        for group in await directory.groups_by_id(session, share.sources.exclude, "id"):
            wanted.exclude(await directory.group_member_ids(session, group))
    for source in SOURCES:
        await add_source(resolution, source, wanted, session)
    return resolution


async def add_source(
    resolution: Resolution, source: Source, wanted: Selection, session: GraphSession
) -> None:
    """Read one source; each of its objects becomes a contact or an omission."""
    omitted: dict[tuple[str, Reason], str] = {}
    async for entry in source.read(wanted, session):
        key = str(ContactKey(source.kind, entry.id))
        if reason := entry.reason or source.omission(entry, wanted):
            omitted[entry.id, reason] = key
            continue
        fields, shortened = source.fields(entry, wanted)
        if shortened:
            resolution.omit(entry.id, Reason.SHORTENED)
        values = entry.object or {}
        named = people_named(source.kind, values, fields)
        resolution.add(key, fields, source_hash(source.kind, values), named)
    for (id_, reason), key in omitted.items():
        # One source may include a person that another omits, such as a hidden user listed by id.
        if key not in resolution.contacts:
            resolution.omit(id_, reason)
