"""The latest delta links of neighbouring mailboxes, in one row beside their heads.

A check that finds a folder unchanged gets a new link for it. Writing it into each head would cost
as many rows as mailboxes, so the links of a chunk are one packed row, in the partition of the
heads. Each entry counts only for the head's link from which it follows: whoever writes another link
into the head drops the entry this way.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

import orjson

from shared.adapters.storage.tables.client import Row, pack_bytes, unpack_bytes

_END: Final = "~"
"""Follows the last mailbox of a chunk in the key of its row; no mailbox id contains it."""


@dataclass(frozen=True, slots=True)
class FolderLink:
    """The latest link of a folder, and when the folder was last seen in its place.

    `base` is the mark of the head's link from which it follows.
    """

    base: str
    link: str
    looked: datetime | None


def mark_of_link(link: str) -> str:
    """Return a short hash of a delta link."""
    return blake2b(link.encode(), digest_size=9).hexdigest()


def links_row(mailboxes: Iterable[str]) -> str:
    """Return the row key of a chunk's links; it stands behind the heads of its mailboxes."""
    return f"{max(mailboxes)}{_END}"


def is_links_row(row: str) -> bool:
    """Return whether a row of the heads' partition holds links."""
    return row.endswith(_END)


def packed_links(links: Mapping[str, FolderLink]) -> dict[str, Any]:
    """Return the columns of a row of links."""
    rows = [[m, e.base, e.link, e.looked] for m, e in sorted(links.items())]
    return pack_bytes(zlib.compress(orjson.dumps(rows), level=1))


def unpacked_links(row: Row) -> dict[str, FolderLink]:
    """Return the links in a row."""
    rows: list[list[Any]] = orjson.loads(zlib.decompress(unpack_bytes(row)))
    return {
        mailbox: FolderLink(base, link, datetime.fromisoformat(looked) if looked else None)
        for mailbox, base, link, looked in rows
    }
