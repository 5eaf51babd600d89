"""Leases: one worker at a time at something, for a limited time, by ETag.

Taken before what several workers must not do at once; a worker that dies leaves its lease to
expire. The lease on a mailbox also keeps how fast its holders may go on, and what a holder that
died may have written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.storage.records import Records
from shared.adapters.storage.tables import Tables
from shared.domain.errors import Busy, Conflict, PreconditionFailed
from shared.domain.model import Model
from shared.domain.pacing import Pace

_TRY_AGAIN: Final = 2.0
_SKEW: Final = timedelta(minutes=1)
"""By how much clocks may differ; a lease from further ahead was taken before a clock went back."""


class _Row(Model):
    until: datetime | None = None
    pace: Pace = Pace()
    begun: dict[str, int] = {}


@dataclass(slots=True)
class Lease:
    """A lease that is held: on what, in which tenant, until when, and by which ETag.

    `pace` and `begun` are changed by who holds it, and written when it is renewed or given back.
    `begun` says what work (by a name) may have written so far (a mask), `before` the same of
    those who held it earlier and never came to an end.
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
        self._rows = Records(tables, "Leases", _Row)

    async def take(
        self,
        tenant: str,
        what: str,
        now: datetime,
        length: timedelta,
        begin: Mapping[str, int] | None = None,
    ) -> Lease:
        """Take the lease on `what`, to `begin` work on it; raises `Busy` while another holds it."""
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
        """Hold a lease for longer; raises `Busy` if it was lost meanwhile."""
        try:
            row = _Row(until=now + length, pace=lease.pace, begun=lease.begun)
            stored = await self._rows.replace(*_key(lease.tenant, lease.what), row, lease.etag)
        except PreconditionFailed as error:
            raise Busy(f"The lease on {lease.what} was lost.", _TRY_AGAIN) from error
        return replace(lease, until=now + length, etag=stored.etag)

    async def give_back(self, lease: Lease) -> None:
        """Give a lease back; if it was lost, it is another's and stays so."""
        try:
            row = _Row(pace=lease.pace, begun=lease.begun)
            await self._rows.replace(*_key(lease.tenant, lease.what), row, lease.etag)
        except PreconditionFailed:
            return


def _key(tenant: str, what: str) -> tuple[str, str]:
    """A partition for each lease, since one takes at most 2,000 entities in a second."""
    return f"{tenant}|{what}", "lease"
