"""Manual contacts. They are stored in the share, so nothing is read and nobody is omitted."""

from collections.abc import AsyncIterator

from shared.adapters.graph.transport import GraphSession
from shared.domain.contacts.keys import ContactKind
from shared.domain.contacts.values import Fields
from shared.domain.reasons import Reason
from shared.domain.sharing.selection import Selection
from shared.services.sharing.sources.source import Entry


class ManualContacts:
    """The contacts that are typed into a share."""

    kind = ContactKind.MANUAL
    settings: tuple[str, ...] = ("contacts",)

    async def read(self, wanted: Selection, session: GraphSession) -> AsyncIterator[Entry]:
        """Return every contact as it is stored in the share."""
        del session
        for key, contact in wanted.sources.keyed_contacts():
            values = contact.model_dump(by_alias=True, exclude={"id"})
            yield Entry(key.id, values, named=True)

    def omission(self, entry: Entry, wanted: Selection) -> Reason | None:
        """Omit nobody: manual contacts are entered to be published."""
        del entry, wanted
        return None

    def fields(self, entry: Entry, wanted: Selection) -> tuple[Fields, bool]:
        """Return the published fields as entered."""
        return wanted.fields_of(self.kind, entry.object or {})
