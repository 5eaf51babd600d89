"""The ledger: every change of licenses, shares, imports and consent, with who, what and when."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from shared.adapters.identity import Caller
from shared.adapters.records import Store
from shared.domain.models import LedgerEntry
from shared.domain.schedule import newest_first


class Ledger:
    """Writes the ledger, newest first. The only names in it are those of acting admins."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], new_id: Callable[[], str]
    ) -> None:
        """Write to this store."""
        self._store = store
        self._clock = clock
        self._new_id = new_id

    async def record(self, caller: Caller, action: str, subject: str, **detail: Any) -> None:
        """Record that the caller did something to `subject` (an id)."""
        now = self._clock()
        entry = LedgerEntry(
            when=now,
            actor=caller.oid,
            actor_name=caller.name,
            action=action,
            subject=subject,
            detail=detail,
        )
        row = f"{newest_first(now)}-{self._new_id()[:8]}"
        await self._store.ledger.upsert(caller.tenant, row, entry)
