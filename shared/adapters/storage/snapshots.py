"""What one run resolved: its contacts, its photos and its job, packed in table rows.

A snapshot is written once, by one attempt to resolve the run, and never changes; the run's row
names the one that counts. It holds personal data of the publisher's people, so it is erased when
its run ends (a held run keeps it until the decision). A row written before everything else, and
erased after it, lets the sweep find even a part of a snapshot.
"""

import asyncio
import hashlib
import zlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from shared.adapters.storage.tables.client import BYTES_PER_ROW, Tables, pack_bytes, unpack_bytes
from shared.adapters.storage.tables.names import Table
from shared.domain.contacts.fields import Contact
from shared.domain.importing.imports import Import
from shared.domain.importing.messages import Task
from shared.domain.reasons import Reason

CHUNK: Final = 20
"""How many mailboxes one message of `mailbox-checks` covers: as many as one batch of Graph's."""

_TABLE: Final = Table.SNAPSHOTS
BEGUN: Final = "begun"
"""The row of a snapshot that is written first and erased last; `written` says when."""
_META: Final = "meta"
_CONTACTS: Final = "contacts"
_JOB: Final = "job"
_KEPT_IN_MEMORY: Final = 4
_PHOTOS_IN_MEMORY: Final = 1_000

type Desired = dict[str, Contact]


@dataclass(frozen=True, slots=True)
class Job:
    """What a run has to do.

    `tasks` are the mailboxes to work on, sorted, `skip` those left out with the reason. `settings`
    are the import's when the run resolved: workers use these, whatever an admin changes meanwhile.
    `reason` is the run's, if it has one before any mailbox is touched. `asked_again` are mailboxes
    of tasks that were missing so far, each with the hash of its directory entry; they have no
    license yet. The people that a purge removes are not in it: no tenant learns who was suppressed
    by others.
    """

    settings: Import
    fingerprint: str = ""
    tasks: tuple[tuple[str, Task], ...] = ()
    skip: Mapping[str, Reason] = field(default_factory=dict)
    reason: Reason | None = None
    asked_again: Mapping[str, str] = field(default_factory=dict)

    @property
    def chunks(self) -> int:
        """Return into how many chunks the mailboxes are divided."""
        return -(-len(self.tasks) // CHUNK)

    @property
    def digest(self) -> str:
        """Return one hash over the mailboxes and everything that they should hold.

        Targets without a mailbox hold nothing, whether a run asks about them or not.
        """
        tasks = [task for task in self.tasks if task[0] not in self.asked_again]
        skip = sorted(item for item in self.skip.items() if item[1] is not Reason.NO_MAILBOX)
        parts = [self.fingerprint, tasks, skip]
        return hashlib.blake2b(orjson.dumps(parts), digest_size=16).hexdigest()

    def chunk(self, number: int) -> dict[str, Task]:
        """Return the mailboxes of one chunk; neighbours by id share one."""
        return dict(self.tasks[number * CHUNK : (number + 1) * CHUNK])


class Snapshots:
    """Snapshots by id (`snapshot_id`)."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._contacts = _Cache[Desired]()
        self._jobs = _Cache[Job]()
        self._photos: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    async def begin(self, snapshot: str, now: datetime) -> None:
        """Announce a snapshot, before the first of its rows is written."""
        await self._tables.upsert(_TABLE, snapshot, BEGUN, {"written": now})

    async def write(self, snapshot: str, contacts: Sequence[Contact], job: Job) -> None:
        """Write the contacts and the job. The snapshot counts once its last row is there."""
        parts = {
            _CONTACTS: await asyncio.to_thread(_packed_contacts, contacts),
            _JOB: await asyncio.to_thread(_packed_job, job),
        }
        rows = {}
        for name, raw in parts.items():
            chunks = [raw[i : i + BYTES_PER_ROW] for i in range(0, len(raw), BYTES_PER_ROW)]
            for number, chunk in enumerate(chunks):
                await self._tables.upsert(
                    _TABLE, snapshot, f"{name}|{number:04d}", pack_bytes(chunk)
                )
            rows[name] = len(chunks)
        await self._tables.upsert(_TABLE, snapshot, _META, rows)

    async def read(self, snapshot: str) -> Desired | None:
        """Return the contacts by key; None if there is no such snapshot, or no longer.

        Read once per process, since the mailboxes of a run share it.
        """
        return await self._contacts.get(snapshot, lambda: self._load(snapshot, _CONTACTS, _desired))

    async def job(self, snapshot: str) -> Job | None:
        """Return the job; None if there is no such snapshot, or no longer."""
        return await self._jobs.get(snapshot, lambda: self._load(snapshot, _JOB, _unpacked_job))

    async def write_photo(self, snapshot: str, digest: str, image: bytes) -> None:
        """Write a photo of a snapshot that is being made."""
        await self._tables.upsert(_TABLE, snapshot, f"photo|{digest}", pack_bytes(image))

    async def photo(self, snapshot: str, digest: str) -> bytes | None:
        """Return a photo of a snapshot, or None; those used last stay in memory."""
        found = self._photos.pop((snapshot, digest), None)
        if found is None:
            row = await self._tables.get(_TABLE, snapshot, f"photo|{digest}")
            if row is None:
                return None
            found = unpack_bytes(row)
        self.hold_photo(snapshot, digest, found)
        return found

    def hold_photo(self, snapshot: str, digest: str, image: bytes) -> None:
        """Keep a photo in memory, for the other mailboxes of the run."""
        self._photos[snapshot, digest] = image
        while len(self._photos) > _PHOTOS_IN_MEMORY:
            self._photos.popitem(last=False)

    async def erase(self, snapshot: str) -> None:
        """Erase one snapshot from storage and memory."""
        self._contacts.drop(snapshot)
        self._jobs.drop(snapshot)
        for known in [key for key in self._photos if key[0] == snapshot]:
            del self._photos[known]
        await self._tables.delete(_TABLE, snapshot, _META)
        rows = [
            row.row
            async for row in self._tables.partition(_TABLE, snapshot, ["PartitionKey", "RowKey"])
            if row.row != BEGUN
        ]
        await self._tables.write_many(_TABLE, snapshot, dict.fromkeys(rows))
        await self._tables.delete(_TABLE, snapshot, BEGUN)

    async def erase_of(self, tenant: str, run: str) -> None:
        """Erase all snapshots that a run ever began."""
        first = f"{tenant}|{run}|"
        rows = self._tables.rows(
            _TABLE,
            "PartitionKey ge @low and PartitionKey lt @high",
            {"low": first, "high": f"{first[:-1]}}}"},
            ["PartitionKey"],
        )
        for snapshot in dict.fromkeys([row.partition async for row in rows]):
            await self.erase(snapshot)

    async def _load[T](self, snapshot: str, name: str, unpacked: Callable[[bytes], T]) -> T | None:
        meta = await self._tables.get(_TABLE, snapshot, _META)
        if meta is None:
            return None
        parts: list[bytes] = []
        for number in range(int(meta.columns[name])):
            row = await self._tables.get(_TABLE, snapshot, f"{name}|{number:04d}")
            if row is None:
                return None
            parts.append(unpack_bytes(row))
        return await asyncio.to_thread(unpacked, b"".join(parts))


class _Cache[T]:
    """What was read last, each once however many ask for it at the same time."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[str, asyncio.Task[T | None]] = OrderedDict()

    async def get(self, key: str, load: Callable[[], Coroutine[Any, Any, T | None]]) -> T | None:
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(load())
            while len(self._tasks) > _KEPT_IN_MEMORY:
                self._tasks.popitem(last=False)
        self._tasks.move_to_end(key)
        try:
            found = await asyncio.shield(task)
        except BaseException:
            self._tasks.pop(key, None)
            raise
        if found is None:
            self._tasks.pop(key, None)
        return found

    def drop(self, key: str) -> None:
        self._tasks.pop(key, None)


def _packed_contacts(contacts: Sequence[Contact]) -> bytes:
    rows = [[c.key, c.packed.decode(), c.hash, c.seen, c.mask, c.photo, c.source] for c in contacts]
    return zlib.compress(orjson.dumps(rows), level=1)


def _desired(raw: bytes) -> Desired:
    rows: list[list[Any]] = orjson.loads(zlib.decompress(raw))
    return {key: Contact(key, packed.encode(), *rest) for key, packed, *rest in rows}


def _packed_job(job: Job) -> bytes:
    values = [
        job.settings.model_dump(mode="json"),
        job.fingerprint,
        job.tasks,
        sorted(job.skip.items()),
        job.reason,
        dict(job.asked_again),
    ]
    return zlib.compress(orjson.dumps(values), level=1)


def _unpacked_job(raw: bytes) -> Job:
    values = orjson.loads(zlib.decompress(raw))
    settings, fingerprint, tasks, skip, reason, asked_again = values
    return Job(
        Import.model_validate(settings, strict=False),
        fingerprint,
        tuple((mailbox, Task(task)) for mailbox, task in tasks),
        {mailbox: Reason(why) for mailbox, why in skip},
        Reason(reason) if reason is not None else None,
        asked_again,
    )


def snapshot_id(tenant: str, run: str, number: int, attempt: str) -> str:
    """Return the id of the snapshot that one attempt to resolve a run makes."""
    return f"{tenant}|{run}|{number}|{attempt}"
