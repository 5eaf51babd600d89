"""Groups as contacts, with the group's mail address. `users.py` reads their members."""

from collections.abc import AsyncIterator
from typing import Final

from shared.adapters.graph import directory
from shared.adapters.graph.transport import GraphSession
from shared.domain.contacts.fields import properties_of
from shared.domain.contacts.keys import ContactKind
from shared.domain.contacts.values import Fields
from shared.domain.reasons import Reason
from shared.domain.sharing.selection import Selection
from shared.services.sharing.sources.source import Entry

_SELECT: Final = directory.select("id", *properties_of(ContactKind.GROUP), "mail")


class Groups:
    """The groups that a share publishes as contacts."""

    kind = ContactKind.GROUP
    settings: tuple[str, ...] = ("groups",)

    async def read(self, wanted: Selection, session: GraphSession) -> AsyncIterator[Entry]:
        """Read each group with one request. Raises `NeedsAdmin` if a group is gone."""
        for group in wanted.sources.groups:
            if group.publishes_itself:
                found = await directory.group(session, group.id, _SELECT)
                yield Entry(found["id"], found, named=True)

    def omission(self, entry: Entry, wanted: Selection) -> Reason | None:
        """Omit excluded groups and groups without an address; filters apply only to people."""
        group = entry.object or {}
        if wanted.excludes(entry.id):
            return Reason.EXCLUDED
        return None if group.get("mail") else Reason.NO_EMAIL

    def fields(self, entry: Entry, wanted: Selection) -> tuple[Fields, bool]:
        """Map a group by the table of fields."""
        return wanted.fields_of(self.kind, entry.object or {})
