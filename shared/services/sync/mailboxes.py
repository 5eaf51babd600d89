"""Opening a mailbox for work: its head is read, but nothing is leased."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from shared.adapters.graph.mailbox import Mailbox
from shared.adapters.graph.transport import Graph, Meter
from shared.adapters.storage.leases import Leases
from shared.adapters.storage.mailbox_state import Head, MailboxStates
from shared.adapters.storage.records import Store
from shared.domain.errors import Busy
from shared.domain.importing.messages import SyncMailbox
from shared.services.sync.mailbox_work import MailboxWork

_TRIES: Final = 12
_BETWEEN_TRIES: Final = 0.5
NO_RUN = "none"
"""The run id of work that an admin starts directly, outside of any run."""


class Mailboxes:
    """The mailboxes of all tenants."""

    def __init__(
        self,
        store: Store,
        graph: Graph,
        states: MailboxStates,
        leases: Leases,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._graph = graph
        self._states = states
        self._leases = leases
        self._clock = clock
        self._new_id = new_id

    async def open(self, message: SyncMailbox) -> MailboxWork:
        """Start the work that a message asks for."""
        stored = await self._states.read(message.tenant, message.import_id, message.mailbox)
        meter = Meter()
        session = self._graph.session(message.tenant, meter)
        return MailboxWork(
            message=message,
            mailbox=Mailbox(session, message.mailbox, message.import_id),
            meter=meter,
            head=stored.value if stored else Head(),
            etag=stored.etag if stored else None,
            store=self._store,
            states=self._states,
            leases=self._leases,
            clock=self._clock,
            new_id=self._new_id,
        )

    async def look_into(self, tenant: str, import_id: str, mailbox: str) -> MailboxWork:
        """Open a mailbox to read it outside of any run."""
        message = SyncMailbox(tenant=tenant, import_id=import_id, run=NO_RUN, mailbox=mailbox)
        return await self.open(message)

    async def leased(self, tenant: str, import_id: str, mailbox: str) -> MailboxWork:
        """Open a mailbox outside of any run and lease it. Raises `Busy` if a run is syncing it."""
        for left in reversed(range(_TRIES)):
            work = await self.look_into(tenant, import_id, mailbox)
            try:
                await work.take_lease()
            except Busy:
                await work.release()
                if not left:
                    raise
                await asyncio.sleep(_BETWEEN_TRIES)
            else:
                return work
        raise AssertionError
