"""What admins set about notices: the kinds, and the webhook that receives them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.sealing import Seal
from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import NOTICE_SETTINGS, Store
from shared.domain.errors import Busy, Conflict, FieldError, InvalidInput, PreconditionFailed
from shared.domain.notices.deliveries import AttemptOutcome
from shared.domain.notices.settings import NoticeSettings, NoticesInput, Webhook
from shared.domain.notices.webhooks import host_of, secret_of
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.changes import require_match
from shared.services.notices.webhook_keys import BOTH_SIGN, WebhookKeys, opened, sealed
from shared.services.tenancy.ledger import Ledger

_TRIES: Final = 5
_NEVER_SET: Final = 'W/"never-set"'
"""The version of settings that nobody has changed yet."""

type Apply = Callable[[NoticeSettings], NoticeSettings]


class Preferences:
    """The settings of notices, by tenant. A `local` service sends to this machine only."""

    def __init__(
        self,
        store: Store,
        seal: Seal,
        ledger: Ledger,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        *,
        local: bool,
    ) -> None:
        self._store = store
        self._seal = seal
        self._ledger = ledger
        self._clock = clock
        self._new_id = new_id
        self._local = local

    async def read(self, tenant: str) -> Stored[NoticeSettings]:
        """Return the settings of a tenant; those of a new one if nobody has changed them."""
        stored = await self._store.notice_settings.get(tenant, NOTICE_SETTINGS)
        return stored or Stored(NoticeSettings(), _NEVER_SET)

    async def change(
        self, caller: Caller, apply: Callable[[NoticesInput], NoticesInput], if_match: str | None
    ) -> Stored[NoticeSettings]:
        """Change what notices are sent about."""

        def changed(found: NoticeSettings) -> NoticeSettings:
            wanted = list(dict.fromkeys(apply(found).kinds))
            detail["kinds"] = [str(kind) for kind in wanted]
            return found.copy_with(kinds=wanted)

        detail: dict[str, Any] = {}
        async with self._recorded(caller, detail):
            return await self.update(caller.tenant, changed, if_match)

    async def set_webhook(self, caller: Caller, url: str) -> tuple[Webhook, str]:
        """Set the webhook, and return it with its new secret, which nobody sees again.

        For the same address, the former secret signs as well for a day. Raises `InvalidInput` for
        an address to which notices are not sent.
        """
        host = host_of(url, local=self._local)
        if host is None:
            raise InvalidInput.of(FieldError("url", "webhook_not_public"))
        tenant, now = caller.tenant, self._clock()
        secret = secret_of(bytes.fromhex(self._new_id() + self._new_id()))
        before = (await self.read(tenant)).value.webhook
        known = await opened(self._seal, before, tenant) if before is not None else None
        keys = WebhookKeys(url, secret)
        if known is not None and known.url == url:
            keys = WebhookKeys(url, secret, known.secret, now + BOTH_SIGN)
        webhook = Webhook(
            host=host, since=now, sealed=await sealed(self._seal, keys, tenant), sealed_at=now
        )
        async with self._recorded(caller, {"webhook": host}):
            await self.update(tenant, lambda s: s.copy_with(webhook=webhook))
        return webhook, secret

    async def remove_webhook(self, caller: Caller) -> None:
        """Remove the webhook; what has not arrived is cancelled. Safe to repeat."""
        if (await self.read(caller.tenant)).value.webhook is None:
            return
        async with self._recorded(caller, {"webhook": ""}):
            await self.update(caller.tenant, lambda s: s.copy_with(webhook=None))

    async def disable(self, tenant: str, webhook: Webhook, reason: AttemptOutcome) -> None:
        """Turn a webhook off, unless it was set again meanwhile."""

        def disabled(found: NoticeSettings) -> NoticeSettings:
            same = found.webhook is not None and found.webhook.since == webhook.since
            if found.webhook is None or not same or found.webhook.disabled is not None:
                return found
            off = found.webhook.copy_with(disabled=self._clock(), reason=reason)
            return found.copy_with(webhook=off)

        await self.update(tenant, disabled)

    async def seal_again(self, tenant: str, webhook: Webhook) -> None:
        """Seal the keys of a webhook with the newest key, or turn it off if they are lost."""
        keys = await opened(self._seal, webhook, tenant)
        if keys is None:
            await self.disable(tenant, webhook, AttemptOutcome.SECRET_LOST)
            return
        again = webhook.copy_with(
            sealed=await sealed(self._seal, keys, tenant), sealed_at=self._clock()
        )

        def renewed(found: NoticeSettings) -> NoticeSettings:
            same = found.webhook is not None and found.webhook.sealed == webhook.sealed
            return found.copy_with(webhook=again) if same else found

        await self.update(tenant, renewed)

    async def update(
        self, tenant: str, apply: Apply, if_match: str | None = None
    ) -> Stored[NoticeSettings]:
        """Replace the settings with the result of `apply`, as `changes.change` does."""
        records = self._store.notice_settings
        for _ in range(_TRIES):
            stored = await records.get(tenant, NOTICE_SETTINGS)
            found = stored or Stored(NoticeSettings(), _NEVER_SET)
            require_match(found.etag, if_match)
            value = apply(found.value)
            if value is found.value:
                return found
            try:
                if stored is None:
                    return await records.insert(tenant, NOTICE_SETTINGS, value)
                return await records.replace(tenant, NOTICE_SETTINGS, value, stored.etag)
            except (Conflict, PreconditionFailed):
                continue
        raise Busy("The settings of notices keep changing.", 1.0)

    def _recorded(self, caller: Caller, detail: dict[str, Any]) -> Any:
        return self._ledger.change(caller, LedgerAction.NOTICES_CHANGED, caller.tenant, **detail)
