"""Ending sessions: a person signs out, or an admin or operator signs people out everywhere.

The tenant's row, which every call reads anyway, holds when they ended; `Tenants` checks it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from shared.adapters.entra.access_tokens import PORTAL, Caller
from shared.adapters.storage.store import TENANT_ROW, Store
from shared.domain.errors import NotFound, Unauthenticated
from shared.domain.tenancy.sessions import EndedSessions
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.changes import change
from shared.services.idempotency import Execution
from shared.services.tenancy.ledger import Ledger

_REMEMBERED: Final = 1_000

type End = Callable[[EndedSessions], EndedSessions]


class Sessions:
    """Ends the sessions of people."""

    def __init__(self, store: Store, clock: Callable[[], datetime], ledger: Ledger) -> None:
        self._store = store
        self._clock = clock
        self._ledger = ledger
        self._ended: dict[str, EndedSessions] = {}

    def require_live(self, caller: Caller) -> None:
        """Raise `Unauthenticated` if the caller was signed out while a call was under way.

        It knows what this instance ended lately, and asks no storage.
        """
        ended = self._ended.get(caller.tenant, EndedSessions())
        if ended.ended(caller.oid, caller.issued, portal=caller.origin == PORTAL):
            raise Unauthenticated("session_ended")

    async def sign_out(self, caller: Caller) -> None:
        """End all portal sessions of the caller. An unknown tenant has nothing to protect."""
        now = self._clock()
        try:
            await self._end(caller.tenant, lambda ended: ended.with_sign_out(caller.oid, now))
        except NotFound:
            return

    async def end(
        self, tenant: str, caller: Caller, person: str | None, execution: Execution
    ) -> datetime:
        """End the sessions and tokens of a person, or of everyone in a tenant; return since when.

        For the tenant's admins and for operators. Another execution of the same call ends nothing
        that began after the first one. Raises `NotFound` for an unknown tenant.
        """
        now = execution.began
        async with self._ledger.change_of(
            tenant, caller, LedgerAction.SESSIONS_ENDED, person or tenant
        ):
            if person is None:
                await self._end(tenant, lambda ended: ended.with_everyone(now))
            else:
                await self._end(tenant, lambda ended: ended.with_person(person, now))
        return now

    async def _end(self, tenant: str, end: End) -> None:
        stored = await change(
            self._store.tenants,
            tenant,
            TENANT_ROW,
            lambda found: found.copy_with(sessions=end(found.sessions)),
            kind="tenant",
        )
        if len(self._ended) >= _REMEMBERED:
            self._ended.pop(next(iter(self._ended)))
        self._ended[tenant] = stored.value.sessions
