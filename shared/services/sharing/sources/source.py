"""The interface of a source of contacts: its kind, what it reads and omits, how it maps fields.

Only a source's own module knows its kind. `tests/unit/sharing/test_sources.py` checks every source
of `registry.SOURCES` against the same contract.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from shared.adapters.graph.transport import GraphSession
from shared.domain.contacts.keys import ContactKind
from shared.domain.contacts.values import Fields
from shared.domain.reasons import Reason
from shared.domain.sharing.selection import Selection


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a source, by id; `named` says that the share lists this object itself.

    `object` is None if the share lists an id that the source does not have, or cannot read for a
    `reason`.
    """

    id: str
    object: Mapping[str, Any] | None
    named: bool = False
    reason: Reason | None = None


class Source(Protocol):
    """A source of contacts of one kind."""

    kind: ContactKind
    """The kind of its contacts' keys."""

    settings: tuple[str, ...]
    """The attributes of `Sources` that select its objects."""

    def read(self, wanted: Selection, session: GraphSession) -> AsyncIterator[Entry]:
        """Read every object that a share selects, or raise: no partial read counts as complete.

        Also raises if an object lacks a requested property. It may yield an object twice.
        """
        ...

    def omission(self, entry: Entry, wanted: Selection) -> Reason | None:
        """Return why an entry does not become a contact; None if it does."""
        ...

    def fields(self, entry: Entry, wanted: Selection) -> tuple[Fields, bool]:
        """Return the published fields of an entry, and whether Graph's limits dropped values."""
        ...
