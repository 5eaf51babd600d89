"""Opening a mailbox for work: it is leased first, and then its head is read."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from shared.adapters.graph.mailboxes.mailbox import Mailbox
from shared.adapters.graph.transport import Graph, Meter
from shared.adapters.storage.leases import Leases
from shared.adapters.storage.mailboxes.mailbox_state import MailboxStates
from shared.adapters.storage.store import Store
from shared.domain.errors import Busy
from shared.domain.importing.messages import SyncMailbox
from shared.services.sync.mailbox_work import NO_RUN, MailboxWork

_TRIES: Final = 12
_BETWEEN_TRIES: Final = 0.5


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
        """Lease the mailbox of a message, and read its head.

        Raises `Busy` while another worker holds the lease.
        """
        work = self._work(message)
        await work.take_lease()
        try:
            await work.read_head()
        except BaseException:
            await work.release()
            raise
        return work

    def _work(self, message: SyncMailbox) -> MailboxWork:
        meter = Meter()
        session = self._graph.session(message.tenant, meter)
        return MailboxWork(
            message=message,
            mailbox=Mailbox(session, message.mailbox, message.import_id),
            meter=meter,
            store=self._store,
            states=self._states,
            leases=self._leases,
            clock=self._clock,
            new_id=self._new_id,
        )

    async def look_into(self, tenant: str, import_id: str, mailbox: str) -> MailboxWork:
        """Open a mailbox to read it outside of any run, without its lease."""
        work = self._work(_outside(tenant, import_id, mailbox))
        await work.read_head()
        return work

    async def leased(self, tenant: str, import_id: str, mailbox: str) -> MailboxWork:
        """Open a mailbox outside of any run and lease it. Raises `Busy` if a run is syncing it."""
        for left in reversed(range(_TRIES)):
            try:
                return await self.open(_outside(tenant, import_id, mailbox))
            except Busy:
                if not left:
                    raise
                await asyncio.sleep(_BETWEEN_TRIES)
        raise AssertionError


def _outside(tenant: str, import_id: str, mailbox: str) -> SyncMailbox:
    return SyncMailbox(tenant=tenant, import_id=import_id, run=NO_RUN, number=0, mailbox=mailbox)
