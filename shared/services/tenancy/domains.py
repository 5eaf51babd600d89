"""The verified domains by which partners know tenants: read again from time to time."""

import logging

from shared.adapters.graph.mailbox_directory import MailboxDirectory
from shared.adapters.storage.store import TENANT_ROW, Store
from shared.domain.errors import ContactSyncError
from shared.domain.tenancy.tenants import LedgerAction, Tenant, TenantStatus
from shared.services.changes import change
from shared.services.tenancy.ledger import Ledger

_log = logging.getLogger(__name__)


class Domains:
    """Keeps the domain of each tenant up to date."""

    def __init__(self, store: Store, directory: MailboxDirectory, ledger: Ledger) -> None:
        self._store = store
        self._directory = directory
        self._ledger = ledger

    async def refresh(self, tenant: str) -> bool:
        """Read the domain of a connected tenant again; return whether it is another one.

        A domain that cannot be read now stays.
        """
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        if stored is None or stored.value.status is not TenantStatus.CONNECTED:
            return False
        before = stored.value.domain
        try:
            domain = await self._directory.domain_of(tenant, before)
        except ContactSyncError as error:
            _log.info("cannot read the domain of tenant %s: %s", tenant, error)
            return False
        if domain in {"", before}:
            return False

        def moved(found: Tenant) -> Tenant:
            connected = found.status is TenantStatus.CONNECTED
            return found.copy_with(domain=domain) if connected else found

        now = await change(self._store.tenants, tenant, TENANT_ROW, moved, kind="tenant")
        if now.value.domain != domain:
            return False
        await self._ledger.note(
            tenant, LedgerAction.TENANT_DOMAIN_CHANGED, tenant, before=before, after=domain
        )
        return True
