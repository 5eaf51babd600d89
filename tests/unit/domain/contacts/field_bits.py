"""The bits of contact fields as they were first written, one line each, in `field_bits.txt`.

Masks are stored in users' mailboxes for ever: `make openapi` adds the line of a new field and never
changes another; a field that is dropped keeps its line, so that nothing takes its bit.
"""

from pathlib import Path
from typing import Final

from shared.domain.contacts.fields import FIELDS

FILE: Final = Path(__file__).with_name("field_bits.txt")


def pinned() -> list[tuple[int, str]]:
    """The lines of the file: a bit and the field's name."""
    lines = [line.split() for line in FILE.read_text("utf-8").splitlines()]
    return [(int(bit), name) for bit, name in lines]


def add_new_fields() -> None:
    """Add a line for each field that has none yet."""
    known = {name for _, name in pinned()}
    new = sorted((row.bit, row.name) for row in FIELDS if row.name not in known)
    with FILE.open("a", encoding="utf-8") as file:
        file.writelines(f"{bit} {name}\n" for bit, name in new)


if __name__ == "__main__":
    add_new_fields()
