"""Delivers notices to their receivers, try by try.

A try is written down before it is made, so that two workers do not make the same one; its outcome
is written down afterwards. A worker that is killed in between leaves a try whose outcome is not
known, and the notice is sent once more with the same id.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from shared.adapters.sealing import Seal
from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import TENANT_ROW, Store
from shared.adapters.telemetry import emit
from shared.adapters.webhook_post import Posted, WebhookPost
from shared.domain.errors import PreconditionFailed
from shared.domain.events import NoticeSent
from shared.domain.importing.messages import DeliverNotice
from shared.domain.notices.cards import card_of
from shared.domain.notices.deliveries import AttemptOutcome, Channel, Delivery, DeliveryState
from shared.domain.notices.settings import Receiver
from shared.domain.notices.texts import NoticeLanguage
from shared.domain.notices.webhooks import JSON, body_of, headers_of
from shared.domain.tenancy.tenants import TenantStatus
from shared.services.notices.preferences import Preferences
from shared.services.notices.receiver_keys import opened
from shared.services.notices.watch import Watch

_log = logging.getLogger(__name__)


class Courier:
    """Delivers the notices of all tenants; their links begin with the portal's `origin`."""

    def __init__(
        self,
        store: Store,
        seal: Seal,
        webhooks: WebhookPost,
        preferences: Preferences,
        watch: Watch,
        clock: Callable[[], datetime],
        origin: str,
    ) -> None:
        self._store = store
        self._seal = seal
        self._webhooks = webhooks
        self._preferences = preferences
        self._watch = watch
        self._clock = clock
        self._origin = origin

    async def deliver(self, message: DeliverNotice) -> None:
        """Make the next try of a notice, if it is due. Safe to repeat."""
        with suppress(PreconditionFailed):  # another worker makes it, or the tenant has left
            await self._deliver(message.tenant, message.notice)

    async def give_up(self, message: DeliverNotice) -> None:
        """Give up a notice that cannot be delivered for a fault of our own."""
        stored = await self._store.deliveries.get(message.tenant, message.notice)
        if stored is not None and stored.value.state is DeliveryState.PENDING:
            with suppress(PreconditionFailed):
                failed = stored.value.copy_with(state=DeliveryState.FAILED, due=None)
                await self._replace(message.tenant, failed, stored)

    async def _deliver(self, tenant: str, notice: str) -> None:
        owner = await self._store.tenants.get(tenant, TENANT_ROW)
        stored = await self._store.deliveries.get(tenant, notice)
        if owner is None or owner.value.status is TenantStatus.LEAVING or stored is None:
            return
        due, now = stored.value.due, self._clock()
        if due is None or now < due:
            return
        settings = (await self._preferences.read(tenant)).value
        receiver = settings.receivers.get(stored.value.channel)
        if receiver is None or receiver.disabled is not None:
            cancelled = stored.value.copy_with(state=DeliveryState.CANCELLED, due=None)
            await self._replace(tenant, cancelled, stored)
            return
        begun = await self._replace(tenant, stored.value.begun(now), stored)
        posted = await self._posted(tenant, receiver, begun.value, settings.language)
        await self._record(tenant, receiver, begun, posted)

    async def _posted(
        self, tenant: str, receiver: Receiver, notice: Delivery, language: NoticeLanguage
    ) -> Posted:
        keys = await opened(self._seal, receiver, tenant)
        if keys is None:
            return Posted(AttemptOutcome.UNREADABLE)
        match notice.channel:
            case Channel.TEAMS:
                card = card_of(notice, self._origin, language)
                return await self._webhooks.post(keys.url, card, JSON)
            case Channel.WEBHOOK:
                body, now = body_of(notice, tenant, self._origin), self._clock()
                headers = headers_of(notice, body, keys.secrets(now), now)
                return await self._webhooks.post(keys.url, body, headers)

    async def _record(
        self, tenant: str, receiver: Receiver, begun: Stored[Delivery], posted: Posted
    ) -> None:
        now = self._clock()
        after = begun.value.after(posted.outcome, posted.status, now, posted.wait)
        emit(NoticeSent(tenant=tenant, outcome=str(posted.outcome), tries=len(after.attempts)))
        if after.exhausted:
            # Before the notice counts as failed: if the worker is killed here, it is tried again.
            await self._preferences.disable(tenant, after.channel, receiver, posted.outcome)
        await self._replace(tenant, after, begun)
        if after.due is not None:
            await self._watch.send(tenant, after.id, (after.due - now).total_seconds())

    async def _replace(
        self, tenant: str, value: Delivery, known: Stored[Delivery]
    ) -> Stored[Delivery]:
        return await self._store.deliveries.replace(tenant, value.id, value, known.etag)
