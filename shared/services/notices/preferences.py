"""What admins set about notices: the kinds, and who receives them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.sealing import Seal
from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import NOTICE_SETTINGS, Store
from shared.domain.errors import FieldError, InvalidInput
from shared.domain.notices.deliveries import AttemptOutcome, Channel
from shared.domain.notices.settings import NoticeSettings, NoticesInput, Receiver
from shared.domain.notices.webhooks import host_of, secret_of
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.changes import change
from shared.services.notices.receiver_keys import BOTH_SIGN, ReceiverKeys, opened, sealed
from shared.services.tenancy.ledger import Ledger

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
        return stored or _new()

    async def change(
        self, caller: Caller, apply: Callable[[NoticesInput], NoticesInput], if_match: str | None
    ) -> Stored[NoticeSettings]:
        """Change what notices are sent about."""

        def changed(found: NoticeSettings) -> NoticeSettings:
            wanted = apply(found)
            kinds = list(dict.fromkeys(wanted.kinds))
            detail["kinds"] = [str(kind) for kind in kinds]
            return found.copy_with(
                kinds=kinds, language=wanted.language, failing_days=wanted.failing_days
            )

        detail: dict[str, Any] = {}
        async with self._recorded(caller, detail):
            return await self.update(caller.tenant, changed, if_match)

    async def set_receiver(
        self, caller: Caller, channel: Channel, url: str
    ) -> tuple[Receiver, str]:
        """Set the receiver of a channel, and return it with its secret, which nobody sees again.

        For the same address, the former secret signs as well for a day. Raises `InvalidInput` for
        an address to which notices are not sent.
        """
        host = host_of(url, local=self._local)
        if host is None:
            raise InvalidInput.of(FieldError("url", "webhook_not_public"))
        tenant, now = caller.tenant, self._clock()
        secret = secret_of(bytes.fromhex(self._new_id() + self._new_id()))
        before = (await self.read(tenant)).value.receivers.get(channel)
        known = await opened(self._seal, before, tenant) if before is not None else None
        keys = ReceiverKeys(url, secret)
        if known is not None and known.url == url:
            keys = ReceiverKeys(url, secret, known.secret, now + BOTH_SIGN)
        receiver = Receiver(
            host=host, since=now, sealed=await sealed(self._seal, keys, tenant), sealed_at=now
        )
        async with self._recorded(caller, {str(channel): host}):
            await self.update(tenant, lambda s: s.with_receiver(channel, receiver))
        return receiver, secret

    async def remove_receiver(self, caller: Caller, channel: Channel) -> None:
        """Remove the receiver of a channel; what has not arrived is cancelled. Safe to repeat."""
        if channel not in (await self.read(caller.tenant)).value.receivers:
            return
        async with self._recorded(caller, {str(channel): ""}):
            await self.update(caller.tenant, lambda s: s.with_receiver(channel, None))

    async def disable(
        self, tenant: str, channel: Channel, receiver: Receiver, reason: AttemptOutcome
    ) -> None:
        """Turn a receiver off, unless it was set again meanwhile."""

        def disabled(settings: NoticeSettings) -> NoticeSettings:
            found = settings.receivers.get(channel)
            if found is None or found.since != receiver.since or found.disabled is not None:
                return settings
            off = found.copy_with(disabled=self._clock(), reason=reason)
            return settings.with_receiver(channel, off)

        await self.update(tenant, disabled)

    async def seal_again(self, tenant: str, channel: Channel, receiver: Receiver) -> None:
        """Seal the keys of a receiver with the newest key, or turn it off if they are lost."""
        keys = await opened(self._seal, receiver, tenant)
        if keys is None:
            await self.disable(tenant, channel, receiver, AttemptOutcome.UNREADABLE)
            return
        again = receiver.copy_with(
            sealed=await sealed(self._seal, keys, tenant), sealed_at=self._clock()
        )

        def renewed(settings: NoticeSettings) -> NoticeSettings:
            found = settings.receivers.get(channel)
            same = found is not None and found.sealed == receiver.sealed
            return settings.with_receiver(channel, again) if same else settings

        await self.update(tenant, renewed)

    async def update(
        self, tenant: str, apply: Apply, if_match: str | None = None
    ) -> Stored[NoticeSettings]:
        """Replace the settings with the result of `apply`; see `changes.change`."""
        return await change(
            self._store.notice_settings,
            tenant,
            NOTICE_SETTINGS,
            apply,
            kind="tenant",
            if_match=if_match,
            new=_new(),
        )

    def _recorded(self, caller: Caller, detail: dict[str, Any]) -> Any:
        return self._ledger.change(caller, LedgerAction.NOTICES_CHANGED, caller.tenant, **detail)


def _new() -> Stored[NoticeSettings]:
    """Return the settings of a tenant that nobody has changed yet."""
    return Stored(NoticeSettings(), _NEVER_SET)
