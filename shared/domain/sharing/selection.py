"""What a share selects from its sources: the published fields, exclusions and the filter."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared.domain.contacts.fields import ALWAYS_PUBLISHED, DEFAULT_FIELDS
from shared.domain.contacts.keys import ContactKind
from shared.domain.contacts.mapping import map_source
from shared.domain.contacts.values import Fields
from shared.domain.reasons import Reason
from shared.domain.sharing.shares import ShareInput


class Selection:
    """Which people a share selects; `names` are the published fields.

    The names of people are always published.
    """

    def __init__(self, share: ShareInput) -> None:
        self.sources = share.sources
        published = share.fields if share.fields is not None else DEFAULT_FIELDS
        self.names = frozenset(published) | set(ALWAYS_PUBLISHED)
        self._excluded = {id_.lower() for id_ in share.sources.exclude}
        self._filter = {
            attribute: {as_seen(value) for value in values}
            for attribute, values in share.sources.filter.items()
        }

    def excludes(self, id_: str) -> bool:
        """Return whether the share excludes an object by its id."""
        return id_.lower() in self._excluded

    def exclude(self, ids: Iterable[str]) -> None:
        """Exclude more objects, such as the members of excluded groups."""
        self._excluded |= {id_.lower() for id_ in ids}

    def filters(self, attribute: str) -> bool:
        """Return whether the share filters by this attribute."""
        return attribute in self._filter

    def objection(self, person: Mapping[str, Any], status: Iterable[Reason] = ()) -> Reason | None:
        """Return why a person of the directory is omitted; None if the person is included.

        `status` holds reasons specific to the kind of object. An exclusion comes before them, the
        filter and a missing mail address after. The filter compares texts as people see them: in
        upper or lower case, however composed in Unicode, whatever the spaces around. Of several
        values of an attribute one must match.
        """
        return next(self._objections(person, status), None)

    def fields_of(self, kind: ContactKind, source: Mapping[str, Any]) -> tuple[Fields, bool]:
        """Map an object to the published fields; its mail address replaces a missing name.

        Return the fields, and whether values were shortened or dropped.
        """
        return map_source(kind, source, self.names)

    def _objections(self, person: Mapping[str, Any], status: Iterable[Reason]) -> Iterator[Reason]:
        if self.excludes(person["id"]):
            yield Reason.EXCLUDED
        yield from status
        for attribute, values in self._filter.items():
            given = person.get(attribute)
            texts = given if isinstance(given, list) else [given]
            if values.isdisjoint(as_seen(str(text or "")) for text in texts or [""]):
                yield Reason.FILTERED
        if not person.get("mail"):
            yield Reason.NO_EMAIL


def as_seen(text: str) -> str:
    """Return a text so that texts that look the same are equal."""
    folded = unicodedata.normalize("NFC", text).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())
