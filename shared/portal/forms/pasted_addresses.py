"""Addresses in a pasted list.

There is one per line, or they are separated by commas or semicolons; Outlook copies them as
`Name <address>`.
"""

import re
from typing import Final

_ADDRESS: Final = re.compile(r"[^\s<>,;\"()@:]+@[^\s<>,;\"()@:]+")
_ENDS: Final = re.compile(r"[\r\n;]+")


def entries_of(text: str) -> list[str]:
    """Return the addresses of a list in their order, and entries without one as they are."""
    found: list[str] = []
    for line in _ENDS.split(text):
        before = ""
        for part in line.split(","):
            addresses = _ADDRESS.findall(part)
            if not addresses:
                found += _kept(before)
                before = part
                continue
            # A comma within a name, as in: Weber, Anna <anna@example.com>
            found += _kept(before) if "<" not in part else []
            found += addresses
            before = ""
        found += _kept(before)
    return list(dict.fromkeys(found))


def _kept(part: str) -> list[str]:
    text = part.strip().strip("\"'")
    return [text] if text else []
