"""Tenants: joining, the ledger of their changes, and how often they may call."""

from dataclasses import dataclass

from shared.adapters.entra.sign_in import SignIn
from shared.adapters.graph import directory
from shared.adapters.storage.tenant_data import TenantData
from shared.services.tenancy.joining import Joining
from shared.services.tenancy.ledger import Ledger
from shared.services.tenancy.limits import Limiter
from shared.services.tenancy.tenants import Tenants
from shared.wiring.entra import Entra
from shared.wiring.foundation import Foundation


@dataclass(frozen=True, slots=True)
class Tenancy:
    """The services of this area."""

    tenants: Tenants
    joining: Joining
    ledger: Ledger
    limiter: Limiter
    tenant_data: TenantData


def build_tenancy(base: Foundation, entra: Entra) -> Tenancy:
    """Put the services of this area together."""
    settings = base.settings

    async def find_domain(tenant: str, user: str) -> str:
        return await directory.domain_of(base.graph.session(tenant), user)

    ledger = Ledger(base.store, base.clock, base.new_id)
    tenants = Tenants(
        base.store, base.credentials, find_domain, settings.data_region, base.clock, ledger
    )
    sign_in = SignIn(settings.entra_authority, settings.client_id, base.credentials)
    joining = Joining(
        sign_in=sign_in,
        tokens=entra.tokens,
        tenants=tenants,
        authority=settings.entra_authority,
        client_id=settings.client_id,
        origin=settings.portal_origin,
    )
    return Tenancy(
        tenants=tenants,
        joining=joining,
        ledger=ledger,
        limiter=Limiter(settings.calls_per_minute),
        tenant_data=TenantData(base.tables),
    )
