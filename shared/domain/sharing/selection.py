"""What a share selects from its sources: the published fields, exclusions and the filter."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from shared.domain.contacts.fields import ALWAYS_PUBLISHED, DEFAULT_FIELDS
from shared.domain.contacts.keys import ContactKind
from shared.domain.contacts.mapping import map_source
from shared.domain.contacts.values import Fields
from shared.domain.reasons import Reason
from shared.domain.sharing.shares import ShareInput

_SUGGESTED: Final = 5
"""The most values that are suggested instead of one that nobody has."""


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


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A value of a filter that no person has, and values of the attribute that people have.

    `known` holds the most similar values, else the most frequent ones.
    """

    attribute: str
    value: str
    known: tuple[str, ...]


def unmatched(
    filter_: Mapping[str, Sequence[str]], people: Iterable[Mapping[str, Any]]
) -> tuple[Unmatched, ...]:
    """Return the values of a filter that none of these people have."""
    counts: dict[str, Counter[str]] = {attribute: Counter() for attribute in filter_}
    for person in people:
        for attribute, counted in counts.items():
            if text := " ".join(str(person.get(attribute) or "").split()):
                counted[text] += 1
    found: list[Unmatched] = []
    for attribute, values in filter_.items():
        spelled = {as_seen(text): text for text, _ in reversed(counts[attribute].most_common())}
        frequent = [text for text, _ in counts[attribute].most_common(_SUGGESTED)]
        for value in values:
            if as_seen(value) not in spelled:
                close = get_close_matches(as_seen(value), spelled, _SUGGESTED)
                known = [spelled[text] for text in close] or frequent
                found.append(Unmatched(attribute, value, tuple(known)))
    return tuple(found)


def as_seen(text: str) -> str:
    """Return a text so that texts that look the same are equal."""
    folded = unicodedata.normalize("NFC", text).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())
