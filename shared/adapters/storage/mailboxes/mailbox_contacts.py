"""The list of our contacts in one mailbox: a packed base, and small journal rows beside it.

A change writes one journal row that holds only the changed entries, whatever the length of the
list. When the journal has grown, the list is folded into a new base. The head of the mailbox names
the rows that count, so that a worker may die between any two writes; all other rows are leftovers.
"""

import asyncio
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from shared.adapters.storage.tables.client import (
    BYTES_PER_ROW,
    Row,
    Tables,
    pack_bytes,
    unpack_bytes,
)
from shared.adapters.storage.tables.names import Table
from shared.domain.contacts.known import Known, KnownContacts
from shared.domain.errors import Busy
from shared.domain.model import Model

VERSION: Final = 3
"""The format of heads and lists. An older worker gives back the message of a newer one."""

_TABLE: Final = Table.MAILBOX_CONTACTS
_VERSION: Final = "version"
_LONGEST_JOURNAL: Final = 40
_SMALL: Final = 500


class ContactRows(Model):
    """The rows that hold the list: `base` of them packed, and the `journal` rows by name, in order.

    `journaled` is the number of entries in the journal.
    """

    generation: str = ""
    base: int = 0
    journal: tuple[str, ...] = ()
    journaled: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The keys of the rows, in the order in which they are applied."""
        base = (f"b|{self.generation}|{number:04d}" for number in range(self.base))
        return (*base, *(f"j|{self.generation}|{name}" for name in self.journal))


@dataclass(frozen=True, slots=True)
class ListPlace:
    """One import in one mailbox of a tenant."""

    tenant: str
    import_id: str
    mailbox: str

    @property
    def partition(self) -> str:
        """The partition of its contacts."""
        return f"{self.tenant}|{self.import_id}|{self.mailbox}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The contacts (None: a row is missing), and the names of all rows found, leftovers too."""

    known: KnownContacts | None
    found: frozenset[str]


class MailboxContacts:
    """The lists of all mailboxes."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def load(self, place: ListPlace, rows: ContactRows) -> Loaded:
        """Read a list with one query."""
        found = {row.row: row async for row in self._tables.partition(_TABLE, place.partition)}
        if any(int(row.columns.get(_VERSION, 0)) > VERSION for row in found.values()):
            raise Busy("A newer version of the app wrote the contacts of this mailbox.", 60.0)
        named = [found.get(name) for name in rows.names]
        parts = [row for row in named if row is not None]
        if len(parts) < len(named):
            return Loaded(None, frozenset(found))
        return Loaded(await asyncio.to_thread(_unpacked, parts, rows.base), frozenset(found))

    async def write(
        self,
        place: ListPlace,
        rows: ContactRows,
        before: KnownContacts,
        now: KnownContacts,
        token: str,
    ) -> ContactRows:
        """Write what changed since `before`, the list that `rows` hold; return the rows to name.

        The new row counts once a head names it. `token` tells it from a row that another worker
        writes at the same time.
        """
        changes: dict[str, Known | None] = {
            key: entry
            for key, entry in now.items()
            if (known := before.get(key)) is not entry and known != entry
        }
        changes.update({key: None for key in before if key not in now})
        if not changes:
            return rows
        journaled = rows.journaled + len(changes)
        if len(rows.journal) < _LONGEST_JOURNAL and journaled <= max(_SMALL, len(now) // 2):
            raw = await asyncio.to_thread(_packed, changes)
            if len(raw) <= BYTES_PER_ROW:
                name = f"{len(rows.journal):04d}{token}"
                rows = rows.copy_with(
                    generation=rows.generation or token,
                    journal=(*rows.journal, name),
                    journaled=journaled,
                )
                await self._upsert(place, rows.names[-1], raw)
                return rows
        return await self._fold(place, now, token)

    async def drop(self, place: ListPlace, found: Iterable[str], keep: ContactRows) -> None:
        """Delete rows found before the head was written, except those that it names."""
        left = [name for name in found if name not in set(keep.names)]
        await self._tables.write_many(_TABLE, place.partition, dict.fromkeys(left))

    async def names(self, place: ListPlace) -> frozenset[str]:
        """Return the keys of all rows of a list, leftovers too."""
        keys = ["PartitionKey", "RowKey"]
        rows = self._tables.partition(_TABLE, place.partition, keys)
        return frozenset([row.row async for row in rows])

    async def erase(self, place: ListPlace) -> None:
        """Erase a list."""
        await self.drop(place, await self.names(place), ContactRows())

    async def _fold(self, place: ListPlace, now: KnownContacts, token: str) -> ContactRows:
        raw = await asyncio.to_thread(_packed, now)
        chunks = [raw[i : i + BYTES_PER_ROW] for i in range(0, len(raw), BYTES_PER_ROW)]
        rows = ContactRows(generation=token, base=len(chunks))
        for name, chunk in zip(rows.names, chunks, strict=True):
            await self._upsert(place, name, chunk)
        return rows

    async def _upsert(self, place: ListPlace, name: str, raw: bytes) -> None:
        columns = {_VERSION: VERSION, **pack_bytes(raw)}
        await self._tables.upsert(_TABLE, place.partition, name, columns)


def _packed(entries: Mapping[str, Known | None]) -> bytes:
    """Pack entries, None for a contact that is gone; values that most do not have come last."""
    rows: list[list[Any]] = []
    for key, k in entries.items():
        row: list[Any] = [key]
        if k is not None:
            row += [k.id, k.written, k.seen, k.mask, k.source]
            if k.kept or k.checks or k.photo or k.others:
                row += [k.kept, k.checks, k.photo]
            if k.others:
                row.append(k.others)
        rows.append(row)
    return zlib.compress(orjson.dumps(rows), level=1)


def _unpacked(rows: list[Row], base: int) -> KnownContacts:
    """Read the base, whose rows are one packed list, and apply the journal in its order."""
    packed = [b"".join(unpack_bytes(row) for row in rows[:base])] if base else []
    packed += [unpack_bytes(row) for row in rows[base:]]
    known: KnownContacts = {}
    for raw in packed:
        entries: list[list[Any]] = orjson.loads(zlib.decompress(raw))
        for key, *rest in entries:
            if rest:
                known[key] = Known(*rest)
            else:
                known.pop(key, None)
    return known
