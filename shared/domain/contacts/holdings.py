"""What a contact read from Graph shows and holds: our fields, and whatever its user added."""

from collections.abc import Mapping
from typing import Any, Final

from shared.domain.contacts.fields import GRAPH_FIELDS, ROWS

USER_FIELDS: Final = (
    "personalNotes",
    "nickName",
    "birthday",
    "spouseName",
    "children",
    "profession",
    "generation",
    "initials",
)
"""Properties that only the mailbox's user fills, read to know what would be lost with a contact."""
_DERIVED: Final = frozenset({"displayName", "fileAs"})
"""Names that Outlook makes of the others."""
_BITS: Final = {name: 1 << ROWS[name].bit for name in GRAPH_FIELDS}


def shows_all(observed: Mapping[str, Any], mask: int) -> bool:
    """Return whether a contact shows the fields of this mask, with or without a value."""
    return all(name in observed for name, bit in _BITS.items() if mask & bit)


def holds_more(observed: Mapping[str, Any], mask: int) -> bool:
    """Return whether a contact has a value that we did not write, or a second category."""
    return (
        any(observed.get(name) for name in USER_FIELDS)
        or len(observed.get("categories") or ()) > 1
        or any(
            ROWS[name].shape.clean(observed.get(name)) is not None
            for name, bit in _BITS.items()
            if not mask & bit and name not in _DERIVED and observed.get(name)
        )
    )
