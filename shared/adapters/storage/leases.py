"""Leases: exclusive access for one worker, for a limited time, guarded by the row's ETag.

A worker takes a lease before work that must not run twice at once; the lease of a worker that dies
expires. A worker that does not know what became of a request does not give its lease back either:
whoever takes it over knows that something may still take effect. The lease on a mailbox also
records how many requests its holders sent.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.storage.records import Records
from shared.adapters.storage.tables.client import Tables
from shared.adapters.storage.tables.names import Table
from shared.domain.errors import Busy, Conflict, LeaseHeld, PreconditionFailed
from shared.domain.model import Model
from shared.domain.pacing import Pace

_TRY_AGAIN: Final = 2.0
_SKEW: Final = timedelta(minutes=1)
"""How far clocks may differ; a lease that ends later than this was taken by a clock set back."""


class _Row(Model):
    until: datetime | None = None
    settles: datetime | None = None
    pace: Pace = Pace()


@dataclass(slots=True)
class Lease:
    """A lease that a worker holds on `what`, in one tenant, until a time.

    Its holder updates `pace`, which is stored when the lease is renewed or given back. `settles` is
    when requests of a holder that never gave its lease back can no longer take effect: one lease
    after the lease was taken over.
    """

    tenant: str
    what: str
    until: datetime
    etag: str
    pace: Pace
    settles: datetime | None = None

    def unsettled(self, now: datetime) -> timedelta:
        """Return for how long a request of an earlier holder may still take effect."""
        return max(self.settles - now, timedelta()) if self.settles is not None else timedelta()


class Leases:
    """Leases of all tenants."""

    def __init__(self, tables: Tables) -> None:
        self._rows = Records(tables, Table.LEASES, _Row)

    async def take(self, tenant: str, what: str, now: datetime, length: timedelta) -> Lease:
        """Take the lease on `what`. Raises `LeaseHeld` while another worker holds it."""
        until = ends = now + length
        try:
            found = await self._rows.get(*_key(tenant, what))
            if found is None:
                row = _Row(until=until)
                stored = await self._rows.insert(*_key(tenant, what), row)
                return Lease(tenant, what, until, stored.etag, row.pace)
            held, settles = found.value.until, found.value.settles
            if held is None or held <= now or held > until + _SKEW:
                settles = until if held is not None else settles
                if settles is not None and (settles <= now or settles > until + _SKEW):
                    settles = None
                row = _Row(until=until, settles=settles, pace=found.value.pace)
                stored = await self._rows.replace(*_key(tenant, what), row, found.etag)
                return Lease(tenant, what, until, stored.etag, row.pace, settles)
            ends = held
        except (Conflict, PreconditionFailed):
            pass
        note = f"Another worker holds the lease on {what}."
        raise LeaseHeld(note, _TRY_AGAIN, (ends - now).total_seconds())

    async def renew(self, lease: Lease, now: datetime, length: timedelta) -> Lease:
        """Extend a lease; raises `Busy` if it was lost in the meantime."""
        return await self._hold(lease, now + length)

    async def leave(self, lease: Lease) -> None:
        """Let a lease run out, because a request may still take effect; only its pace is stored."""
        try:
            await self._hold(lease, lease.until)
        except Busy:
            return

    async def release(self, lease: Lease) -> None:
        """Give a lease back; do nothing if another worker has it by now."""
        try:
            row = _Row(settles=lease.settles, pace=lease.pace)
            await self._rows.replace(*_key(lease.tenant, lease.what), row, lease.etag)
        except PreconditionFailed:
            return

    async def _hold(self, lease: Lease, until: datetime) -> Lease:
        try:
            row = _Row(until=until, settles=lease.settles, pace=lease.pace)
            stored = await self._rows.replace(*_key(lease.tenant, lease.what), row, lease.etag)
        except PreconditionFailed as error:
            raise Busy(f"The lease on {lease.what} was lost.", _TRY_AGAIN) from error
        return replace(lease, until=until, etag=stored.etag)


def _key(tenant: str, what: str) -> tuple[str, str]:
    """Return the key of a lease, alone in its partition: one takes 2,000 entities a second."""
    return f"{tenant}|{what}", "lease"
