"""Reading the verified domains of tenants again: each once a week, on a day of its own."""

import zlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from shared.adapters.storage.store import Store
from shared.adapters.storage.tables.client import Row
from shared.adapters.storage.tables.conditions import Condition
from shared.adapters.storage.tables.names import Table
from shared.domain.importing.messages import MaintainRange
from shared.domain.tenancy.tenants import TenantStatus
from shared.services.maintenance.range_tasks import RangeTask, RowStep
from shared.services.tenancy.domains import Domains

DAYS: Final = 7
"""In how many days each domain is read once; one that is unknown is read daily."""


class DomainsTask(RangeTask):
    """Reads the domains of the connected tenants whose day it is."""

    table = Table.TENANTS
    columns = None

    def __init__(self, store: Store, domains: Domains, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._domains = domains
        self._clock = clock

    def conditions(self, at: datetime) -> Sequence[Condition]:
        """Return the connected tenants."""
        del at
        return (Condition("status", "eq", TenantStatus.CONNECTED.value),)

    async def steps(self, rows: Sequence[Row]) -> Sequence[RowStep]:
        """Return a step for each tenant whose day it is."""
        today = self._clock().toordinal() % DAYS

        def step(row: Row) -> RowStep:
            return RowStep(row, lambda: self._refresh(row.partition))

        return [
            step(row)
            for row in rows
            if zlib.crc32(row.partition.encode()) % DAYS == today
            or not self._store.tenants.parsed(row).value.domain
        ]

    def event(self, message: MaintainRange) -> None:
        """Return nothing: a domain that changed is in the tenant's audit log."""
        del message

    async def _refresh(self, tenant: str) -> None:
        await self._domains.refresh(tenant)
