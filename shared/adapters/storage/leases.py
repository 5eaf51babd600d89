"""Leases: exclusive access for one worker, for a limited time, guarded by the row's ETag.

A worker takes a lease before work that must not run twice at once; the lease of a worker that dies
expires. The lease on a mailbox also records how many requests its holders sent, and which fields a
holder that died may have written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.storage.records import Records
from shared.adapters.storage.table_names import Table
from shared.adapters.storage.tables import Tables
from shared.domain.errors import Busy, Conflict, PreconditionFailed
from shared.domain.model import Model
from shared.domain.pacing import Pace

_TRY_AGAIN: Final = 2.0
_SKEW: Final = timedelta(minutes=1)
"""How far clocks may differ; a lease that ends later than this was taken by a clock set back."""


class _Row(Model):
    until: datetime | None = None
    pace: Pace = Pace()
    begun: dict[str, int] = {}


@dataclass(slots=True)
class Lease:
    """A lease that a worker holds on `what`, in one tenant, until a time.

    Its holder updates `pace` and `begun`, which are stored when the lease is renewed or given back.
    `begun` maps each piece of work, by name, to a mask of the fields it may have written; `before`
    is the same for earlier holders that did not finish.
    """

    tenant: str
    what: str
    until: datetime
    etag: str
    pace: Pace
    begun: dict[str, int]
    before: dict[str, int]


class Leases:
    """Leases of all tenants."""

    def __init__(self, tables: Tables) -> None:
        self._rows = Records(tables, Table.LEASES, _Row)

    async def take(
        self,
        tenant: str,
        what: str,
        now: datetime,
        length: timedelta,
        begin: Mapping[str, int] | None = None,
    ) -> Lease:
        """Take the lease on `what` and record in `begin` the work that starts.

        Raises `Busy` while another worker holds it.
        """
        until = now + length
        try:
            found = await self._rows.get(*_key(tenant, what))
            if found is None:
                row = _Row(until=until, begun=dict(begin or {}))
                stored = await self._rows.insert(*_key(tenant, what), row)
                return Lease(tenant, what, until, stored.etag, row.pace, row.begun, {})
            held = found.value.until
            if held is None or held <= now or held > until + _SKEW:
                before = found.value.begun
                begun = {n: before.get(n, 0) | mask for n, mask in (begin or {}).items()}
                row = _Row(until=until, pace=found.value.pace, begun={**before, **begun})
                stored = await self._rows.replace(*_key(tenant, what), row, found.etag)
                return Lease(tenant, what, until, stored.etag, row.pace, row.begun, before)
        except (Conflict, PreconditionFailed):
            pass
        raise Busy(f"Another worker holds the lease on {what}.", _TRY_AGAIN)

    async def renew(self, lease: Lease, now: datetime, length: timedelta) -> Lease:
        """Extend a lease; raises `Busy` if it was lost in the meantime."""
        try:
            row = _Row(until=now + length, pace=lease.pace, begun=lease.begun)
            stored = await self._rows.replace(*_key(lease.tenant, lease.what), row, lease.etag)
        except PreconditionFailed as error:
            raise Busy(f"The lease on {lease.what} was lost.", _TRY_AGAIN) from error
        return replace(lease, until=now + length, etag=stored.etag)

    async def give_back(self, lease: Lease) -> None:
        """Give a lease back; do nothing if another worker has it by now."""
        try:
            row = _Row(pace=lease.pace, begun=lease.begun)
            await self._rows.replace(*_key(lease.tenant, lease.what), row, lease.etag)
        except PreconditionFailed:
            return


def _key(tenant: str, what: str) -> tuple[str, str]:
    """Return the key of a lease, alone in its partition: one takes 2,000 entities a second."""
    return f"{tenant}|{what}", "lease"
