"""The wish to leave: an admin asks for it, it waits, it can be taken back, and then leaving begins.

A mark in a table of its own lets the timer find the tenants that wait. It is written before the
tenant's row and deleted after the first message, so nothing is lost in between.
"""

import hmac
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import TENANT_ROW, Store
from shared.domain.errors import (
    Conflict,
    ContactSyncError,
    FieldError,
    InvalidInput,
    PreconditionFailed,
)
from shared.domain.tenancy.departures import Departure, DepartureMark
from shared.domain.tenancy.tenants import LedgerAction, Tenant, TenantStatus
from shared.services.changes import change, found_in
from shared.services.idempotency import Execution
from shared.services.privacy.leaving import Leaving
from shared.services.tenancy.ledger import Ledger

_log = logging.getLogger(__name__)


class Departures:
    """The tenants that want to leave. `wait` is how long leaving can be taken back."""

    def __init__(
        self,
        store: Store,
        leaving: Leaving,
        ledger: Ledger,
        clock: Callable[[], datetime],
        wait: timedelta,
    ) -> None:
        self._store = store
        self._leaving = leaving
        self._ledger = ledger
        self._clock = clock
        self._wait = wait

    async def ask(self, caller: Caller, code: str, tenant: str) -> None:
        """Ask to leave, confirmed by the code of what was shown and by the tenant's id.

        The same call of another admin confirms it, if the tenant wants that. Raises `InvalidInput`
        for the id of another tenant, and `Conflict` if what would be removed has changed since it
        was shown. Safe to repeat.
        """
        if tenant.lower() != caller.tenant.lower():
            raise InvalidInput.of(FieldError("tenant", "not_own_tenant"))
        stored = await self._read(caller.tenant)
        if stored.value.status is not TenantStatus.LEAVING:
            preview = await self._leaving.preview(caller)
            if not hmac.compare_digest(code.encode(), preview.code.encode()):
                raise Conflict("removal_changed")
            if stored.value.departure is None:
                await self._note(caller)
            else:
                await self._confirm(caller)
        await self._begin_if_due(caller.tenant)

    async def stay(self, caller: Caller, execution: Execution) -> Stored[Tenant]:
        """Take back the wish to leave. Safe to repeat.

        Another execution of the same call takes back no wish that is newer than the first one.

        Raises `Conflict` once leaving has begun.
        """

        def staying(tenant: Tenant) -> Tenant:
            if tenant.status is TenantStatus.LEAVING:
                raise Conflict("tenant_leaving")
            entry.changed = tenant.departure is not None and _asked(tenant) == first
            return tenant.copy_with(departure=None) if entry.changed else tenant

        first = await execution.first(_asked((await self._read(caller.tenant)).value))
        mark = await self._store.departures.get(caller.tenant, TENANT_ROW)
        async with self._ledger.change(caller, LedgerAction.TENANT_STAYED, caller.tenant) as entry:
            stored = await self._change(caller.tenant, staying)
        await self._unmark(caller.tenant, mark)
        return stored

    async def begin_due(self) -> None:
        """Begin leaving for the tenants whose time has come. For the timer; safe to repeat."""
        async for tenant, _ in self._store.departures.everywhere():
            try:
                await self._begin_if_due(tenant)
            except ContactSyncError as error:
                _log.warning("the leaving of %s is left to the next tick: %s", tenant, error)

    async def _note(self, caller: Caller) -> None:
        now = self._clock()
        due = now + self._wait

        def leaving(tenant: Tenant) -> Tenant:
            security = tenant.security
            since = security.one_admin_since
            lately = since is not None and now < since + self._wait
            departure = Departure(
                asked=now,
                due=due,
                oid=caller.oid,
                name=caller.name,
                origin=caller.origin,
                network=caller.network,
                client=caller.client,
                second=security.second_admin or lately,
            )
            entry.changed = tenant.departure is None
            return tenant.copy_with(departure=departure) if entry.changed else tenant

        await self._store.departures.upsert(caller.tenant, TENANT_ROW, DepartureMark(due=due))
        async with self._ledger.change(
            caller, LedgerAction.TENANT_LEAVING, caller.tenant, begins=due.isoformat()
        ) as entry:
            await self._change(caller.tenant, leaving)

    async def _confirm(self, caller: Caller) -> None:
        """Record the confirmation of a second admin; that of the first one changes nothing."""
        now = self._clock()

        def confirmed(tenant: Tenant) -> Tenant:
            found = tenant.departure
            entry.changed = (
                found is not None
                and found.waits_for_second
                and caller.oid != found.oid
                and not caller.program
            )
            if found is None or not entry.changed:
                return tenant
            now_confirmed = found.copy_with(
                confirmed=now, confirmed_by=caller.oid, confirmed_name=caller.name
            )
            return tenant.copy_with(departure=now_confirmed)

        async with self._ledger.change(
            caller, LedgerAction.LEAVING_CONFIRMED, caller.tenant
        ) as entry:
            await self._change(caller.tenant, confirmed)

    async def _begin_if_due(self, tenant: str) -> None:
        """Begin leaving if it is time; forget a wish that nobody confirmed."""
        now = self._clock()
        mark = await self._store.departures.get(tenant, TENANT_ROW)
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        if stored is None:
            await self._unmark(tenant, mark)
            return
        departure, status = stored.value.departure, stored.value.status
        if status is TenantStatus.LEAVING or (departure is not None and departure.begins(now)):
            await self._leaving.begin(tenant)
        elif departure is not None and not departure.lapsed(now):
            return
        elif departure is not None:
            await self._change(tenant, lambda found: _without_lapsed(found, now))
        await self._unmark(tenant, mark)

    async def _unmark(self, tenant: str, mark: Stored[DepartureMark] | None) -> None:
        """Delete a mark, unless it was written again since it was read."""
        if mark is not None:
            with suppress(PreconditionFailed):
                await self._store.departures.delete(tenant, TENANT_ROW, mark.etag)

    async def _change(self, tenant: str, apply: Callable[[Tenant], Tenant]) -> Stored[Tenant]:
        return await change(self._store.tenants, tenant, TENANT_ROW, apply, kind="tenant")

    async def _read(self, tenant: str) -> Stored[Tenant]:
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        return found_in(stored, "tenant", tenant)


def _asked(tenant: Tenant) -> str:
    """Return when the tenant asked to leave, as text."""
    return str(tenant.departure.asked) if tenant.departure is not None else ""


def _without_lapsed(tenant: Tenant, now: datetime) -> Tenant:
    lapsed = tenant.departure is not None and tenant.departure.lapsed(now)
    return tenant.copy_with(departure=None) if lapsed else tenant
