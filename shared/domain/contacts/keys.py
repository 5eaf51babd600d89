"""Contact keys: the kind of source that a contact comes from, and its id there.

Keys are stored in mailboxes, state and results, so their format never changes. As text a key is
`u-…`, `o-…`, `g-…` or `c-…`. Large collections hold keys as text, but only this module builds or
parses that text.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ContactKind(StrEnum):
    """The kinds of sources; every key of a kind starts with its letter, which is never reused."""

    USER = "u"
    ORG_CONTACT = "o"
    GROUP = "g"
    MANUAL = "c"


_SEPARATOR: Final = "-"
_LETTERS: Final = {kind.value: kind for kind in ContactKind}


@dataclass(frozen=True, slots=True)
class ContactKey:
    """The permanent identity of a contact, in lower case because Graph ignores the case of ids.

    `str()` returns the text that is stored.
    """

    kind: ContactKind
    id: str

    def __post_init__(self) -> None:
        """Convert the id to lower case."""
        object.__setattr__(self, "id", self.id.lower())

    def __str__(self) -> str:
        """Return the key as it is stored."""
        return f"{self.kind.value}{_SEPARATOR}{self.id}"

    @classmethod
    def parse(cls, text: str) -> "ContactKey | None":
        """Parse a key; None if the text is not a key but, for example, an object id."""
        letter, separator, id_ = text.partition(_SEPARATOR)
        kind = _LETTERS.get(letter)
        return cls(kind, id_) if kind is not None and separator else None


def keys_of(person: str) -> tuple[str, ...]:
    """Return the keys that a person's contact may have, given an object id or a key."""
    key = ContactKey.parse(person)
    if key is not None:
        return (str(key),)
    return tuple(str(ContactKey(kind, person)) for kind in ContactKind)


def object_id_of(person: str) -> str:
    """Return the directory id of a person, given an object id or a key.

    A manual contact is not in the directory, so its key is returned unchanged.
    """
    key = ContactKey.parse(person)
    return key.id if key is not None and key.kind is not ContactKind.MANUAL else person
