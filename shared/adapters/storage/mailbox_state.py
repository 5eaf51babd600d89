"""What we know of our contacts in one mailbox: ids and hashes, never what a contact says.

Each mailbox of an import has a partition of its own, since one takes at most 2,000 entities in a
second (docs: scalability-targets). A small head row is all an idle mailbox needs. The list of
contacts stands in rows beside it, each time under a new generation, and counts only once the head
names that generation: so a worker may die between any two writes.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from shared.adapters.storage.records import Records, Stored
from shared.adapters.storage.tables import BYTES_PER_ROW, Row, Tables, pack_bytes, unpack_bytes
from shared.domain.contacts.plan import Known, KnownContacts
from shared.domain.errors import Busy, Conflict, PreconditionFailed
from shared.domain.importing.runs import ContactCounts, RejectedContact, Result
from shared.domain.model import Model
from shared.domain.reasons import Reason

_TABLE: Final = "MailboxState"
_HEAD: Final = "h"
_CHUNKS: Final = "k|"
_COUNT: Final = "contacts"
"""The column of a head that tells how many contacts there are, beside the JSON."""


class HeldPlan(Model):
    """A plan that waits for an admin: its digest (`Plan.risk`) and the run that asks."""

    risk: str
    run: str


class Partial(Model):
    """What earlier tries of a run did in a mailbox before they were given back."""

    run: str
    contacts: ContactCounts = ContactCounts()
    photos: int = 0
    graph_requests: int = 0
    throttled: int = 0


class Head(Model):
    """The state of one import in one mailbox.

    `fingerprint` is of the snapshot and destination last applied (None: plan again), `link` the
    folder's delta link, `own_folder` whether the folder is ours. `last_run` and `result` say what
    the last finished run did, `partial` what one did that is not finished, `held` which plan waits
    for an admin. `category` is the one our
    contacts have, `category_id` its entry in the user's list if we made it (with `color`).
    `keep_edits` says whether the state can tell which field a user edited, `notice` what could not
    be done although all contacts are as they should be.
    """

    fingerprint: str | None = None
    folder: str | None = None
    own_folder: bool = True
    folder_name: str | None = None
    link: str | None = None
    generation: str = ""
    chunks: int = 0
    contacts: int = 0
    rejected: tuple[RejectedContact, ...] = ()
    last_run: str | None = None
    result: Result | None = None
    partial: Partial | None = None
    held: HeldPlan | None = None
    category: str | None = None
    category_id: str | None = None
    color: str | None = None
    keep_edits: bool = False
    notice: Reason | None = None


class MailboxStates:
    """The states of all mailboxes."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._heads = Records(tables, _TABLE, Head, lambda head: {_COUNT: head.contacts})

    async def read(self, tenant: str, import_id: str, mailbox: str) -> Stored[Head] | None:
        """The head of one mailbox, or None if there was never a sync."""
        return await self._heads.get(_partition(tenant, import_id, mailbox), _HEAD)

    async def write(
        self, tenant: str, import_id: str, mailbox: str, head: Head, etag: str | None
    ) -> Stored[Head]:
        """Write the head of this ETag (None: there was none); `Busy` if another was quicker."""
        partition, row = _partition(tenant, import_id, mailbox), _HEAD
        try:
            if etag is None:
                return await self._heads.insert(partition, row, head)
            return await self._heads.replace(partition, row, head, etag)
        except (Conflict, PreconditionFailed) as error:
            message = "Another worker is at this mailbox."
            raise Busy(message, 5.0) from error

    async def contacts(
        self, tenant: str, import_id: str, mailbox: str, head: Head
    ) -> KnownContacts | None:
        """The contacts that the head's generation lists; None if a part of them is lost."""
        if not head.chunks:
            return {}
        parts: list[bytes] = []
        partition = _partition(tenant, import_id, mailbox)
        for number in range(head.chunks):
            name = _chunk_row(head.generation, number)
            row = await self._tables.get(_TABLE, partition, name)
            if row is None:
                return None
            parts.append(unpack_bytes(row))
        return await asyncio.to_thread(_unpacked, b"".join(parts))

    async def write_contacts(
        self, tenant: str, import_id: str, mailbox: str, generation: str, known: KnownContacts
    ) -> int:
        """Write a generation of contacts and answer in how many rows; the head must name it."""
        raw = await asyncio.to_thread(_packed, known)
        chunks = [raw[i : i + BYTES_PER_ROW] for i in range(0, len(raw), BYTES_PER_ROW)]
        partition = _partition(tenant, import_id, mailbox)
        for number, chunk in enumerate(chunks):
            name = _chunk_row(generation, number)
            await self._tables.upsert(_TABLE, partition, name, pack_bytes(chunk))
        return len(chunks)

    async def drop_contacts(
        self, tenant: str, import_id: str, mailbox: str, keep: str | None = None
    ) -> None:
        """Delete all generations of contacts but `keep`."""
        partition = _partition(tenant, import_id, mailbox)
        kept = f"{_CHUNKS}{keep}|" if keep is not None else None
        rows = [
            row.row
            async for row in self._tables.partition(_TABLE, partition, ["PartitionKey", "RowKey"])
            if row.row != _HEAD and (kept is None or not row.row.startswith(kept))
        ]
        await self._tables.write_many(_TABLE, partition, dict.fromkeys(rows))

    async def erase(self, tenant: str, import_id: str, mailbox: str, etag: str | None) -> None:
        """Forget a mailbox altogether."""
        await self.drop_contacts(tenant, import_id, mailbox)
        await self._heads.delete(_partition(tenant, import_id, mailbox), _HEAD, etag)

    async def mailboxes(self, tenant: str, import_id: str) -> list[str]:
        """The mailboxes in which the import has, or may have, contacts."""
        first = _partition(tenant, import_id, "")
        rows = self._rows(tenant, import_id, "PartitionKey", "RowKey")
        return [row.partition.removeprefix(first) async for row in rows]

    async def held(self, tenant: str, import_id: str) -> tuple[int, int]:
        """How many mailboxes hold contacts of the import, and how many contacts these are."""
        rows = self._rows(tenant, import_id, "PartitionKey", "RowKey", _COUNT)
        counts = [int(row.columns.get(_COUNT, 0)) async for row in rows]
        return sum(count > 0 for count in counts), sum(counts)

    def _rows(self, tenant: str, import_id: str, *columns: str) -> AsyncIterator[Row]:
        """Some columns of the heads of all mailboxes of an import."""
        first = _partition(tenant, import_id, "")
        return self._tables.rows(
            _TABLE,
            "PartitionKey ge @low and PartitionKey lt @high and RowKey eq @head",
            {"low": first, "high": f"{first[:-1]}}}", "head": _HEAD},
            columns,
        )


def _packed(known: KnownContacts) -> bytes:
    """Pack contacts; most have nothing but the first four values."""
    rows: list[list[Any]] = []
    for key, k in known.items():
        row: list[Any] = [key, k.id, k.written, k.seen, k.mask]
        if k.kept or k.checks or k.photo:
            row += [k.kept, k.checks, k.photo]
        rows.append(row)
    return zlib.compress(orjson.dumps(rows), level=1)


def _unpacked(raw: bytes) -> KnownContacts:
    rows: list[list[Any]] = orjson.loads(zlib.decompress(raw))
    return {key: Known(*rest) for key, *rest in rows}


def _partition(tenant: str, import_id: str, mailbox: str) -> str:
    return f"{tenant}|{import_id}|{mailbox}"


def _chunk_row(generation: str, number: int) -> str:
    return f"{_CHUNKS}{generation}|{number:04d}"
