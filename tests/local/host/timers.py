"""Timer triggers and the app's clock.

Timers follow their NCRONTAB expression (six fields, seconds first, UTC) by the app's clock. Their
status is not kept, so a tick is never past due (docs: functions-bindings-timer).
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from azure.functions import meta
from azure.functions.timer import TimerRequestConverter
from croniter import croniter

from tests.local.host.functions import Function, InvocationFailed
from tests.local.host.settings import HostSettings

_LOOKS_EVERY = 0.5


class Clock:
    """The app's clock: the machine's, moved by what `/_sim/clock` says, and always going on."""

    def __init__(self) -> None:
        self._offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def set(self, to: datetime | None) -> None:
        """Set it to a time, or back to the machine's."""
        self._offset = to - datetime.now(UTC) if to is not None else timedelta()

    @property
    def offset(self) -> timedelta:
        """How far it is from the machine's; changes only when it is set."""
        return self._offset


def next_tick(schedule: str, after: datetime) -> datetime:
    """When an NCRONTAB expression fires next; day of month and day of week must both hold."""
    found: datetime = croniter(schedule, after, day_or=False, second_at_beginning=True).get_next(
        datetime
    )
    return found


class TimerTrigger:
    """Fires one timer function."""

    def __init__(self, function: Function, clock: Clock, settings: HostSettings) -> None:
        self.function = function
        self._schedule = str(function.trigger["schedule"])
        self._clock = clock
        self._settings = settings
        self._last = datetime(1, 1, 1, tzinfo=UTC)

    async def tick(self) -> None:
        """Fire for ever. Setting the clock fires nothing: it only moves what comes next."""
        while True:
            due = next_tick(self._schedule, self._clock.now())
            if await self._reached(due):
                await self.fire()

    async def fire(self) -> bool:
        """Run the function now; whether it ended well."""
        now = self._clock.now()
        info = {
            "Schedule": {"AdjustForDST": False},
            "ScheduleStatus": {
                "Last": self._last.isoformat(),
                "Next": next_tick(self._schedule, now).isoformat(),
                "LastUpdated": self._last.isoformat(),
            },
            "IsPastDue": False,
        }
        self._last = now
        request = TimerRequestConverter.decode(
            meta.Datum(json.dumps(info), "json"), trigger_metadata=None
        )
        try:
            await self.function.invoke(request, self._settings.function_timeout)
        except InvocationFailed:
            return False
        return True

    async def _reached(self, due: datetime) -> bool:
        """Wait for a time; False as soon as the clock is set anew."""
        offset = self._clock.offset
        while (left := (due - self._clock.now()).total_seconds()) > 0:
            await asyncio.sleep(min(left, _LOOKS_EVERY))
            if self._clock.offset != offset:
                return False
        return True
