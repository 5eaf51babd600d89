"""The rows of a ledger entry: by time for people, and by number for programs that poll.

An entry is two rows of its tenant's partition that change together. The numbers grow by one in
the order in which entries are stored, whatever the clocks of their writers say, so that a program
that has read up to a number misses nothing. A head row has the last number; each entry replaces it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakValueDictionary

from shared.adapters.storage.models import LedgerHead
from shared.adapters.storage.records import Listing, Stored
from shared.adapters.storage.store import LEDGER_FEED, Store
from shared.adapters.storage.tables.conditions import PARTITION, ROW, Condition
from shared.adapters.storage.tables.continuation import opaque, read_opaque
from shared.adapters.storage.tables.names import Table
from shared.domain.errors import Busy, Conflict, FieldError, InvalidInput, PreconditionFailed
from shared.domain.tenancy.tenants import LedgerEntry

SETTLED: Final = timedelta(minutes=15)
"""The age at which an entry that is not done stays so: no invocation lives that long."""

_TRIES: Final = 30
_PAGE: Final = 1_000
_SCANNED: Final = 5_000
"""How many entries a filter may leave out before the caller has to ask again."""
_HEAD: Final = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a program has read: a number, and the series that it counts."""

    series: str = ""
    number: int = 0

    @property
    def text(self) -> str:
        """The cursor as callers keep it."""
        return opaque([self.series, self.number])

    @classmethod
    def of(cls, text: str) -> "Cursor":
        """Return the cursor in a text. Raises `InvalidInput` if it is not one of ours."""
        match read_opaque(text):
            case [str(series), int(number)] if number >= 0 and not isinstance(number, bool):
                return cls(series, number)
        raise InvalidInput.of(FieldError("after", "token_foreign"))


class LedgerRows:
    """Writes entries, and reads them by number."""

    def __init__(self, store: Store, new_id: Callable[[], str]) -> None:
        self._store = store
        self._new_id = new_id
        # Writers of one instance queue here rather than overtake each other in storage.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def append(self, tenant: str, entry: LedgerEntry) -> LedgerEntry | None:
        """Store an entry and return it with its number; None if its id is taken.

        Raises `Busy` if other writers were always faster.
        """
        lock = self._locks.setdefault(tenant, asyncio.Lock())
        async with lock:
            for _ in range(_TRIES):
                found = await self._store.ledger_heads.get(tenant, _HEAD)
                head = found.value if found is not None else LedgerHead(series=self._new_id()[:16])
                numbered = entry.copy_with(number=head.last + 1)
                operations = [
                    self._store.ledger.inserting(entry.id, numbered),
                    self._store.ledger_feed.inserting(_row(numbered.number), numbered),
                    *self._store.ledger_heads.setting(
                        _HEAD, head.copy_with(last=numbered.number), found
                    ),
                ]
                try:
                    await self._store.ledger.transact(tenant, operations)
                except (Conflict, PreconditionFailed):
                    # Another writer was faster, or the answer to our own first try was lost.
                    stored = await self._store.ledger.get(tenant, entry.id)
                    if stored is not None:
                        own = stored.value.copy_with(number=0) == entry.copy_with(number=0)
                        return stored.value if own else None
                else:
                    return numbered
        raise Busy(f"Too many changes of tenant {tenant} at once.", 1.0)

    async def settle(self, tenant: str, entry: LedgerEntry) -> None:
        """Store an appended entry as it is now."""
        operations = [
            self._store.ledger.upserting(entry.id, entry),
            self._store.ledger_feed.upserting(_row(entry.number), entry),
        ]
        await self._store.ledger.transact(tenant, operations)

    async def drop(self, tenant: str, entry: LedgerEntry) -> None:
        """Remove an appended entry."""
        rows = dict.fromkeys((entry.id, f"{LEDGER_FEED}{_row(entry.number)}"))
        await self._store.tables.write_many(Table.LEDGER, tenant, rows)

    async def after(
        self,
        tenant: str,
        text: str | None,
        size: int,
        now: datetime,
        wanted: Callable[[LedgerEntry], bool],
    ) -> Listing[LedgerEntry]:
        """Return up to `size` wanted entries after a cursor, oldest first, and the cursor to keep.

        It stops before an entry whose change is in progress, wanted or not: its subject may still
        change. Raises `InvalidInput` for a cursor that is not ours, or that is too old.
        """
        cursor = Cursor.of(text) if text is not None else None
        found = await self._store.ledger_heads.get(tenant, _HEAD)
        head = found.value if found is not None else LedgerHead(series="")
        read = _start(cursor, head)
        ready: list[Stored[LedgerEntry]] = []
        last, most = min(head.last, read + _SCANNED), size
        while read < last and len(ready) < size:
            page = await self._store.ledger_feed.page(
                tenant,
                size=most,
                where=[
                    Condition(ROW, "gt", f"{LEDGER_FEED}{_row(read)}"),
                    Condition(ROW, "le", f"{LEDGER_FEED}{_row(last)}"),
                ],
            )
            for stored in page.items:
                entry = stored.value
                # By storage's clock: that of the entry's writer may be wrong.
                if not entry.done and now - (stored.written or entry.when) < SETTLED:
                    read = last = entry.number - 1
                    break
                if wanted(entry):
                    ready.append(stored)
                read = entry.number
                if len(ready) == size:
                    break
            else:
                read = last if page.token is None else read
            most = _PAGE
        return Listing(tuple(ready), Cursor(head.series, read).text)

    async def sweep(self, tenant: str, before: datetime) -> int:
        """Delete the numbered rows of a tenant that are older; its head remembers how far."""
        keys = self._store.ledger_feed.keys(
            Condition(PARTITION, "eq", tenant), Condition("when", "lt", before)
        )
        rows = [row async for _, row in keys]
        if rows:
            await self._note_swept(tenant, int(max(rows).removeprefix(LEDGER_FEED)))
            await self._store.tables.write_many(Table.LEDGER, tenant, dict.fromkeys(rows))
        return len(rows)

    async def _note_swept(self, tenant: str, number: int) -> None:
        for _ in range(_TRIES):
            found = await self._store.ledger_heads.get(tenant, _HEAD)
            if found is None or found.value.swept >= number:
                return
            head = found.value.copy_with(swept=number)
            try:
                await self._store.ledger_heads.replace(tenant, _HEAD, head, found.etag)
            except PreconditionFailed:
                continue
            return
        raise Busy(f"Too many changes of tenant {tenant} at once.", 1.0)


def _start(cursor: Cursor | None, head: LedgerHead) -> int:
    """Return the number to read on from.

    Raises `InvalidInput` if entries after the cursor are erased, or if it counts another series:
    that of a tenant that has left and joined again, or of tables that were restored.
    """
    if cursor is None:
        return head.swept
    same = cursor.series == head.series or (not cursor.series and not cursor.number)
    if not same or not head.swept <= cursor.number <= head.last:
        raise InvalidInput.of(FieldError("after", "cursor_too_old"))
    return cursor.number


def _row(number: int) -> str:
    return f"{number:016d}"
