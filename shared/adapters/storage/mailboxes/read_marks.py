"""How far the marks of a folder's contacts were read, so that a long read goes on where it was.

A folder may hold thousands of its user's own contacts, and the mark of each takes a request. The
row stands beside the list of our contacts and counts for one run only; whatever rewrites that list
may erase it as a leftover. It holds hashes of ids, and the keys of those that are ours.
"""

import zlib
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import orjson

from shared.adapters.storage.mailboxes.mailbox_contacts import ListPlace
from shared.adapters.storage.tables.client import Tables, pack_bytes, unpack_bytes
from shared.adapters.storage.tables.names import Table
from shared.domain.contacts.fields import Mark

type SeenMarks = dict[str, Mark | None]
"""The marks of contacts by a hash of their id; None for one that is not ours."""

_TABLE: Final = Table.MAILBOX_CONTACTS
_ROW: Final = "read"
_RUN: Final = "run"
_MOST: Final = 40_000
"""With this many hashes of ten bytes, a row is still below its limit."""


class ReadMarks:
    """The marks that unfinished reads of folders have seen."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def load(self, place: ListPlace, run: str) -> SeenMarks:
        """Return what earlier messages of this run have seen."""
        row = await self._tables.get(_TABLE, place.partition, _ROW)
        if row is None or row.columns.get(_RUN) != run:
            return {}
        values: list[list[Any]] = orjson.loads(zlib.decompress(unpack_bytes(row)))
        return {id_: Mark(*mark) if mark else None for id_, *mark in values}

    async def save(self, place: ListPlace, run: str, seen: Mapping[str, Mark | None]) -> None:
        """Store what this run has seen, as much as a row holds; the rest is read again."""
        rows = [[id_, mark.key, mark.mask] if mark else [id_] for id_, mark in seen.items()]
        packed = zlib.compress(orjson.dumps(rows[:_MOST]), level=1)
        columns = {_RUN: run, **pack_bytes(packed)}
        await self._tables.upsert(_TABLE, place.partition, _ROW, columns)

    async def erase(self, place: ListPlace) -> None:
        """Forget what was seen."""
        await self._tables.delete(_TABLE, place.partition, _ROW)


def hash_of_id(id_: str) -> str:
    """Return the hash under which the mark of a contact is kept."""
    return blake2b(id_.encode(), digest_size=10).hexdigest()
