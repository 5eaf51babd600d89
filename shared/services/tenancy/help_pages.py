"""The help page for a tenant's employees, public for everyone who has its link."""

import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import TENANT_ROW, Store
from shared.domain.errors import NotFound
from shared.domain.tenancy.tenants import LedgerAction, Tenant
from shared.services.changes import change
from shared.services.tenancy.ledger import Ledger

_IMPORTS: Final = 50


@dataclass(frozen=True, slots=True)
class HelpPage:
    """What the page says: the name of the organization, and where its imports write contacts.

    `folder` is whether an import has a folder of its own, `default` whether one writes to the
    default Contacts folder.
    """

    name: str
    folder: bool
    default: bool


class HelpPages:
    """Opens, renews and closes the help pages of tenants."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    async def read(self, tenant: str, key: str) -> HelpPage:
        """Return the page of a tenant. Raises `NotFound` unless the key is the current one."""
        stored = await self._store.tenants.get(tenant.lower(), TENANT_ROW)
        known = stored.value.help_key if stored is not None and not stored.value.removing else ""
        if stored is None or not known or not hmac.compare_digest(known.encode(), key.encode()):
            raise NotFound("unknown_page")
        listing = await self._store.imports.page(stored.value.id, size=_IMPORTS)
        own = [each.value.destination.folder is not None for each in listing.items]
        return HelpPage(stored.value.name or stored.value.domain, any(own), not all(own))

    async def renew(self, caller: Caller) -> Stored[Tenant]:
        """Give the caller's tenant a help page with a new link; an older link ends."""
        return await self._set(caller, secrets.token_hex(16))

    async def close(self, caller: Caller) -> Stored[Tenant]:
        """End the help page of the caller's tenant."""
        return await self._set(caller, "")

    async def _set(self, caller: Caller, key: str) -> Stored[Tenant]:
        def changed(tenant: Tenant) -> Tenant:
            return tenant.copy_with(help_key=key)

        action = LedgerAction.HELP_PAGE_CHANGED
        async with self._ledger.change(caller, action, caller.tenant, open=bool(key)):
            return await change(
                self._store.tenants, caller.tenant, TENANT_ROW, changed, kind="tenant"
            )
