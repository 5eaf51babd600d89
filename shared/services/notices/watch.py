"""Finds what to report to a tenant's admins, and stores it once.

Each pass compares the open causes with those that were reported. The reported causes and the
notices, one for each channel, are stored in one transaction, so a killed worker reports nothing
twice and loses nothing. Notices are at least an hour apart; what happens meanwhile is reported
together.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from typing import Final

from shared.adapters.storage.queues import Queues
from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import OUTBOX, TENANT_ROW, Store
from shared.adapters.storage.tables.conditions import Condition
from shared.domain.errors import Conflict, PreconditionFailed
from shared.domain.importing.messages import NOTICES, DeliverNotice
from shared.domain.importing.schedule import newest_first
from shared.domain.notices.causes import Cause, NoticeKind, Outbox, causes_of, news, summary
from shared.domain.notices.deliveries import BETWEEN, Channel, Delivery, NoticeLine, lines_of
from shared.domain.notices.settings import NoticeSettings
from shared.domain.tenancy.tenants import Tenant, TenantStatus
from shared.services.insight.overview import Overviews
from shared.services.licensing.removals import Removals
from shared.services.notices.preferences import Preferences
from shared.services.notices.receiver_keys import SEALED_AGAIN
from shared.services.sharing.subscribers import Subscribers

_DUE_AT_ONCE: Final = 100


class Watch:
    """Looks at tenants, one at a time. Every call is safe to repeat."""

    def __init__(
        self,
        store: Store,
        queues: Queues,
        preferences: Preferences,
        overviews: Overviews,
        removals: Removals,
        subscribers: Subscribers,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._queues = queues
        self._preferences = preferences
        self._overviews = overviews
        self._removals = removals
        self._subscribers = subscribers
        self._clock = clock
        self._new_id = new_id

    async def look(self, tenant: str) -> None:
        """Tell what has happened in a tenant, and send again what is due."""
        settings = (await self._preferences.read(tenant)).value
        found = await self._store.tenants.get(tenant, TENANT_ROW)
        if found is None or found.value.status is TenantStatus.LEAVING:
            return
        for channel, receiver in settings.receivers.items():
            if self._clock() >= receiver.sealed_at + SEALED_AGAIN:
                await self._preferences.seal_again(tenant, channel, receiver)
        await self._send_due(tenant)
        with suppress(Conflict, PreconditionFailed):  # somebody else has looked just now
            await self._tell(found.value, settings)

    async def send(self, tenant: str, notice: str, delay: float = 0) -> None:
        """Queue a try to deliver a notice."""
        await self._queues.send(NOTICES, DeliverNotice(tenant=tenant, notice=notice), delay)

    def notice(self, channel: Channel, lines: tuple[NoticeLine, ...]) -> Delivery:
        """Return a new notice that is due now."""
        now = self._clock()
        id_ = f"{newest_first(now)}-{self._new_id()}"
        return Delivery(id=id_, channel=channel, created=now, lines=lines, due=now)

    async def _tell(self, tenant: Tenant, settings: NoticeSettings) -> None:
        stored = await self._store.outboxes.get(tenant.id, OUTBOX)
        channels = settings.active()
        if not channels:
            # When notices are turned on again, all open causes are reported.
            if stored is not None:
                await self._store.outboxes.delete(tenant.id, OUTBOX, stored.etag)
            return
        outbox, now = stored.value if stored is not None else Outbox(), self._clock()
        if outbox.told is not None and now < outbox.told + BETWEEN:
            return
        causes = await self._causes(tenant, outbox)
        outbox = outbox.with_seen(causes, now)
        ripe = outbox.ripe(causes, now, timedelta(days=settings.failing_days))
        found = news(outbox.causes, ripe, settings.kinds)
        outbox = outbox.copy_with(causes=found.causes)
        if found.empty:
            if stored is None or outbox != stored.value:
                await self._write(tenant.id, outbox, stored)
            return
        notices = [self.notice(channel, lines_of(found)) for channel in channels]
        await self._write(tenant.id, outbox.copy_with(told=now), stored, notices)
        for notice in notices:
            await self.send(tenant.id, notice.id)

    async def _write(
        self,
        tenant: str,
        outbox: Outbox,
        known: Stored[Outbox] | None,
        notices: Sequence[Delivery] = (),
    ) -> None:
        """Write the outbox as it follows from the one that was read, and the notices with it."""
        operations = self._store.outboxes.setting(OUTBOX, outbox, known)
        operations += [self._store.deliveries.inserting(each.id, each) for each in notices]
        await self._store.outboxes.transact(tenant, operations)

    async def _causes(self, tenant: Tenant, outbox: Outbox) -> dict[str, Cause]:
        overview, now = await self._overviews.of(tenant), self._clock()
        found = causes_of(tenant.id, overview.attention, now)
        week = summary(overview.license.used, len(overview.attention), now)
        found[week.key] = week
        for key, cause in found.items():
            if cause.kind is NoticeKind.LICENSES_SHORT and key not in outbox.causes:
                # Only if it is news, because that reads the seats that wait.
                removal = await self._removals.next(tenant.id)
                day = datetime.combine(removal.day, time.min, UTC) if removal else None
                found[key] = cause.copy_with(when=day)
        for owing in await self._subscribers.owing(tenant.id):
            cause = Cause(
                kind=NoticeKind.NOT_REMOVED,
                subject=f"{owing.share}/{owing.tenant}",
                path="shares" if owing.withdrawn else f"shares/{owing.share}",
                mailboxes=owing.mailboxes,
            )
            found[cause.key] = cause
        return found

    async def _send_due(self, tenant: str) -> None:
        """Queue the notices whose next try is due: their messages may be lost."""
        due = await self._store.deliveries.page(
            tenant, size=_DUE_AT_ONCE, where=(Condition("due", "le", self._clock()),)
        )
        for stored in due.items:
            await self.send(tenant, stored.value.id)
