"""The export of everything that is stored about a tenant."""

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.tenant_data import TenantData, TenantDataPage
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.tenancy.reads import Reads


class Exports:
    """Exports of the caller's tenant."""

    def __init__(self, tenant_data: TenantData, reads: Reads) -> None:
        self._tenant_data = tenant_data
        self._reads = reads

    async def page(self, caller: Caller, size: int, token: str | None) -> TenantDataPage:
        """Return a page of the stored rows. Raises `InvalidInput` for a foreign token."""
        await self._reads.note(caller, LedgerAction.EXPORTED, caller.tenant)
        return await self._tenant_data.page(caller.tenant, size, token)
