"""Tenants: who may use the service. A tenant joins by its admin's consent, which is proved.

A consent that is gone disconnects the tenant: its imports rest, nothing is removed, and it is
connected again once the consent is proved anew.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.graph.mailbox_directory import MailboxDirectory
from shared.adapters.storage.records import TENANT_ROW, Store, Stored
from shared.adapters.telemetry import emit
from shared.domain.errors import Conflict, ContactSyncError, Defect, Forbidden, NeedsAdmin
from shared.domain.events import ConsentLost, ConsentRegained, TenantJoined
from shared.domain.reasons import Reason
from shared.domain.tenancy.permissions import missing
from shared.domain.tenancy.tenants import LedgerAction, Tenant, TenantStatus
from shared.services.changes import change, found_in
from shared.services.tenancy.ledger import Ledger

_log = logging.getLogger(__name__)


class ConsentMissing(Forbidden):
    """The caller's tenant has not consented to the app."""

    kind = "consent-missing"


class _PermissionsMissingError(NeedsAdmin):
    """A tenant has consented, but not to all that we need."""

    def __init__(self, tenant: str, names: tuple[str, ...]) -> None:
        super().__init__(Reason.CONSENT_MISSING, f"Missing in {tenant}: {', '.join(names)}.")
        self.names = names


class TenantGone(Forbidden):
    """The caller's tenant left the service, and nobody has joined it anew."""

    kind = "tenant-left"


class Proof(Protocol):
    """Proves consents; `AppCredentials` does."""

    async def prove(self, tenant: str) -> frozenset[str]:
        """The app's permissions in a tenant; raises `NeedsAdmin` if there are none."""

    def forget(self, tenant: str) -> None:
        """Drop the tokens kept for a tenant, so that the next proof asks Entra ID anew."""


class Tenants:
    """Knows the tenants that consented."""

    def __init__(
        self,
        store: Store,
        proof: Proof,
        directory: MailboxDirectory,
        region: str,
        clock: Callable[[], datetime],
        ledger: Ledger,
    ) -> None:
        self._store = store
        self._proof = proof
        self._directory = directory
        self._region = region
        self._clock = clock
        self._ledger = ledger

    async def known(self, caller: Caller) -> Stored[Tenant]:
        """The caller's tenant; recorded at its first call, if its consent is proved.

        Raises `ConsentMissing`, or `TenantGone` for one that left and has to join anew.
        """
        found = await self._store.tenants.get(caller.tenant, TENANT_ROW)
        if found is not None:
            return found
        if await self._ledger.closing_line(caller.tenant) is not None:
            raise TenantGone("tenant_left")
        return await self.consented(caller)

    async def consented(self, caller: Caller) -> Stored[Tenant]:
        """Prove the caller's tenant's consent, and record or reconnect it. Harmless to repeat.

        A parameter of a redirect is never taken for proof (docs: v2-admin-consent). Raises
        `ConsentMissing`.
        """
        try:
            permissions = sorted(await self._proven(caller.tenant))
        except _PermissionsMissingError as error:
            raise ConsentMissing("permissions_missing", permissions=error.names) from error
        except NeedsAdmin as error:
            raise ConsentMissing("tenant_not_connected") from error
        found = await self._store.tenants.get(caller.tenant, TENANT_ROW)
        if found is None:
            return await self._joined(caller, permissions)

        def reconnected(tenant: Tenant) -> Tenant:
            entry.changed = tenant.status is TenantStatus.DISCONNECTED
            if entry.changed:
                tenant = tenant.copy_with(status=TenantStatus.CONNECTED, since=self._clock())
            return tenant.copy_with(permissions=permissions)

        async with self._ledger.change(
            caller, LedgerAction.TENANT_RECONNECTED, caller.tenant
        ) as entry:
            stored = await change(
                self._store.tenants, caller.tenant, TENANT_ROW, reconnected, kind="tenant"
            )
        if entry.changed:
            emit(ConsentRegained(tenant=caller.tenant))
        return stored

    async def read(self, tenant: str) -> Stored[Tenant]:
        """A tenant; `NotFound` if there is none of this id."""
        return found_in(await self._store.tenants.get(tenant, TENANT_ROW), "tenant", tenant)

    async def rename(self, caller: Caller, name: str, if_match: str | None) -> Stored[Tenant]:
        """Change what partners see the caller's tenant called."""

        def renamed(tenant: Tenant) -> Tenant:
            return tenant.copy_with(name=name)

        async with self._ledger.change(caller, LedgerAction.TENANT_RENAMED, caller.tenant):
            return await change(
                self._store.tenants,
                caller.tenant,
                TENANT_ROW,
                renamed,
                kind="tenant",
                if_match=if_match,
            )

    async def consent_doubted(self, tenant: str) -> None:
        """Look whether a tenant's consent is really gone, and if so disconnect it.

        It is gone as soon as a needed permission is. A refusal by Graph may have other causes, and
        kept tokens outlive a consent; so only a new proof decides.
        """
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        if stored is None or stored.value.status is not TenantStatus.CONNECTED:
            return
        try:
            await self._proven(tenant)
        except NeedsAdmin as error:
            if error.reason is Reason.CONSENT_MISSING:
                await self._turn(
                    tenant, TenantStatus.DISCONNECTED, LedgerAction.TENANT_DISCONNECTED
                )
        except ContactSyncError as error:
            _log.warning("the consent of %s cannot be checked now: %s", tenant, error)

    async def works(self, tenant: str) -> None:
        """Note that a tenant's consent has just worked, should it be thought gone."""
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        if stored is not None and stored.value.status is TenantStatus.DISCONNECTED:
            await self._turn(tenant, TenantStatus.CONNECTED, LedgerAction.TENANT_RECONNECTED)

    async def came_back(self, tenant: str) -> bool:
        """Whether a disconnected tenant consents again to all we need; it is connected then."""
        try:
            await self._proven(tenant)
        except ContactSyncError as error:
            _log.info("%s stays disconnected: %s", tenant, error)
            return False
        await self._turn(tenant, TenantStatus.CONNECTED, LedgerAction.TENANT_RECONNECTED)
        return True

    async def _proven(self, tenant: str) -> frozenset[str]:
        """The app's permissions in a tenant, as Entra ID says now; no kept token counts.

        Raises `NeedsAdmin` (consent missing) also if a needed one is not among them: what is left
        of a consent does not count as one.
        """
        self._proof.forget(tenant)
        granted = await self._proof.prove(tenant)
        if lacking := missing(granted):
            raise _PermissionsMissingError(tenant, tuple(p.name for p in lacking))
        return granted

    async def _turn(self, tenant: str, status: TenantStatus, action: LedgerAction) -> None:
        turned = False

        def turn(found: Tenant) -> Tenant:
            nonlocal turned
            turned = found.status not in {status, TenantStatus.LEAVING}
            if not turned:
                return found
            return found.copy_with(status=status, since=self._clock())

        await change(self._store.tenants, tenant, TENANT_ROW, turn, kind="tenant")
        if turned:
            await self._ledger.note(tenant, action, tenant)
            if status is TenantStatus.DISCONNECTED:
                emit(ConsentLost(tenant=tenant, reason=Reason.CONSENT_MISSING))
            else:
                emit(ConsentRegained(tenant=tenant))

    async def _joined(self, caller: Caller, permissions: list[str]) -> Stored[Tenant]:
        now = self._clock()
        try:
            domain = await self._directory.domain_of(caller.tenant, caller.oid)
        except ContactSyncError as error:
            _log.info("the domain of %s is not known: %s", caller.tenant, error)
            domain = ""
        tenant = Tenant(
            id=caller.tenant,
            joined=now,
            since=now,
            domain=domain,
            region=self._region,
            permissions=permissions,
        )
        async with self._ledger.change(caller, LedgerAction.TENANT_JOINED, caller.tenant) as entry:
            try:
                stored = await self._store.tenants.insert(caller.tenant, TENANT_ROW, tenant)
            except Conflict:
                entry.changed = False
        if entry.changed:
            emit(TenantJoined(tenant=caller.tenant))
            return stored
        again = await self._store.tenants.get(caller.tenant, TENANT_ROW)
        if again is None:
            raise Defect("A tenant's row came and went.")
        return again
