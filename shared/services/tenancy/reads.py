"""The record of who read personal data or signed in: in the ledger, but not once per page.

Each instance of the app notes at most one entry an hour for the same caller, kind and subject, and
after a number of subjects one last entry for all others. So nobody can flood the ledger by reading.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.store import TENANT_ROW, Store
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.tenancy.ledger import Ledger

type Access = Literal[
    LedgerAction.SIGNED_IN,
    LedgerAction.EXPORTED,
    LedgerAction.PREVIEWED,
    LedgerAction.SEARCHED,
    LedgerAction.PERSON_READ,
]

MOST_SUBJECTS: Final = 60
"""How many subjects of one kind are noted for one caller in an hour."""
OTHERS: Final = "more"
"""The subject of the entry that stands for all further ones of the hour."""
_ID: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"


class Reads:
    """Notes reads of personal data, before the data is handed out."""

    def __init__(self, store: Store, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._hour: datetime | None = None
        self._noted: dict[tuple[str, str, Access], set[str]] = {}

    async def note(self, caller: Caller, action: Access, subject: str) -> None:
        """Note that a caller reads a `subject` (an id); raises what storage raises."""
        hour = self._clock().replace(minute=0, second=0, microsecond=0)
        if hour != self._hour:
            self._hour, self._noted = hour, {}
        noted = self._noted.setdefault((caller.tenant, caller.oid, action), set())
        if not re.fullmatch(_ID, subject):
            subject = OTHERS
        if subject in noted or len(noted) > MOST_SUBJECTS:
            return
        shown = subject if len(noted) < MOST_SUBJECTS else OTHERS
        noted |= {subject, shown}
        try:
            await self._ledger.read(caller, action, shown)
        except Exception:
            noted -= {subject, shown}
            raise

    async def signed_in(self, caller: Caller) -> None:
        """Note a sign-in to the portal, if the caller's tenant has joined."""
        if await self._store.tenants.get(caller.tenant, TENANT_ROW) is not None:
            await self.note(caller, LedgerAction.SIGNED_IN, caller.tenant)
