"""Leaving: removes imports, contacts and folders, withdraws shares, and deletes all rows.

Only the ledger's closing line stays: what was removed, where something remains, and who asked for
it. The tenant's admins and the service's operators can read it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.mailbox_state import MailboxStates
from shared.adapters.storage.models import ShareLocation
from shared.adapters.storage.queues import Queues
from shared.adapters.storage.store import OWNER_ROW, TENANT_ROW, Store
from shared.adapters.storage.tables.conditions import Condition
from shared.adapters.storage.tenant_data import TenantData
from shared.adapters.telemetry import emit
from shared.domain.errors import Busy, TransientError
from shared.domain.events import TenantLeft
from shared.domain.importing.imports import Import
from shared.domain.importing.messages import TENANT_LEAVINGS, LeaveTenant
from shared.domain.importing.runs import Run, RunTrigger
from shared.domain.importing.schedule import newest_first
from shared.domain.tenancy.tenants import LedgerAction, LedgerEntry, Tenant, TenantStatus
from shared.services.changes import change
from shared.services.checks.check_worker import CheckWorker
from shared.services.importing.run_book import RunBook
from shared.services.sharing.revocations import Revocations
from shared.services.sharing.subscribers import Subscribers
from shared.services.tenancy.ledger import SERVICE, Ledger

_TRIES: Final = 3
_CHECK_CLEANED_WITHIN: Final = timedelta(days=1)
_LOOK_AGAIN: Final = 2.0
_REMAINS_NAMED: Final = 1_000
_CLOSING: Final = "closing"


@dataclass(frozen=True, slots=True)
class LeavingPreview:
    """What leaving would remove. `code` confirms exactly this."""

    code: str
    imports: int
    mailboxes: int
    shares: int
    partners: int


class Leaving:
    """Removes tenants from the service."""

    def __init__(
        self,
        store: Store,
        tenant_data: TenantData,
        states: MailboxStates,
        queues: Queues,
        book: RunBook,
        subscribers: Subscribers,
        revocations: Revocations,
        ledger: Ledger,
        checks: CheckWorker,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._tenant_data = tenant_data
        self._states = states
        self._queues = queues
        self._book = book
        self._subscribers = subscribers
        self._revocations = revocations
        self._ledger = ledger
        self._checks = checks
        self._clock = clock

    async def preview(self, caller: Caller) -> LeavingPreview:
        """Return what leaving would remove, and the code that confirms it."""
        tenant = caller.tenant
        imports = [s.value.id async for s in self._store.imports.all(tenant)]
        shares = [s.value.id async for s in self._store.shares.all(tenant)]
        mailboxes = {m for i in imports for m in await self._states.mailboxes(tenant, i)}
        partners = {c.tenant for s in shares for c in await self._subscribers.of(tenant, s)}
        counts = (len(imports), len(mailboxes), len(shares), len(partners - {tenant}))
        shown = f"{tenant}\n{sorted(imports)}\n{sorted(shares)}\n{counts}"
        code = hashlib.blake2b(shown.encode(), digest_size=6).hexdigest()
        return LeavingPreview(code, *counts)

    async def begin(self, tenant: str) -> None:
        """Begin to remove a tenant, unless its wish to leave was taken back. Safe to repeat."""

        def leaving(found: Tenant) -> Tenant:
            if found.status is TenantStatus.LEAVING or found.departure is None:
                return found
            return found.copy_with(status=TenantStatus.LEAVING, since=self._clock())

        stored = await change(self._store.tenants, tenant, TENANT_ROW, leaving, kind="tenant")
        if stored.value.status is TenantStatus.LEAVING:
            await self._queues.send(TENANT_LEAVINGS, LeaveTenant(tenant=tenant))

    async def continue_leaving(self, message: LeaveTenant) -> None:
        """Take the next steps.

        Raises `Busy` until everything is removed, so that the message is retried.
        """
        tenant = message.tenant
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        if stored is None or stored.value.status is not TenantStatus.LEAVING:
            return
        line = await self._ledger.closing_line(tenant)
        if line is None:
            imports = [s.value async for s in self._store.imports.all(tenant)]
            under_way = [i for i in imports if await self._still_removing(tenant, i)]
            if under_way:
                note = f"{len(under_way)} imports of {tenant} are still being removed."
                raise Busy(note, _LOOK_AGAIN)
            line = await self._close(stored.value, imports, await self._tested(stored.value))
        async for import_ in self._store.imports.all(tenant):
            await self._subscribers.drop(tenant, import_.value.id, import_.value.share_id)
        await self._withdraw(tenant)
        await self._tenant_data.erase(tenant, keep=_row(line))
        emit(TenantLeft(tenant=tenant, contacts_removed=line.detail["contacts"]))

    async def _still_removing(self, tenant: str, import_: Import) -> bool:
        """Start or continue the removal of an import. Returns False once all tries are used up."""
        if not import_.removing:
            now = self._clock()
            await change(
                self._store.imports,
                tenant,
                import_.id,
                lambda i: i.copy_with(removing=True, changed=now),
                kind="import",
            )
            await self._book.ask(tenant, import_.id, RunTrigger.REMOVAL, now)
            return True
        runs = await self._store.import_runs.get(tenant, import_.id)
        if runs is None:
            return False
        if runs.value.open is not None and runs.value.open.trigger is RunTrigger.REMOVAL:
            return True
        tries = await self._removals(tenant, import_.id)
        if len(tries) >= _TRIES:
            return False
        when = self._clock() if tries else import_.changed
        await self._book.ask(tenant, import_.id, RunTrigger.REMOVAL, when)
        return True

    async def _tested(self, tenant: Tenant) -> list[str]:
        """Return the mailboxes that keep the test contact of a check, after a last clean-up.

        Raises `TransientError` while it may still succeed, for a day at most.
        """
        try:
            return await self._checks.settle(tenant.id)
        except TransientError:
            if tenant.since is None or self._clock() - tenant.since < _CHECK_CLEANED_WITHIN:
                raise
            return await self._checks.left_in(tenant.id)

    async def _removals(self, tenant: str, import_id: str | None = None) -> list[Run]:
        where = [Condition("trigger", "eq", RunTrigger.REMOVAL.value)]
        if import_id is not None:
            where.append(Condition("importId", "eq", import_id))
        found: list[Run] = []
        token = None
        while True:
            page = await self._store.runs.page(tenant, size=1000, token=token, where=where)
            found += [stored.value for stored in page.items]
            token = page.token
            if token is None:
                return found

    async def _close(self, tenant: Tenant, left: list[Import], tested: list[str]) -> LedgerEntry:
        """Write the closing line and return it.

        It contains the ids of mailboxes only where something could not be removed.
        """
        runs = await self._removals(tenant.id)
        remains = sorted(
            {m for import_ in left for m in await self._states.mailboxes(tenant.id, import_.id)}
            | set(tested)
        )
        # One line however often this step is repeated: its row follows from when leaving began.
        now = tenant.since or self._clock()
        detail: dict[str, Any] = {
            "joined": tenant.joined.isoformat(),
            "imports": len({run.import_id for run in runs}),
            "mailboxes": sum(run.mailboxes.succeeded for run in runs),
            "contacts": sum(run.contacts.deleted for run in runs),
            "shares": await self._store.shares.count(tenant.id),
            "trialStarted": _iso(tenant.trial_started),
            "trialUntil": _iso(tenant.trial_until),
            "remaining": len(remains),
            "remainingMailboxes": remains[:_REMAINS_NAMED],
        }
        entry = closing_entry(tenant, now, detail)
        await self._store.ledger.upsert(tenant.id, _row(entry), entry)
        return entry

    async def _withdraw(self, tenant: str) -> None:
        """Mark the shares as withdrawn for partners, without storing who published them."""
        now = self._clock()
        own = self._store.share_index.keys(Condition("publisher", "eq", tenant))
        for share in [share async for share, _ in own]:
            location = await self._store.share_index.get(share, OWNER_ROW)
            partners = {c.tenant for c in await self._subscribers.of(tenant, share)} - {tenant}
            if partners or (location is not None and location.value.keep):
                gone = ShareLocation(publisher="", withdrawn=now)
                await self._store.share_index.upsert(share, OWNER_ROW, gone)
                await self._revocations.of_share(tenant, share, partners)
            else:
                await self._store.share_index.delete(share, OWNER_ROW)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def closing_entry(tenant: Tenant, when: datetime, detail: dict[str, Any]) -> LedgerEntry:
    """Return the closing line of a tenant: what was removed, and who asked for it from where."""
    asked = tenant.departure
    if asked is not None:
        detail["asked"] = asked.asked.isoformat()
        detail["confirmedBy"] = asked.confirmed_by or None
    return LedgerEntry(
        when=when,
        actor=asked.oid if asked is not None else SERVICE,
        actor_name=asked.name if asked is not None else "",
        origin=asked.origin if asked is not None else SERVICE,
        network=asked.network if asked is not None else "",
        client=asked.client if asked is not None else "",
        action=LedgerAction.TENANT_LEFT,
        subject=tenant.id,
        detail=detail,
    )


def _row(line: LedgerEntry) -> str:
    """Return the ledger row of a closing line."""
    return f"{newest_first(line.when)}-{_CLOSING}"
