"""Tenants: who may use the service. A tenant joins by its admin's consent, which is proved."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from shared.adapters.identity import Caller
from shared.adapters.records import TENANT_ROW, Store, Stored
from shared.domain.errors import Conflict, Defect, Forbidden, NeedsAdmin
from shared.domain.models import Tenant
from shared.services.ledger import Ledger


class ConsentMissing(Forbidden):
    """The caller's tenant has not consented to the app."""

    title = "Admin consent is missing"
    kind = "consent-missing"


class Tenants:
    """Knows the tenants that consented."""

    def __init__(
        self,
        store: Store,
        prove: Callable[[str], Awaitable[object]],
        clock: Callable[[], datetime],
        ledger: Ledger,
    ) -> None:
        """`prove` raises `NeedsAdmin` unless the tenant gives the app a token with permissions."""
        self._store = store
        self._prove = prove
        self._clock = clock
        self._ledger = ledger

    async def known(self, caller: Caller) -> Stored[Tenant]:
        """The caller's tenant; recorded at its first call, if its consent is proved.

        A parameter of a redirect is never taken for proof (graph-facts: v2-admin-consent).
        """
        found = await self._store.tenants.get(caller.tenant, TENANT_ROW)
        if found is not None:
            return found
        try:
            await self._prove(caller.tenant)
        except NeedsAdmin as error:
            raise ConsentMissing(
                "Your tenant has not granted Contact Sync its permissions. A Global or "
                "Privileged Role Administrator grants them at "
                f"/{caller.tenant}/v2.0/adminconsent of Entra ID; then call again."
            ) from error
        tenant = Tenant(id=caller.tenant, joined=self._clock())
        try:
            stored = await self._store.tenants.insert(caller.tenant, TENANT_ROW, tenant)
        except Conflict:
            again = await self._store.tenants.get(caller.tenant, TENANT_ROW)
            if again is None:
                raise Defect("A tenant's row came and went.") from None
            return again
        await self._ledger.record(caller, "tenant.joined", caller.tenant)
        return stored
