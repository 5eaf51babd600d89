"""Tenants: who may use the service. A tenant joins when its admin's consent is verified.

Withdrawing the consent disconnects the tenant: its imports are suspended and nothing is removed. It
is connected again once the consent is verified again.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from shared.adapters.entra.access_tokens import PORTAL, Caller
from shared.adapters.graph.mailbox_directory import MailboxDirectory
from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import TENANT_ROW, Store
from shared.adapters.telemetry import emit
from shared.domain.errors import (
    Conflict,
    ContactSyncError,
    Defect,
    Forbidden,
    NeedsAdmin,
    Unauthenticated,
    Unavailable,
)
from shared.domain.events import ConsentLost, ConsentRegained, TenantJoined
from shared.domain.reasons import Reason
from shared.domain.tenancy.permissions import missing
from shared.domain.tenancy.security import Security, SecurityInput
from shared.domain.tenancy.tenants import LedgerAction, LedgerEntry, Tenant, TenantStatus
from shared.services.changes import change, found_in
from shared.services.tenancy.ledger import Ledger

_log = logging.getLogger(__name__)

SETTLING: Final = timedelta(hours=2)
"""How long a new consent may still be refused at times: it reaches Microsoft's servers slowly.

Reports name minutes, at times hours (msgraph-bicep-types#193, microsoft-graph-docs#10907)."""
_ASK_AGAIN: Final = 300.0


class ConsentMissing(Forbidden):
    """The caller's tenant has not consented to the app."""

    kind = "consent-missing"


class ConsentPending(Forbidden):
    """The caller's tenant has just consented, but the consent is not active yet."""

    kind = "consent-pending"


class _PermissionsMissingError(NeedsAdmin):
    """A tenant has consented, but not to all required permissions."""

    def __init__(self, tenant: str, names: tuple[str, ...]) -> None:
        super().__init__(Reason.CONSENT_MISSING, f"Missing in {tenant}: {', '.join(names)}.")
        self.names = names


class TenantGone(Forbidden):
    """The caller's tenant left the service and has not joined again."""

    kind = "tenant-left"


class Proof(Protocol):
    """Verifies consents. Implemented by `AppCredentials`."""

    async def prove(self, tenant: str) -> frozenset[str]:
        """Return the app's permissions in a tenant. Raises `NeedsAdmin` if it has none."""

    def forget(self, tenant: str) -> None:
        """Drop the cached tokens of a tenant, so that the next check asks Entra ID again."""


class Tenants:
    """The tenants that consented."""

    def __init__(
        self,
        store: Store,
        proof: Proof,
        directory: MailboxDirectory,
        region: str,
        clock: Callable[[], datetime],
        ledger: Ledger,
        own_client: str,
    ) -> None:
        self._own_client = own_client
        self._store = store
        self._proof = proof
        self._directory = directory
        self._region = region
        self._clock = clock
        self._ledger = ledger

    async def report(self, caller: Caller) -> LedgerEntry | None:
        """Return the closing line of the caller's tenant once nothing else of it is left."""
        if await self._store.tenants.get(caller.tenant, TENANT_ROW) is not None:
            return None
        return await self._ledger.closing_line(caller.tenant)

    async def known(self, caller: Caller) -> Stored[Tenant]:
        """Return the caller's tenant. The first call records it, if its consent is verified.

        Raises `ConsentMissing`, `TenantGone` if the tenant left and has to join again,
        `Unauthenticated` if the caller's session or token has ended, and `Forbidden` for an
        application that may not act for people of the tenant.
        """
        found = await self._store.tenants.get(caller.tenant, TENANT_ROW)
        self._require_client(caller, found)
        if found is not None:
            _require_live(found.value, caller)
            return found
        if await self._ledger.closing_line(caller.tenant) is not None:
            raise TenantGone("tenant_left")
        return await self.verify_consent(caller)

    async def require_client(self, caller: Caller) -> None:
        """Raise `Forbidden` if the caller's application may not act for people of the tenant."""
        if self._is_foreign(caller):
            found = await self._store.tenants.get(caller.tenant, TENANT_ROW)
            self._require_client(caller, found)

    def _is_foreign(self, caller: Caller) -> bool:
        if caller.program or caller.origin == PORTAL:
            return False
        return caller.client.lower() != self._own_client.lower()

    def _require_client(self, caller: Caller, found: Stored[Tenant] | None) -> None:
        if not self._is_foreign(caller):
            return
        if found is None or not found.value.security.admits(caller.client):
            raise Forbidden("client_not_allowed", client=caller.client)

    async def secure(
        self, caller: Caller, apply: Callable[[SecurityInput], SecurityInput], if_match: str | None
    ) -> Stored[Tenant]:
        """Change the security settings of the caller's tenant."""

        def secured(tenant: Tenant) -> Tenant:
            before, wanted = tenant.security, apply(tenant.security)
            given = {name: getattr(wanted, name) for name in SecurityInput.model_fields}
            entry.detail.update(before=_shown(before), after=_shown(wanted))
            off = before.second_admin and not wanted.second_admin
            since = self._clock() if off else before.one_admin_since
            return tenant.copy_with(security=Security(**given, one_admin_since=since))

        async with self._ledger.change(
            caller, LedgerAction.SECURITY_CHANGED, caller.tenant
        ) as entry:
            return await change(
                self._store.tenants,
                caller.tenant,
                TENANT_ROW,
                secured,
                kind="tenant",
                if_match=if_match,
            )

    async def verify_consent(self, caller: Caller) -> Stored[Tenant]:
        """Verify the consent of the caller's tenant, and record or reconnect it. Safe to repeat.

        A redirect's parameter never counts as proof (docs: v2-admin-consent). Raises
        `ConsentMissing`, `NeedsAdmin` if Entra ID refuses the app in spite of a consent, and
        `Conflict` while the tenant is leaving: join again afterwards.
        """
        try:
            permissions = sorted(await self._proven(caller.tenant))
        except _PermissionsMissingError as error:
            raise ConsentMissing(
                "permissions_missing", permissions=error.names, tenant=caller.tenant
            ) from error
        except NeedsAdmin as error:
            if error.reason is not Reason.CONSENT_MISSING:
                raise
            raise ConsentMissing("tenant_not_connected", tenant=caller.tenant) from error
        found = await self._store.tenants.get(caller.tenant, TENANT_ROW)
        if found is None:
            return await self._joined(caller, permissions)
        _require_live(found.value, caller)
        if found.value.status is TenantStatus.LEAVING:
            raise Conflict("tenant_leaving")

        def reconnected(tenant: Tenant) -> Tenant:
            entry.changed = tenant.status is TenantStatus.DISCONNECTED
            if entry.changed:
                tenant = tenant.copy_with(status=TenantStatus.CONNECTED, since=self._clock())
            elif tenant.permissions == permissions:
                return tenant  # first calls at once must not compete for writing the same
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
        """Return a tenant. Raises `NotFound` if it does not exist."""
        return found_in(await self._store.tenants.get(tenant, TENANT_ROW), "tenant", tenant)

    async def rename(self, caller: Caller, name: str, if_match: str | None) -> Stored[Tenant]:
        """Change the name under which partners see the caller's tenant."""

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

    async def check_consent(self, tenant: str) -> None:
        """Check whether a tenant's consent is gone, and disconnect the tenant if so.

        The consent counts as gone as soon as a required permission is missing. Graph may refuse a
        request for other reasons, and cached tokens outlive a consent, so only a new token decides.
        Raises `Unavailable` while the consent is so new that it may not be active everywhere.
        """
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        if stored is None or stored.value.status is not TenantStatus.CONNECTED:
            return
        since = stored.value.since
        if since is not None and self._clock() < since + SETTLING:
            self._proof.forget(tenant)
            message = f"The consent of tenant {tenant} is new and may not be active yet."
            raise Unavailable(message, _ASK_AGAIN)
        try:
            await self._proven(tenant)
        except NeedsAdmin as error:
            if error.reason is Reason.CONSENT_MISSING:
                await self._set_status(
                    tenant, TenantStatus.DISCONNECTED, LedgerAction.TENANT_DISCONNECTED
                )
        except ContactSyncError as error:
            _log.warning("cannot check the consent of tenant %s: %s", tenant, error)

    async def confirm_consent(self, tenant: str) -> None:
        """Reconnect a disconnected tenant whose consent works again."""
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        if stored is not None and stored.value.status is TenantStatus.DISCONNECTED:
            await self._set_status(tenant, TenantStatus.CONNECTED, LedgerAction.TENANT_RECONNECTED)

    async def try_reconnect(self, tenant: str) -> bool:
        """Reconnect a disconnected tenant if all permissions are granted.

        Return whether they are.
        """
        try:
            await self._proven(tenant)
        except ContactSyncError as error:
            _log.info("tenant %s stays disconnected: %s", tenant, error)
            now = self._clock()
            await change(
                self._store.tenants,
                tenant,
                TENANT_ROW,
                lambda t: t.copy_with(checked=now),
                kind="tenant",
            )
            return False
        await self._set_status(tenant, TenantStatus.CONNECTED, LedgerAction.TENANT_RECONNECTED)
        return True

    async def _proven(self, tenant: str) -> frozenset[str]:
        """Ask Entra ID for the app's permissions in a tenant, without cached tokens.

        Raises `NeedsAdmin` (consent missing) also if a required permission is missing: a partial
        consent does not count.
        """
        self._proof.forget(tenant)
        granted = await self._proof.prove(tenant)
        if lacking := missing(granted):
            raise _PermissionsMissingError(tenant, tuple(p.name for p in lacking))
        return granted

    async def _set_status(self, tenant: str, status: TenantStatus, action: LedgerAction) -> None:
        changed = False

        def with_status(found: Tenant) -> Tenant:
            nonlocal changed
            changed = found.status not in {status, TenantStatus.LEAVING}
            if not changed:
                return found
            return found.copy_with(status=status, since=self._clock())

        await change(self._store.tenants, tenant, TENANT_ROW, with_status, kind="tenant")
        if changed:
            await self._ledger.note(tenant, action, tenant)
            if status is TenantStatus.DISCONNECTED:
                emit(ConsentLost(tenant=tenant, reason=Reason.CONSENT_MISSING))
            else:
                emit(ConsentRegained(tenant=tenant))

    async def _joined(self, caller: Caller, permissions: list[str]) -> Stored[Tenant]:
        now = self._clock()
        try:
            domain = await self._directory.domain_of(caller.tenant, user=caller.oid)
        except ContactSyncError as error:
            _log.info("cannot read the domain of tenant %s: %s", caller.tenant, error)
            domain = ""
        left = await self._ledger.closing_line(caller.tenant)
        trial = left.detail if left is not None else {}
        tenant = Tenant(
            id=caller.tenant,
            # Leaving and joining again gives no second trial.
            trial_started=_moment(trial.get("trialStarted")),
            trial_until=_moment(trial.get("trialUntil")),
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
            raise Defect("A tenant's row disappeared right after it was found.")
        return again


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _shown(settings: SecurityInput) -> dict[str, Any]:
    return {"clients": sorted(settings.clients), "secondAdmin": settings.second_admin}


def _require_live(tenant: Tenant, caller: Caller) -> None:
    """Raise `Unauthenticated` if the caller's session or token has ended."""
    portal = caller.origin == PORTAL
    if tenant.sessions.ended(caller.oid, caller.issued, portal=portal):
        raise Unauthenticated("session_ended")
