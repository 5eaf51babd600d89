"""The sets of changes that wait for an admin: keys and hashes, never the content of a contact.

A set is stored once per run, however many mailboxes share it; the head of each names it. It is kept
as long as its run, since a mailbox that was not reached for long may still apply what was approved.
"""

import asyncio
import zlib
from collections import OrderedDict
from typing import Any, Final

import orjson

from shared.adapters.storage.tables.client import BYTES_PER_ROW, Tables, pack_bytes, unpack_bytes
from shared.adapters.storage.tables.conditions import ROW
from shared.adapters.storage.tables.names import Table
from shared.domain.contacts.held_plans import NOTHING, HeldChange, HeldChanges, digest_of

_TABLE: Final = Table.HELD_PLANS
_ROWS: Final = "rows"
_KEPT_IN_MEMORY: Final = 8


class HeldPlans:
    """The sets by run and digest; one never changes."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._recent: OrderedDict[tuple[str, str], HeldChanges] = OrderedDict()

    async def write(self, tenant: str, run: str, changes: HeldChanges) -> str:
        """Store a set, unless the run has it already; return its digest."""
        digest = await asyncio.to_thread(digest_of, changes)
        if not await self.read(tenant, run, digest):
            raw = await asyncio.to_thread(_packed, changes)
            parts = [raw[i : i + BYTES_PER_ROW] for i in range(0, len(raw), BYTES_PER_ROW)]
            # The first row says how many there are, so it comes last.
            for number, part in reversed(list(enumerate(parts))):
                columns = {_ROWS: len(parts), **pack_bytes(part)}
                await self._tables.upsert(
                    _TABLE, _partition(tenant, run), _row(digest, number), columns
                )
            self._remember(_partition(tenant, run), digest, changes)
        return digest

    async def read(self, tenant: str, run: str, digest: str) -> HeldChanges:
        """Return a set; an empty one if it is not there, or no longer."""
        partition = _partition(tenant, run)
        known = self._recent.get((partition, digest))
        if known is not None:
            return known
        raw: list[bytes] = []
        count = 1
        while len(raw) < count:
            row = await self._tables.get(_TABLE, partition, _row(digest, len(raw)))
            if row is None:
                return NOTHING
            count = int(row.columns[_ROWS])
            raw.append(unpack_bytes(row))
        changes = await asyncio.to_thread(_unpacked, b"".join(raw))
        self._remember(partition, digest, changes)
        return changes

    async def of_run(self, tenant: str, run: str) -> HeldChanges:
        """Return all changes that wait in a run, whatever mailbox they wait in."""
        partition = _partition(tenant, run)
        rows = self._tables.partition(_TABLE, partition, [ROW])
        digests = {row.row.split("|")[0] async for row in rows}
        sets = [await self.read(tenant, run, digest) for digest in sorted(digests)]
        return NOTHING.union(*sets)

    async def erase(self, tenant: str, run: str) -> None:
        """Erase the sets of a run."""
        await self._tables.delete_partition(_TABLE, _partition(tenant, run))

    def _remember(self, partition: str, digest: str, changes: HeldChanges) -> None:
        self._recent[partition, digest] = changes
        while len(self._recent) > _KEPT_IN_MEMORY:
            self._recent.popitem(last=False)


def _packed(changes: HeldChanges) -> bytes:
    return zlib.compress(orjson.dumps([list(change) for change in sorted(changes)]), level=1)


def _unpacked(raw: bytes) -> HeldChanges:
    found: list[list[Any]] = orjson.loads(zlib.decompress(raw))
    return frozenset(HeldChange(*change) for change in found)


def _partition(tenant: str, run: str) -> str:
    return f"{tenant}|{run}"


def _row(digest: str, number: int) -> str:
    return f"{digest}|{number:04d}"
