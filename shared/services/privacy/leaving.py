"""Leaving: removes imports, contacts and folders, withdraws shares, and deletes all rows.

Only the ledger's closing line stays: what was removed, where something remains, and who asked for
it. The tenant's admins and the service's operators can read it. A mailbox that refuses is tried
again, each time after twice the wait, for 35 days; one that does not exist is only listed. Each
message works for half a minute and may be repeated at any point.
"""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.import_rows import imports_with_runs
from shared.adapters.storage.mailboxes.mailbox_state import MailboxStates
from shared.adapters.storage.models import ShareLocation
from shared.adapters.storage.queues import Queues
from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import OWNER_ROW, TENANT_ROW, Store, subscribers_of
from shared.adapters.storage.tables.conditions import Condition
from shared.adapters.storage.tenant_data import TenantData
from shared.adapters.telemetry import emit
from shared.domain.errors import OutOfTime, PreconditionFailed, TransientError
from shared.domain.events import TenantLeft
from shared.domain.importing.import_life import ImportRuns
from shared.domain.importing.imports import Import
from shared.domain.importing.messages import TENANT_LEAVINGS, LeaveTenant
from shared.domain.importing.runs import Run, RunTrigger
from shared.domain.importing.schedule import newest_first
from shared.domain.tenancy.missing_mailboxes import UNREACHABLE_FOR
from shared.domain.tenancy.tenants import LedgerAction, LedgerEntry, Tenant, TenantStatus
from shared.services.changes import change
from shared.services.checks.check_worker import CheckWorker
from shared.services.importing.run_book import RunBook
from shared.services.sharing.revocations import Revocations
from shared.services.sharing.subscribers import Subscribers
from shared.services.tenancy.ledger import SERVICE, Ledger

_CHECK_CLEANED_WITHIN: Final = timedelta(days=1)
BUDGET: Final = timedelta(seconds=30)
"""How long one message works."""
_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(days=1)
_AT_ONCE: Final = 16
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

        While contacts are being removed there is nothing to do: the end of each removal, and every
        tick, sends the message again. Raises `OutOfTime` to go on in another message.
        """
        tenant = message.tenant
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        if stored is None or stored.value.status is not TenantStatus.LEAVING:
            return
        work = _LeavingWork(self._store, stored, self._clock, self._clock() + BUDGET)
        try:
            line = await self._ledger.closing_line(tenant)
            if line is None:
                if await self._still_removing(work):
                    return
                line = await self._close(stored.value, await self._tested(stored.value))
            await self._erase(work, line)
        except _LeavingEnded:
            return

    async def _erase(self, work: "_LeavingWork", line: LedgerEntry) -> None:
        tenant = work.tenant
        async for import_ in self._store.imports.all(tenant):
            await work.check()
            await self._subscribers.drop(tenant, import_.value.id, import_.value.share_id)
        await self._withdraw(work)
        await self._tenant_data.erase(tenant, _row(line), work.check)
        emit(TenantLeft(tenant=tenant, contacts_removed=line.detail["contacts"]))
        # The last row, so that an interrupted erasure shows as unfinished.
        with suppress(PreconditionFailed):
            await self._store.tenants.delete(tenant, TENANT_ROW, work.etag)

    async def _still_removing(self, work: "_LeavingWork") -> bool:
        """Start or continue the removal of each import; return whether to wait for any."""
        tenant, since = work.tenant, work.since
        pairs = [pair async for pair in imports_with_runs(self._store, tenant)]
        waiting = False
        for part in batched(pairs, _AT_ONCE, strict=False):
            await work.check()
            found = await asyncio.gather(*(self._remove(tenant, since, *pair) for pair in part))
            waiting = waiting or any(found)
        return waiting

    async def _remove(
        self, tenant: str, since: datetime, import_: Import, runs: ImportRuns
    ) -> bool:
        """Start or repeat the removal of an import if it is due; return whether to wait for it.

        There is nothing to wait for once the mailboxes that still hold contacts do not exist, or
        could not be reached for so long that they count as gone.
        """
        now = self._clock()
        if not import_.removing:
            await change(
                self._store.imports,
                tenant,
                import_.id,
                lambda i: i.copy_with(removing=True, changed=now),
                kind="import",
            )
        if runs.open is not None and runs.open.trigger is RunTrigger.REMOVAL:
            return True
        last = await self._store.runs.get(tenant, runs.last_run) if runs.last_run else None
        ended = last.value.ended if last is not None else None
        if last is not None and ended is not None and last.value.trigger is RunTrigger.REMOVAL:
            if now - since >= UNREACHABLE_FOR:
                return False
            if not await self._states.any_reachable(tenant, import_.id):
                return False
            # Each try comes after twice the time, at least once a day.
            if now < ended + min(max(ended - since, _FIRST_PAUSE), _LONGEST_PAUSE):
                return True
        await self._book.ask(tenant, import_.id, RunTrigger.REMOVAL, now)
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

    async def _removals(self, tenant: str) -> list[Run]:
        where = [Condition("trigger", "eq", RunTrigger.REMOVAL.value)]
        found: list[Run] = []
        token = None
        while True:
            page = await self._store.runs.page(tenant, size=1000, token=token, where=where)
            found += [stored.value for stored in page.items]
            token = page.token
            if token is None:
                return found

    async def _close(self, tenant: Tenant, tested: list[str]) -> LedgerEntry:
        """Write the closing line and return it.

        It contains the ids of mailboxes only where something could not be removed.
        """
        runs = await self._removals(tenant.id)
        imports = [stored.value.id async for stored in self._store.imports.all(tenant.id)]
        left = [await self._states.mailboxes(tenant.id, import_id) for import_id in imports]
        remains = sorted({mailbox for mailboxes in (*left, tested) for mailbox in mailboxes})
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

    async def _withdraw(self, work: "_LeavingWork") -> None:
        """Mark the shares as withdrawn for partners, without storing who published them."""
        tenant, index = work.tenant, self._store.share_index
        gone = ShareLocation(publisher="", withdrawn=self._clock())
        shares: dict[str, list[str]] = {}
        for id_ in [stored.value.share async for stored in self._store.share_ids.all(tenant)]:
            location = await index.get(id_, OWNER_ROW)
            if location is None or location.value.publisher != tenant:
                await self._store.share_ids.delete(tenant, id_)
            else:
                shares.setdefault(location.value.share, []).append(id_)
        for share, ids in shares.items():
            partition = subscribers_of(tenant, share)
            first = await self._store.subscribers.page(
                partition, size=1, where=[Condition("tenant", "ne", tenant)]
            )
            # The stable id comes last: as long as it exists, the revocation is not complete.
            for id_ in sorted(ids, key=lambda each: each == share):
                await work.check()
                if id_ == share:
                    await self._revoke(work, partition)
                if id_ != share and first.items:
                    await index.upsert(id_, OWNER_ROW, gone)
                else:
                    await index.delete(id_, OWNER_ROW)
                await self._store.share_ids.delete(tenant, id_)

    async def _revoke(self, work: "_LeavingWork", partition: str) -> None:
        """Start a revocation in every import of a share; what is done is not done again."""
        while True:
            page = await self._store.subscribers.page(partition, size=_AT_ONCE)
            subscribers = [stored.value for stored in page.items]
            await work.check()
            await asyncio.gather(
                *(
                    self._revocations.of_import(s.tenant, s.import_id)
                    for s in subscribers
                    if s.tenant != work.tenant
                )
            )
            rows = [f"{s.tenant}|{s.import_id}" for s in subscribers]
            await self._store.subscribers.write_many(partition, dict.fromkeys(rows))
            if page.token is None:
                return


class _LeavingEnded(Exception):
    """Another message has completed the leaving, or it was taken back."""


class _LeavingWork:
    """The work of one message for a tenant that leaves: until when it may go on."""

    def __init__(
        self,
        store: Store,
        stored: Stored[Tenant],
        clock: Callable[[], datetime],
        until: datetime,
    ) -> None:
        self.tenant, self.etag = stored.value.id, stored.etag
        self.since = stored.value.since or clock()
        self._store = store
        self._clock = clock
        self._until = until

    async def check(self) -> None:
        """Raise `OutOfTime` if it is time to go on in another message.

        Raises `_LeavingEnded` if the tenant is no longer leaving, or joined and leaves again.
        """
        if self._clock() >= self._until:
            raise OutOfTime(f"The leaving of {self.tenant} goes on.", 0.0)
        found = await self._store.tenants.get(self.tenant, TENANT_ROW)
        if found is None or found.etag != self.etag:
            raise _LeavingEnded


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
