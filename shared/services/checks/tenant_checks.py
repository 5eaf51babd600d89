"""The check of the caller's tenant: starting and reading it, and what the nightly sweep does."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.queues import Queues
from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import CHECK_ROW, Store
from shared.domain.errors import (
    Busy,
    Conflict,
    FieldError,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    TooManyRequests,
)
from shared.domain.importing.messages import TENANT_CHECKS, CheckTenant
from shared.domain.tenancy.tenant_checks import (
    KEPT_FOR,
    PAUSE,
    STALE,
    CheckInput,
    CheckState,
    TenantCheck,
)
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.idempotency import Execution
from shared.services.tenancy.ledger import Ledger

_TRIES: Final = 3
_MAY_BE_LOST: Final = timedelta(seconds=30)
"""After so long, a check that is still queued gets another message."""


class TenantChecks:
    """The checks of all tenants; each tenant has one, its last."""

    def __init__(
        self,
        store: Store,
        queues: Queues,
        ledger: Ledger,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._queues = queues
        self._ledger = ledger
        self._clock = clock

    async def start(self, caller: Caller, wanted: CheckInput, execution: Execution) -> TenantCheck:
        """Start a check, or return the one under way, whatever that one tries out.

        Raises `TooManyRequests` if the last one began less than a minute ago.
        """
        if wanted.mailbox and wanted.outside and wanted.mailbox.lower() == wanted.outside.lower():
            raise InvalidInput.of(FieldError("outside", "same_mailbox"))
        for _ in range(_TRIES):
            known = await self._store.checks.get(caller.tenant, CHECK_ROW)
            own = known is not None and known.value.id == execution.new_id("check")
            if known is not None and (own or known.value.under_way(self._clock())):
                return await self._joined(caller, known.value)
            with suppress(Conflict, PreconditionFailed):
                return await self._started(caller, wanted, known, execution)
        raise Busy("The check keeps changing.", 1.0)

    async def read(self, caller: Caller) -> TenantCheck:
        """Return the last check; raises `NotFound` if there is none."""
        stored = await self._store.checks.get(caller.tenant, CHECK_ROW)
        if stored is None or self._expired(stored.value):
            raise NotFound("never_checked")
        return stored.value

    async def sweep(self, tenant: str) -> bool:
        """Erase the check of a tenant if it is too old; return whether it was.

        A check that left something in a mailbox, or that nobody works on, gets another message.
        """
        stored = await self._store.checks.get(tenant, CHECK_ROW)
        if stored is None:
            return False
        check = stored.value
        if self._expired(check):
            with suppress(PreconditionFailed):
                await self._store.checks.delete(tenant, CHECK_ROW, stored.etag)
                return True
        elif check.left or (
            check.state is not CheckState.DONE and self._clock() - check.changed > STALE
        ):
            await self._send(tenant, check)
        return False

    async def _joined(self, caller: Caller, check: TenantCheck) -> TenantCheck:
        if check.state is CheckState.QUEUED and self._clock() - check.asked > _MAY_BE_LOST:
            await self._send(caller.tenant, check)
        return check

    async def _started(
        self,
        caller: Caller,
        wanted: CheckInput,
        known: Stored[TenantCheck] | None,
        execution: Execution,
    ) -> TenantCheck:
        now, tenant = self._clock(), caller.tenant
        if known is not None and (wait := known.value.asked + PAUSE - now) > timedelta():
            raise TooManyRequests("too_many_checks", wait.total_seconds())
        check = TenantCheck(
            id=execution.new_id("check"),
            asked=now,
            by=caller.oid,
            changed=now,
            mailbox=wanted.mailbox,
            outside=wanted.outside,
            left=known.value.left if known is not None else [],
        )
        async with self._ledger.change(
            caller, LedgerAction.TENANT_CHECKED, tenant, mailbox=wanted.mailbox or ""
        ):
            if known is None:
                await self._store.checks.insert(tenant, CHECK_ROW, check)
            else:
                await self._store.checks.replace(tenant, CHECK_ROW, check, known.etag)
        await self._send(tenant, check)
        return check

    async def _send(self, tenant: str, check: TenantCheck) -> None:
        await self._queues.send(TENANT_CHECKS, CheckTenant(tenant=tenant, check=check.id))

    def _expired(self, check: TenantCheck) -> bool:
        return self._clock() - check.asked >= KEPT_FOR
