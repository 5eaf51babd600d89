"""Removing contacts that a publisher took back: from whoever holds them, paused or not."""

from collections.abc import Callable, Collection
from datetime import datetime

from shared.adapters.storage.mailbox_state import MailboxStates
from shared.adapters.storage.records import Store, subscribers_of
from shared.domain.errors import NotFound
from shared.domain.importing.runs import RunTrigger
from shared.services.importing.run_book import RunBook


class Revocations:
    """Starts the runs that remove what a publisher took back."""

    def __init__(
        self,
        store: Store,
        states: MailboxStates,
        book: RunBook,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._states = states
        self._book = book
        self._clock = clock

    async def of_share(
        self, publisher: str, share: str, tenants: Collection[str] | None = None
    ) -> list[str]:
        """Start a revocation in every import of a share, or in those of some `tenants` only.

        Returns the runs of the publisher's own imports. An import that is gone is passed over. If
        this worker dies midway, the next scheduled run, or for a paused import the daily check,
        does the rest.
        """
        runs: list[str] = []
        async for stored in self._store.subscribers.all(subscribers_of(publisher, share)):
            tenant, import_id = stored.value.tenant, stored.value.import_id
            if tenants is not None and tenant not in tenants:
                continue
            if not await self._may_hold_contacts(tenant, import_id):
                continue
            try:
                run = await self._book.ask(tenant, import_id, RunTrigger.REVOCATION, self._clock())
            except NotFound:
                continue
            if tenant == publisher:
                runs.append(run)
        return runs

    async def of_publisher(self, publisher: str) -> None:
        """Start a revocation in every import of each share of a tenant."""
        async for stored in self._store.shares.all(publisher):
            await self.of_share(publisher, stored.value.id)

    async def of_imports(self, tenant: str) -> list[str]:
        """Start a revocation in every import of a tenant, and return the runs."""
        runs: list[str] = []
        async for stored in self._store.imports.all(tenant):
            if stored.value.removing or not await self._may_hold_contacts(tenant, stored.value.id):
                continue
            try:
                runs.append(
                    await self._book.ask(
                        tenant, stored.value.id, RunTrigger.REVOCATION, self._clock()
                    )
                )
            except NotFound:
                continue
        return runs

    async def _may_hold_contacts(self, tenant: str, import_id: str) -> bool:
        """Return whether an import has contacts in a mailbox, or a run that may bring some."""
        runs = await self._store.import_runs.get(tenant, import_id)
        if runs is not None and (runs.value.open is not None or runs.value.waiting):
            return True
        return bool(await self._states.mailboxes(tenant, import_id))
