"""What we know of our contacts in one mailbox: ids and hashes, never what a contact says.

A small head row is all an idle mailbox needs. The list of contacts stands in rows beside it, each
time under a new generation, and counts only once the head names that generation: so a worker may
die between any two writes.
"""

import zlib
from datetime import datetime
from typing import Any, Final

import orjson

from shared.adapters.records import Records, Stored
from shared.adapters.tables import BYTES_PER_ROW, Tables, pack_bytes, unpack_bytes
from shared.domain.errors import Busy, Conflict, Defect, PreconditionFailed
from shared.domain.models import Model, RejectedContact, Result
from shared.domain.plan import Known, KnownContacts

_TABLE: Final = "MailboxState"


class Head(Model):
    """The state of one import in one mailbox.

    `fingerprint` is of the snapshot and destination last applied (None: plan again), `link` the
    folder's delta link, `own_folder` whether the folder is ours. `lease_until` and `lease_owner`
    say who is at work; `last_run` and `result` what the last finished run did.
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
    lease_owner: str | None = None
    lease_until: datetime | None = None
    last_run: str | None = None
    result: Result | None = None

    def leased(self, now: datetime) -> bool:
        """Whether a worker is at it."""
        return self.lease_until is not None and now < self.lease_until


class MailboxStates:
    """The states of all mailboxes."""

    def __init__(self, tables: Tables) -> None:
        """Keep them in these tables."""
        self._tables = tables
        self._heads = Records(tables, _TABLE, Head)

    async def read(self, tenant: str, import_id: str, mailbox: str) -> Stored[Head] | None:
        """The head of one mailbox, or None if there was never a sync."""
        return await self._heads.get(_partition(tenant, import_id), _head_row(mailbox))

    async def write(
        self, tenant: str, import_id: str, mailbox: str, head: Head, etag: str | None
    ) -> Stored[Head]:
        """Write the head of this ETag (None: there was none); `Busy` if another was quicker."""
        partition, row = _partition(tenant, import_id), _head_row(mailbox)
        try:
            if etag is None:
                return await self._heads.insert(partition, row, head)
            return await self._heads.replace(partition, row, head, etag)
        except (Conflict, PreconditionFailed) as error:
            message = "Another worker is at this mailbox."
            raise Busy(message, 5.0) from error

    async def contacts(
        self, tenant: str, import_id: str, mailbox: str, head: Head
    ) -> KnownContacts:
        """The contacts that the head's generation lists."""
        if not head.chunks:
            return {}
        parts: list[bytes] = []
        partition = _partition(tenant, import_id)
        for number in range(head.chunks):
            name = _chunk_row(mailbox, head.generation, number)
            row = await self._tables.get(_TABLE, partition, name)
            if row is None:
                message = "A part of a mailbox's state is missing."
                raise Defect(message)
            parts.append(unpack_bytes(row))
        packed: list[list[Any]] = orjson.loads(zlib.decompress(b"".join(parts)))
        return {key: Known(*rest) for key, *rest in packed}

    async def write_contacts(
        self, tenant: str, import_id: str, mailbox: str, generation: str, known: KnownContacts
    ) -> int:
        """Write a generation of contacts and answer in how many rows; the head must name it."""
        packed = [[key, k.id, k.written, k.seen, k.mask] for key, k in known.items()]
        raw = zlib.compress(orjson.dumps(packed), level=1)
        chunks = [raw[i : i + BYTES_PER_ROW] for i in range(0, len(raw), BYTES_PER_ROW)]
        partition = _partition(tenant, import_id)
        for number, chunk in enumerate(chunks):
            name = _chunk_row(mailbox, generation, number)
            await self._tables.upsert(_TABLE, partition, name, pack_bytes(chunk))
        return len(chunks)

    async def drop_contacts(
        self, tenant: str, import_id: str, mailbox: str, keep: str | None = None
    ) -> None:
        """Delete all generations of contacts but `keep`."""
        partition = _partition(tenant, import_id)
        prefix = f"k|{mailbox}|"
        kept = f"{prefix}{keep}|" if keep is not None else None
        rows = [
            row.row
            async for row in self._tables.rows(
                _TABLE,
                "PartitionKey eq @p and RowKey ge @low and RowKey lt @high",
                {"p": partition, "low": prefix, "high": f"k|{mailbox}}}"},
                ["PartitionKey", "RowKey"],
            )
            if kept is None or not row.row.startswith(kept)
        ]
        await self._tables.write_many(_TABLE, partition, dict.fromkeys(rows))

    async def erase(self, tenant: str, import_id: str, mailbox: str, etag: str | None) -> None:
        """Forget a mailbox altogether."""
        await self.drop_contacts(tenant, import_id, mailbox)
        await self._heads.delete(_partition(tenant, import_id), _head_row(mailbox), etag)

    async def mailboxes(self, tenant: str, import_id: str) -> list[str]:
        """The mailboxes in which the import has, or may have, contacts."""
        return [
            row.row[2:]
            async for row in self._tables.rows(
                _TABLE,
                "PartitionKey eq @p and RowKey ge @low and RowKey lt @high",
                {"p": _partition(tenant, import_id), "low": "h|", "high": "h}"},
                ["PartitionKey", "RowKey"],
            )
        ]


def _partition(tenant: str, import_id: str) -> str:
    return f"{tenant}|{import_id}"


def _head_row(mailbox: str) -> str:
    return f"h|{mailbox}"


def _chunk_row(mailbox: str, generation: str, number: int) -> str:
    return f"k|{mailbox}|{generation}|{number:04d}"
