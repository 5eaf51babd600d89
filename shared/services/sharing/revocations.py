"""Runs that a publisher starts at its partners: to remove what it took back, or to begin."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final

from shared.adapters.storage.mailboxes.mailbox_state import MailboxStates
from shared.adapters.storage.store import Store, subscribers_of
from shared.domain.errors import NotFound
from shared.domain.importing.runs import RunTrigger
from shared.domain.reasons import Reason
from shared.services.importing.run_book import RunBook

_CLOSED: Final = frozenset({Reason.PUBLISHER_APPROVAL_PENDING, Reason.SHARE_WITHDRAWN})
"""The reasons of runs that found their share closed."""


class Revocations:
    """Starts runs in the imports of shares that are closed or opened to them."""

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
    ) -> None:
        """Start a revocation in every import of a share, or in those of some `tenants` only.

        If this worker dies midway, the next scheduled run, or for a paused import the daily check,
        does the rest.
        """
        async for stored in self._store.subscribers.all(subscribers_of(publisher, share)):
            if tenants is None or stored.value.tenant in tenants:
                await self.of_import(stored.value.tenant, stored.value.import_id)

    async def resume(self, publisher: str, share: str, tenant: str) -> None:
        """Start a run in each active import of a tenant that waits for the share to be opened."""
        async for stored in self._store.subscribers.all(subscribers_of(publisher, share)):
            if stored.value.tenant != tenant:
                continue
            import_ = await self._store.imports.get(tenant, stored.value.import_id)
            if import_ is None or not import_.value.active or import_.value.removing:
                continue
            if await self._waits_for_share(tenant, import_.value.id):
                now = self._clock()
                await self._book.ask(tenant, import_.value.id, RunTrigger.CREATED, now)

    async def _waits_for_share(self, tenant: str, import_id: str) -> bool:
        """Return whether an import's last run found its share closed, or one may still find it."""
        runs = await self._store.import_runs.get(tenant, import_id)
        if runs is None or runs.value.open is not None:
            return True
        last = await self._store.runs.get(tenant, runs.value.last_run or "")
        return last is None or last.value.reason in _CLOSED

    async def of_person(self, tenant: str) -> list[str]:
        """Start a revocation wherever the contact of a person of a tenant may be.

        Returns the runs of the tenant's own imports. Those of partners follow, share by share.
        """
        runs: list[str] = []
        async for stored in self._store.imports.all(tenant):
            if not stored.value.removing:
                runs += await self.of_import(tenant, stored.value.id)
        async for share in self._store.shares.all(tenant):
            async for subscriber in self._store.subscribers.all(
                subscribers_of(tenant, share.value.id)
            ):
                if subscriber.value.tenant != tenant:
                    await self.of_import(subscriber.value.tenant, subscriber.value.import_id)
        return runs

    async def of_import(self, tenant: str, import_id: str) -> list[str]:
        """Ask for a revocation unless nothing can be held; return the run, if there is one."""
        try:
            if await self._may_hold_contacts(tenant, import_id):
                return [
                    await self._book.ask(tenant, import_id, RunTrigger.REVOCATION, self._clock())
                ]
        except NotFound:
            pass  # the import is gone, and its contacts with it
        return []

    async def _may_hold_contacts(self, tenant: str, import_id: str) -> bool:
        """Return whether an import has contacts in a mailbox, or a run that may bring some."""
        runs = await self._store.import_runs.get(tenant, import_id)
        if runs is not None and (runs.value.open is not None or runs.value.waiting):
            return True
        return await self._states.any(tenant, import_id)
