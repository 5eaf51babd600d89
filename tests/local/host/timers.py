"""Timer triggers and the app's clock.

Timers follow their NCRONTAB expression (six fields, seconds first, UTC) by the app's clock. Their
status is not stored, so a tick is never past due (docs: functions-bindings-timer).
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from azure.functions import meta
from azure.functions.timer import TimerRequestConverter
from croniter import croniter

from tests.local.host.functions import Function, InvocationFailed
from tests.local.host.settings import HostSettings

_CHECKED_EVERY = 0.5


class Clock:
    """The app's clock: it runs like the machine's, shifted by `/_sim/clock`."""

    def __init__(self) -> None:
        self._offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def set(self, to: datetime | None) -> None:
        """Set the clock to a time, or back to the machine's."""
        self._offset = to - datetime.now(UTC) if to is not None else timedelta()

    @property
    def offset(self) -> timedelta:
        """The difference from the machine's clock. It changes only when the clock is set."""
        return self._offset


def next_tick(schedule: str, after: datetime) -> datetime:
    """Return when an NCRONTAB expression fires next. Day of month and of week must both match."""
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
        """Fire at each due time, without end. Setting the clock only moves the next one."""
        while True:
            due = next_tick(self._schedule, self._clock.now())
            if await self._reached(due):
                await self.fire()

    async def fire(self) -> bool:
        """Run the function now. Return whether it succeeded."""
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
        """Wait for a time. Return False as soon as the clock is set."""
        offset = self._clock.offset
        while (left := (due - self._clock.now()).total_seconds()) > 0:
            await asyncio.sleep(min(left, _CHECKED_EVERY))
            if self._clock.offset != offset:
                return False
        return True
