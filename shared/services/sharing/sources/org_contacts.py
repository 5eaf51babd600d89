"""Organizational contacts: those in the share's groups, or all in the tenant."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from shared.adapters.graph import directory
from shared.adapters.graph.transport import GraphSession
from shared.domain.contacts.fields import properties_of
from shared.domain.contacts.keys import ContactKind
from shared.domain.contacts.values import Fields
from shared.domain.reasons import Reason
from shared.domain.sharing.selection import Selection
from shared.services.sharing.sources.source import Entry

_SELECT: Final = directory.select("id", *properties_of(ContactKind.ORG_CONTACT), "mail")
_IN_ADDRESSES: Final[Mapping[str, str]] = {
    "city": "city",
    "country": "countryOrRegion",
    "officeLocation": "officeLocation",
    "state": "state",
}
"""The attributes of a filter that an organizational contact has in each of its addresses."""


class OrgContacts:
    """The organizational contacts of the publisher's directory."""

    kind = ContactKind.ORG_CONTACT
    settings: tuple[str, ...] = ("groups", "org_contacts")

    async def read(self, wanted: Selection, session: GraphSession) -> AsyncIterator[Entry]:
        """Read the contacts of each group, then all contacts, 999 per page."""
        for group in wanted.sources.groups:
            if group.publishes_members:
                async for contact in directory.group_org_contacts(session, group.id, _SELECT):
                    yield Entry(contact["id"], contact)
        if wanted.sources.org_contacts:
            async for contact in directory.org_contacts(session, _SELECT):
                yield Entry(contact["id"], contact)

    def omission(self, entry: Entry, wanted: Selection) -> Reason | None:
        """Omit excluded and filtered contacts, and contacts without an address."""
        contact = entry.object or {}
        addresses: list[dict[str, Any]] = contact.get("addresses") or []
        places = {
            attribute: [address.get(name) for address in addresses]
            for attribute, name in _IN_ADDRESSES.items()
        }
        return wanted.objection({**contact, **places})

    def fields(self, entry: Entry, wanted: Selection) -> tuple[Fields, bool]:
        """Map an organizational contact by the table of fields."""
        return wanted.fields_of(self.kind, entry.object or {})
