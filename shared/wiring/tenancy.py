"""Tenants: joining, the ledger of their changes, and how often they may call."""

from shared.adapters.entra.sign_in import SignIn
from shared.adapters.storage.ledger_rows import LedgerRows
from shared.adapters.storage.tenant_data import TenantData
from shared.services.tenancy.domains import Domains
from shared.services.tenancy.help_pages import HelpPages
from shared.services.tenancy.joining import Joining
from shared.services.tenancy.ledger import Ledger
from shared.services.tenancy.reads import Reads
from shared.services.tenancy.sessions import Sessions
from shared.services.tenancy.tenants import Tenants
from shared.wiring.entra import Entra
from shared.wiring.foundation import Foundation


class Tenancy:
    """The services of this area."""

    def __init__(self, base: Foundation, entra: Entra) -> None:
        settings = base.settings
        self.ledger = Ledger(
            base.store, LedgerRows(base.store, base.new_id), base.clock, base.new_id
        )
        self.reads = Reads(base.store, self.ledger, base.clock)
        self.limiter = base.ports.limiter
        self.sessions = Sessions(base.store, base.clock, self.ledger)
        self.tenant_data = TenantData(base.tables)
        self.tenants = Tenants(
            base.store,
            base.credentials,
            base.directory,
            settings.data_region,
            base.clock,
            self.ledger,
            settings.client_id,
        )
        self.help_pages = HelpPages(base.store, self.ledger)
        self.domains = Domains(base.store, base.directory, self.ledger)
        self.joining = Joining(
            sign_in=SignIn(
                settings.entra_authority,
                settings.client_id,
                base.credentials,
                settings.sign_in_tenant,
            ),
            tokens=entra.tokens,
            tenants=self.tenants,
            authority=settings.entra_authority,
            client_id=settings.client_id,
            origin=settings.portal_origin,
            who=settings.sign_in_tenant,
        )
