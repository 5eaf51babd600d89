"""The ledger: who made each change in a tenant, what it was, when and from where.

An entry is written before its change and marked done after it. A worker that dies in between leaves
an entry that is not done, but never a change without an entry.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.ledger_rows import LedgerRows
from shared.adapters.storage.records import Listing
from shared.adapters.storage.store import Store
from shared.adapters.storage.tables.conditions import ROW, Condition
from shared.domain.errors import Defect
from shared.domain.importing.schedule import before, newest_first
from shared.domain.tenancy.tenants import LedgerAction, LedgerEntry

SERVICE: Final = "service"
"""The actor of changes by the service itself, and the partition of entries without a tenant."""
OPERATOR: Final = "operator"
"""The origin of changes that an operator makes in another tenant."""


@dataclass(slots=True)
class Pending:
    """An entry whose change is in progress; `changed` is False if nothing had to change."""

    subject: str
    detail: dict[str, Any]
    changed: bool = True


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which entries to read: by action (`share` means all of its actions), actor, subject, time."""

    action: str | None = None
    actor: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, entry: LedgerEntry) -> bool:
        """Return whether the filter leaves an entry in."""
        return (
            (self.action is None or self.action in {entry.action, entry.action.split(".")[0]})
            and (self.actor is None or self.actor == entry.actor)
            and (self.subject is None or self.subject == entry.subject)
            and (self.since is None or self.since <= entry.when)
            and (self.until is None or entry.when <= self.until)
        )


class Ledger:
    """Writes and reads the ledger, newest first. It contains no names except those of admins."""

    def __init__(
        self,
        store: Store,
        rows: LedgerRows,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._rows = rows
        self._clock = clock
        self._new_id = new_id

    @asynccontextmanager
    async def change(
        self, caller: Caller, action: LedgerAction, subject: str, /, **detail: Any
    ) -> AsyncIterator[Pending]:
        """Record a change of `subject` (an id) that the body of this context makes.

        A change that is refused, or that changes nothing, leaves no entry.
        """
        async with self.change_of(caller.tenant, caller, action, subject, **detail) as pending:
            yield pending

    @asynccontextmanager
    async def change_of(
        self, tenant: str, caller: Caller, action: LedgerAction, subject: str, /, **detail: Any
    ) -> AsyncIterator[Pending]:
        """Record a change in any tenant, for operators."""
        now, pending = self._clock(), Pending(subject, detail)
        id_ = self._id(now)

        def entry(*, done: bool) -> LedgerEntry:
            return LedgerEntry(
                id=id_,
                when=now,
                actor=caller.oid,
                actor_name=caller.name,
                origin=caller.origin if caller.tenant == tenant else OPERATOR,
                network=caller.network,
                client=caller.client,
                actor_tenant=caller.tenant if caller.tenant != tenant else "",
                action=action,
                subject=pending.subject,
                done=done,
                detail=pending.detail,
            )

        begun = await self._appended(tenant, entry(done=False))
        try:
            yield pending
        except Exception:
            await self._rows.drop(tenant, begun)
            raise
        if pending.changed:
            await self._rows.settle(tenant, entry(done=True).copy_with(number=begun.number))
        else:
            await self._rows.drop(tenant, begun)

    async def read(self, caller: Caller, action: LedgerAction, subject: str) -> None:
        """Record that a caller reads personal data, or has signed in."""
        now = self._clock()
        entry = LedgerEntry(
            id=self._id(now),
            when=now,
            actor=caller.oid,
            actor_name=caller.name,
            origin=caller.origin,
            network=caller.network,
            client=caller.client,
            action=action,
            subject=subject,
        )
        await self._appended(caller.tenant, entry)

    async def note(self, tenant: str, action: LedgerAction, subject: str, /, **detail: Any) -> None:
        """Record a change that the service makes by itself."""
        now = self._clock()
        entry = LedgerEntry(
            id=self._id(now),
            when=now,
            actor=SERVICE,
            origin=SERVICE,
            action=action,
            subject=subject,
            detail=detail,
        )
        await self._appended(tenant, entry)

    def _id(self, now: datetime) -> str:
        return f"{newest_first(now)}-{self._new_id()[:8]}"

    async def _appended(self, tenant: str, entry: LedgerEntry) -> LedgerEntry:
        stored = await self._rows.append(tenant, entry)
        if stored is None:
            raise Defect("Two entries of the ledger have the same id.")
        return stored

    async def page(
        self, caller: Caller, size: int, token: str | None, wanted: LedgerFilter
    ) -> Listing[LedgerEntry]:
        """Return one page of the entries of the caller's tenant, newest first."""
        return await self._store.ledger.page(
            caller.tenant, size=size, token=token, where=_conditions(wanted)
        )

    async def after(
        self, caller: Caller, size: int, cursor: str | None, wanted: LedgerFilter
    ) -> Listing[LedgerEntry]:
        """Return the entries of the caller's tenant after a cursor, oldest first.

        The token is the next cursor, always. Raises `InvalidInput` for a foreign or too old one.
        """
        return await self._rows.after(caller.tenant, cursor, size, self._clock(), wanted.matches)

    async def closing_line(self, tenant: str) -> LedgerEntry | None:
        """Return the entry that records the tenant's departure, if it is the tenant's last one."""
        found = await self._store.ledger.page(tenant, size=1)
        newest = found.items[0].value if found.items else None
        return newest if newest is not None and newest.action == LedgerAction.TENANT_LEFT else None

    async def sweep(self, tenant: str, before: datetime) -> int:
        """Delete the numbered entries of a tenant that are older, and return how many."""
        return await self._rows.sweep(tenant, before)

    async def expire(self, tenant: str, row: str) -> int:
        """Delete an entry whose time is over; return how many were deleted.

        The closing line of a tenant that left proves that its data is deleted, so it stays, without
        who asked for it.
        """
        stored = await self._store.ledger.get(tenant, row)
        if stored is None:
            return 0
        if stored.value.action == LedgerAction.TENANT_LEFT:
            if stored.value.actor != SERVICE:
                await self._store.ledger.upsert(tenant, row, _anonymous(stored.value))
            return 0
        await self._store.ledger.delete(tenant, row)
        return 1


def _anonymous(line: LedgerEntry) -> LedgerEntry:
    """Return a closing line without who asked for it."""
    detail = {name: value for name, value in line.detail.items() if name != "confirmedBy"}
    return line.copy_with(
        actor=SERVICE, actor_name="", origin=SERVICE, network="", client="", detail=detail
    )


def _conditions(wanted: LedgerFilter) -> list[Condition]:
    """Return the filter of a page. Row keys sort by descending time; the rest is in columns."""
    where: list[Condition] = []
    if wanted.action and "." in wanted.action:
        where.append(Condition("action", "eq", wanted.action))
    elif wanted.action:
        where.append(Condition("action", "ge", f"{wanted.action}."))
        where.append(Condition("action", "lt", f"{wanted.action}/"))
    if wanted.actor:
        where.append(Condition("actor", "eq", wanted.actor))
    if wanted.subject:
        where.append(Condition("subject", "eq", wanted.subject))
    if wanted.since is not None:
        where.append(Condition(ROW, "lt", before(wanted.since)))
    if wanted.until is not None:
        where.append(Condition(ROW, "ge", newest_first(wanted.until)))
    return where
