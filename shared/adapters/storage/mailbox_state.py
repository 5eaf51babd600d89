"""The state of our contacts in one mailbox: ids and hashes, never the content of a contact.

Each mailbox of an import has its own partition, because a partition takes at most 2,000 entities a
second (docs: scalability-targets). An idle mailbox needs only its small head row. The list of
contacts is stored in separate rows under a new generation each time, and becomes valid when the
head names that generation, so that a worker may die between any two writes.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from shared.adapters.storage.records import Records, Stored
from shared.adapters.storage.table_names import Table
from shared.adapters.storage.tables import BYTES_PER_ROW, Row, Tables, pack_bytes, unpack_bytes
from shared.domain.contacts.plan import Known, KnownContacts
from shared.domain.errors import Busy, Conflict, PreconditionFailed
from shared.domain.importing.runs import ContactCounts, RejectedContact, Result
from shared.domain.model import Model
from shared.domain.reasons import Reason

_TABLE: Final = Table.MAILBOX_STATE
_HEAD: Final = "h"
_CHUNKS: Final = "k|"
_COUNT: Final = "contacts"
"""The column of a head, beside the JSON, that holds the number of contacts."""


class HeldPlan(Model):
    """A plan that waits for an admin: its digest (`Plan.risk`) and the run that made it."""

    risk: str
    run: str


class Partial(Model):
    """What earlier attempts of a run did in a mailbox before their message was put back."""

    run: str
    contacts: ContactCounts = ContactCounts()
    photos: int = 0
    graph_requests: int = 0
    throttled: int = 0


class Head(Model):
    """The state of one import in one mailbox.

    `fingerprint` is that of the snapshot and destination last applied (None: a new plan is needed),
    `link` the folder's delta link, `own_folder` whether the folder is ours. `last_run` and `result`
    describe the last finished run, `partial` the progress of an unfinished one, `held` the plan
    that waits for an admin. `category` is the category of our contacts; `category_id` and `color`
    describe its entry in the user's list if we created it. `keep_edits` says whether the state
    shows which field a user edited. `notice` is a problem that does not affect the contacts.
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
        self._heads = Records[Head](tables, _TABLE, Head, {_COUNT: lambda head: head.contacts})

    async def read(self, tenant: str, import_id: str, mailbox: str) -> Stored[Head] | None:
        """Read the head of one mailbox; None if it was never synced."""
        return await self._heads.get(_partition(tenant, import_id, mailbox), _HEAD)

    async def write(
        self, tenant: str, import_id: str, mailbox: str, head: Head, etag: str | None
    ) -> Stored[Head]:
        """Write a head if its ETag still matches (None: it must not exist yet).

        Raises `Busy` if another worker wrote it first.
        """
        partition, row = _partition(tenant, import_id, mailbox), _HEAD
        try:
            if etag is None:
                return await self._heads.insert(partition, row, head)
            return await self._heads.replace(partition, row, head, etag)
        except (Conflict, PreconditionFailed) as error:
            message = "Another worker changed the state of this mailbox."
            raise Busy(message, 5.0) from error

    async def contacts(
        self, tenant: str, import_id: str, mailbox: str, head: Head
    ) -> KnownContacts | None:
        """Read the contacts of the head's generation; None if some of its rows are missing."""
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
        """Write a generation of contacts and return its number of rows.

        It becomes valid when a head that names it is written.
        """
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
        """Delete all generations of contacts except `keep`."""
        partition = _partition(tenant, import_id, mailbox)
        kept = f"{_CHUNKS}{keep}|" if keep is not None else None
        rows = [
            row.row
            async for row in self._tables.partition(_TABLE, partition, ["PartitionKey", "RowKey"])
            if row.row != _HEAD and (kept is None or not row.row.startswith(kept))
        ]
        await self._tables.write_many(_TABLE, partition, dict.fromkeys(rows))

    async def erase(self, tenant: str, import_id: str, mailbox: str, etag: str | None) -> None:
        """Erase the whole state of a mailbox."""
        await self.drop_contacts(tenant, import_id, mailbox)
        await self._heads.delete(_partition(tenant, import_id, mailbox), _HEAD, etag)

    async def mailboxes(self, tenant: str, import_id: str) -> list[str]:
        """Return the mailboxes in which the import has, or may have, contacts."""
        first = _partition(tenant, import_id, "")
        rows = self._rows(tenant, import_id, "PartitionKey", "RowKey")
        return [row.partition.removeprefix(first) async for row in rows]

    async def held(self, tenant: str, import_id: str) -> tuple[int, int]:
        """Return how many mailboxes hold contacts of the import, and how many contacts in all."""
        rows = self._rows(tenant, import_id, "PartitionKey", "RowKey", _COUNT)
        counts = [int(row.columns.get(_COUNT, 0)) async for row in rows]
        return sum(count > 0 for count in counts), sum(counts)

    def _rows(self, tenant: str, import_id: str, *columns: str) -> AsyncIterator[Row]:
        """Read some columns of the heads of all mailboxes of an import."""
        first = _partition(tenant, import_id, "")
        return self._tables.rows(
            _TABLE,
            "PartitionKey ge @low and PartitionKey lt @high and RowKey eq @head",
            {"low": first, "high": f"{first[:-1]}}}", "head": _HEAD},
            columns,
        )


def _packed(known: KnownContacts) -> bytes:
    """Pack contacts; the last three values, which most do not have, are omitted if empty."""
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
