"""Contact keys: which kind of source a contact comes from, and its id there.

A key is stored in mailboxes, in our records and in results for ever. As text it reads `u-…`, `o-…`,
`g-…` or `c-…`. Where there are very many of them they are kept as text, but only this module puts
that text together or takes it apart.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ContactKind(StrEnum):
    """The kinds of sources; the letter begins every key of the kind and is never reused."""

    USER = "u"
    ORG_CONTACT = "o"
    GROUP = "g"
    MANUAL = "c"


_SEPARATOR: Final = "-"
_LETTERS: Final = {kind.value: kind for kind in ContactKind}


@dataclass(frozen=True, slots=True)
class ContactKey:
    """What names a contact for ever; Graph compares ids without regard to case, so in lower case.

    `str()` of it is the text that is stored.
    """

    kind: ContactKind
    id: str

    def __post_init__(self) -> None:
        """Bring the id to lower case."""
        object.__setattr__(self, "id", self.id.lower())

    def __str__(self) -> str:
        """The key as it is stored."""
        return f"{self.kind.value}{_SEPARATOR}{self.id}"

    @classmethod
    def parse(cls, text: str) -> "ContactKey | None":
        """Read a key from text; None if the text is not a key, such as an object id."""
        letter, separator, id_ = text.partition(_SEPARATOR)
        kind = _LETTERS.get(letter)
        return cls(kind, id_) if kind is not None and separator else None


def keys_of(person: str) -> tuple[str, ...]:
    """The keys that a person's contact may have, given an object id or a key."""
    key = ContactKey.parse(person)
    if key is not None:
        return (str(key),)
    return tuple(str(ContactKey(kind, person)) for kind in ContactKind)


def object_id_of(person: str) -> str:
    """The id in the directory of a person named by an object id or a key.

    A manual contact is in no directory, so its key stands for itself.
    """
    key = ContactKey.parse(person)
    return key.id if key is not None and key.kind is not ContactKind.MANUAL else person
