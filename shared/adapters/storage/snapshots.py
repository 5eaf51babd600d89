"""The contacts of one run: packed in table rows, read once per process, erased with the run.

A snapshot holds personal data of the publisher's people, so it is kept no longer than its run; a
timer erases the snapshots that lost runs leave behind.
"""

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from shared.adapters.storage.table_names import Table
from shared.adapters.storage.tables import BYTES_PER_ROW, Tables, pack_bytes, unpack_bytes
from shared.domain.contacts.fields import Contact

_TABLE: Final = Table.SNAPSHOTS
_META: Final = "meta"
_KEPT_IN_MEMORY: Final = 4
_PHOTOS_IN_MEMORY: Final = 1_000

type Desired = dict[str, Contact]


class Snapshots:
    """Snapshots by id, which consists of tenant and run."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._cache: OrderedDict[str, asyncio.Task[Desired | None]] = OrderedDict()
        self._photos: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    async def write(self, snapshot: str, contacts: Sequence[Contact], now: datetime) -> None:
        """Write a snapshot as a whole or not at all: its last row makes it valid."""
        raw = await asyncio.to_thread(_packed, contacts)
        chunks = [raw[i : i + BYTES_PER_ROW] for i in range(0, len(raw), BYTES_PER_ROW)]
        for number, chunk in enumerate(chunks):
            await self._tables.upsert(_TABLE, snapshot, f"{number:04d}", pack_bytes(chunk))
        meta = {"chunks": len(chunks), "contacts": len(contacts), "written": now}
        await self._tables.upsert(_TABLE, snapshot, _META, meta)

    async def read(self, snapshot: str) -> Desired | None:
        """Return the contacts by key; None if the snapshot does not exist or no longer exists.

        Each process reads it once, because all mailboxes of a run share it.
        """
        task = self._cache.get(snapshot)
        if task is None:
            task = self._cache[snapshot] = asyncio.create_task(self._load(snapshot))
            while len(self._cache) > _KEPT_IN_MEMORY:
                self._cache.popitem(last=False)
        self._cache.move_to_end(snapshot)
        try:
            found = await asyncio.shield(task)
        except BaseException:
            self._cache.pop(snapshot, None)
            raise
        if found is None:
            self._cache.pop(snapshot, None)
        return found

    async def write_photo(self, snapshot: str, digest: str, image: bytes) -> None:
        """Write a photo of a snapshot, before the snapshot itself."""
        await self._tables.upsert(_TABLE, snapshot, f"photo|{digest}", pack_bytes(image))

    async def photo(self, snapshot: str, digest: str) -> bytes | None:
        """Return a photo of a snapshot, or None; the photos used last stay in memory."""
        found = self._photos.pop((snapshot, digest), None)
        if found is None:
            row = await self._tables.get(_TABLE, snapshot, f"photo|{digest}")
            if row is None:
                return None
            found = unpack_bytes(row)
        self._photos[snapshot, digest] = found
        while len(self._photos) > _PHOTOS_IN_MEMORY:
            self._photos.popitem(last=False)
        return found

    async def erase(self, snapshot: str) -> None:
        """Erase a snapshot from storage and memory."""
        self._cache.pop(snapshot, None)
        for known in [key for key in self._photos if key[0] == snapshot]:
            del self._photos[known]
        await self._tables.delete(_TABLE, snapshot, _META)
        await self._tables.delete_partition(_TABLE, snapshot)

    async def sweep(self, now: datetime, age: timedelta) -> int:
        """Erase all snapshots older than `age` and return how many."""
        query, parameters = "RowKey eq @meta and written lt @limit", {"limit": now - age}
        old = [
            row.partition
            async for row in self._tables.rows(
                _TABLE, query, {"meta": _META, **parameters}, ["PartitionKey", "RowKey"]
            )
        ]
        for snapshot in old:
            await self.erase(snapshot)
        return len(old)

    async def _load(self, snapshot: str) -> Desired | None:
        meta = await self._tables.get(_TABLE, snapshot, _META)
        if meta is None:
            return None
        parts: list[bytes] = []
        for number in range(int(meta.columns["chunks"])):
            row = await self._tables.get(_TABLE, snapshot, f"{number:04d}")
            if row is None:
                return None
            parts.append(unpack_bytes(row))
        return await asyncio.to_thread(_unpacked, b"".join(parts))


def _packed(contacts: Sequence[Contact]) -> bytes:
    rows = [[c.key, c.packed.decode(), c.hash, c.seen, c.mask, c.photo] for c in contacts]
    return zlib.compress(orjson.dumps(rows), level=1)


def _unpacked(raw: bytes) -> Desired:
    rows: list[list[Any]] = orjson.loads(zlib.decompress(raw))
    return {key: Contact(key, packed.encode(), *rest) for key, packed, *rest in rows}


def snapshot_id(tenant: str, run: str) -> str:
    """Return the id of a run's snapshot."""
    return f"{tenant}|{run}"
