"""Resolves a share's sources to contacts: who is in it, with which fields, and who is omitted.

Reading is all or nothing: if a page or group cannot be read, the resolution fails and no mailbox is
changed. Each source decides what it reads and what it omits.
"""

from dataclasses import dataclass, field
from typing import Final

from shared.adapters.graph import directory
from shared.adapters.graph.transport import GraphSession
from shared.domain.contacts.fields import Contact
from shared.domain.contacts.keys import ContactKey
from shared.domain.contacts.source_values import source_hash
from shared.domain.contacts.values import Fields
from shared.domain.errors import NeedsAdmin
from shared.domain.importing.runs import Omission
from shared.domain.reasons import Reason
from shared.domain.sharing.selection import Selection
from shared.domain.sharing.shares import ShareInput
from shared.services.sharing.sources.registry import SOURCES
from shared.services.sharing.sources.source import Source

MAX_CONTACTS: Final = 50_000


@dataclass(slots=True)
class Resolution:
    """The contacts of a share by key, and the omissions."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    omissions: dict[tuple[str, Reason], Omission] = field(default_factory=dict)

    def add(self, key: str, fields: Fields, source: str) -> None:
        """Add a contact unless its key is already there; `source` is its `source_hash`.

        Raises `NeedsAdmin` beyond 50,000.
        """
        if key not in self.contacts and len(self.contacts) >= MAX_CONTACTS:
            raise NeedsAdmin(
                Reason.SHARE_TOO_LARGE, f"The share holds more than {MAX_CONTACTS} contacts."
            )
        self.contacts.setdefault(key, Contact.of(key, fields, source=source))

    def omit(self, id_: str, reason: Reason) -> None:
        """Record that a person is omitted, or included without some values or the photo."""
        self.omissions.setdefault((id_.lower(), reason), Omission(id=id_, reason=reason))

    def why_omitted(self, person: str) -> Reason | None:
        """Return why a person (an object id or a contact key) is omitted.

        None if the person is not.
        """
        text = person.lower()
        key = ContactKey.parse(text)
        ids = {text, key.id if key is not None else text}
        found = (o.reason for o in self.omissions.values() if o.id.lower() in ids)
        return next((reason for reason in found if reason is not Reason.SHORTENED), None)


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
        if reason := source.omission(entry, wanted):
            omitted[entry.id, reason] = key
            continue
        fields, shortened = source.fields(entry, wanted)
        if shortened:
            resolution.omit(entry.id, Reason.SHORTENED)
        resolution.add(key, fields, source_hash(source.kind, entry.object or {}))
    for (id_, reason), key in omitted.items():
        # One source may include a person that another omits, such as a hidden user listed by id.
        if key not in resolution.contacts:
            resolution.omit(id_, reason)
