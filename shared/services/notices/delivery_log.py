"""The deliveries that admins see, and the test that they send."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import Listing
from shared.adapters.storage.store import Store
from shared.domain.errors import Conflict, TooManyRequests
from shared.domain.importing.schedule import newest_first
from shared.domain.notices.deliveries import Channel, Delivery
from shared.domain.notices.settings import NoticeSettings
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.idempotency import Execution
from shared.services.notices.preferences import Preferences
from shared.services.notices.watch import Watch
from shared.services.tenancy.ledger import Ledger

_PAUSE: Final = timedelta(minutes=1)


class DeliveryLog:
    """The deliveries of the caller's tenant."""

    def __init__(
        self,
        store: Store,
        preferences: Preferences,
        watch: Watch,
        ledger: Ledger,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._preferences = preferences
        self._watch = watch
        self._ledger = ledger
        self._clock = clock

    async def page(self, caller: Caller, size: int, token: str | None) -> Listing[Delivery]:
        """Return one page of deliveries, newest first; each is kept for 30 days."""
        return await self._store.deliveries.page(caller.tenant, size=size, token=token)

    async def test(self, caller: Caller, channel: Channel, execution: Execution) -> Delivery:
        """Send a test to the receiver of a channel, once; a repeated call returns the same one.

        Raises `Conflict` if it has no receiver that is on, and `TooManyRequests` if the last test
        was less than a minute ago.
        """
        now, began = self._clock(), execution.began
        id_ = f"{newest_first(began)}-{execution.new_id('test')}"
        if execution.again and (known := await self._store.deliveries.get(caller.tenant, id_)):
            # The first execution may have ended before it queued the notice.
            await self._watch.send(caller.tenant, id_)
            return known.value

        def tested(settings: NoticeSettings) -> NoticeSettings:
            if not settings.is_active(channel):
                raise Conflict("webhook_missing")
            last = settings.tested.get(channel)
            own = execution.again and last == began
            if not own and last is not None and (wait := last + _PAUSE - now) > timedelta():
                raise TooManyRequests("too_many_tests", wait.total_seconds())
            moment = began if last is None else max(began, last)
            return settings.copy_with(tested={**settings.tested, channel: moment})

        async with self._ledger.change(caller, LedgerAction.NOTICES_TESTED, caller.tenant):
            await self._preferences.update(caller.tenant, tested)
            notice = Delivery(id=id_, channel=channel, created=began, due=began)
            await self._store.deliveries.insert(caller.tenant, id_, notice)
        await self._watch.send(caller.tenant, id_)
        return notice
