"""Leases: one worker at a time at something, for a limited time, by ETag.

Taken before what several workers must not do at once; a worker that dies leaves its lease to
expire.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.records import Records
from shared.adapters.tables import Tables
from shared.domain.errors import Busy, Conflict, PreconditionFailed
from shared.domain.models import Model

_TRY_AGAIN: Final = 2.0


class _Row(Model):
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that is held: on what, in which tenant, and by which ETag."""

    tenant: str
    what: str
    etag: str


class Leases:
    """Leases of all tenants."""

    def __init__(self, tables: Tables) -> None:
        """Keep them in these tables."""
        self._rows = Records(tables, "Leases", _Row)

    async def take(self, tenant: str, what: str, now: datetime, length: timedelta) -> Lease:
        """Take the lease on `what`; raises `Busy` while another worker holds it."""
        row = _Row(until=now + length)
        try:
            found = await self._rows.get(tenant, what)
            if found is None:
                return Lease(tenant, what, (await self._rows.insert(tenant, what, row)).etag)
            if found.value.until is None or found.value.until <= now:
                stored = await self._rows.replace(tenant, what, row, found.etag)
                return Lease(tenant, what, stored.etag)
        except (Conflict, PreconditionFailed):
            pass
        raise Busy(f"Another worker holds the lease on {what}.", _TRY_AGAIN)

    async def renew(self, lease: Lease, now: datetime, length: timedelta) -> Lease:
        """Hold a lease for longer; raises `Busy` if it was lost meanwhile."""
        try:
            row = _Row(until=now + length)
            stored = await self._rows.replace(lease.tenant, lease.what, row, lease.etag)
        except PreconditionFailed as error:
            raise Busy(f"The lease on {lease.what} was lost.", _TRY_AGAIN) from error
        return Lease(lease.tenant, lease.what, stored.etag)

    async def give_back(self, lease: Lease) -> None:
        """Give a lease back; if it was lost, it is another's and stays so."""
        try:
            await self._rows.replace(lease.tenant, lease.what, _Row(), lease.etag)
        except PreconditionFailed:
            return
