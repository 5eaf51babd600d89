"""Timer triggers and the app's clock.

Timers follow their NCRONTAB expression (six fields, seconds first, UTC) by the app's clock. As in
Microsoft's timer extension, a status is kept in a blob, written after the run: a tick that was
missed, or whose run was killed, fires once at the next start, as past due.
"""

import asyncio
import json
import logging
import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from croniter import croniter

from tests.local.host.functions import Function, InvocationFailed
from tests.local.host.settings import HostSettings
from tests.local.host.storage import Storage, StorageError
from tests.local.host.workers import Workers

_log = logging.getLogger("host.timers")
_EARLIEST: Final = 0.004
_NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)
_KEPT_FROM: Final = timedelta(minutes=1)
_LOCK: Final = "azure-webjobs-hosts/locks/local/host"
_LEASE: Final = 60


class Clock:
    """The app's clock: it runs like the machine's, shifted by `/_sim/clock`."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self.setting = asyncio.Event()
        """Set as soon as the clock is set; each setting has its own event."""

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def set(self, to: datetime | None) -> None:
        """Set the clock to a time, or back to the machine's."""
        self._offset = to - datetime.now(UTC) if to is not None else timedelta()
        self.setting.set()
        self.setting = asyncio.Event()

    @property
    def offset(self) -> timedelta:
        """The difference from the machine's clock. It changes only when the clock is set."""
        return self._offset

    async def reaches(self, moment: datetime, early: float, setting: asyncio.Event) -> bool:
        """Wait for a time, or until so many seconds before.

        False as soon as the clock is no longer at the `setting` by which the time was computed.
        """
        while not setting.is_set():
            left = (moment - self.now()).total_seconds() - early
            if left <= 0:
                return True
            with suppress(TimeoutError):
                await asyncio.wait_for(setting.wait(), left)
        return False


def next_tick(schedule: str, after: datetime) -> datetime:
    """Return when an NCRONTAB expression fires next. Day of month and of week must both match."""
    found: datetime = croniter(schedule, after, day_or=False, second_at_beginning=True).get_next(
        datetime
    )
    return found


class TimerLock:
    """The right to run timers, which only one host has.

    A host that was killed leaves its lease behind, so the next one waits until that has run out.
    """

    def __init__(self, storage: Storage, settings: HostSettings) -> None:
        self._storage = storage
        self._settings = settings
        self._held = False

    async def take(self) -> None:
        """Wait for the right."""
        if await self._storage.patiently(lambda: self._storage.read_blob(_LOCK)) is not None:
            await asyncio.sleep(self._settings.scaled(_LEASE))
        await self._storage.patiently(lambda: self._storage.write_blob(_LOCK, b"held"))
        self._held = True

    async def release(self) -> None:
        """Let the next host have it at once."""
        if self._held:
            await self._storage.delete_blob(_LOCK)


class TimerTrigger:
    """Fires one timer function."""

    def __init__(
        self, function: Function, clock: Clock, workers: Workers, storage: Storage
    ) -> None:
        self.function = function
        self._schedule = str(function.trigger["schedule"])
        self._clock = clock
        self._workers = workers
        self._storage = storage
        self._blob = f"azure-webjobs-hosts/timers/local/{function.name}/status"
        self._last = _NEVER

    async def tick(self) -> None:
        """Fire at each due time, without end. Setting the clock only moves the next one."""
        setting, now = self._clock.setting, self._clock.now()
        due = next_tick(self._schedule, now)
        missed = await self._missed(now)
        if missed is not None:
            due = await self._run(missed, past_due=True)
        while True:
            # A tick may come some milliseconds before its second, but not twice.
            if await self._clock.reaches(due, random.uniform(0, _EARLIEST), setting):
                due = await self._run(due, past_due=False)
            else:
                setting = self._clock.setting
                due = next_tick(self._schedule, self._clock.now())

    async def fire(self) -> bool:
        """Run the function now, whatever its schedule. Return whether it succeeded."""
        return await self._invoke(next_tick(self._schedule, self._clock.now()), past_due=False)

    async def _run(self, due: datetime, *, past_due: bool) -> datetime:
        """Run a tick and record it, whether it succeeded or not. Return the next due time."""
        begun = max(self._clock.now(), due)
        await self._invoke(due, past_due=past_due)
        self._last = begun
        following = next_tick(self._schedule, begun)
        if next_tick(self._schedule, following) - following >= _KEPT_FROM:
            await self._write(begun, following)
        return following

    async def _invoke(self, due: datetime, *, past_due: bool) -> bool:
        info = {
            "Schedule": {"AdjustForDST": False},
            "ScheduleStatus": _status(self._last, due),
            "IsPastDue": past_due,
        }
        try:
            wanted = {"kind": "timer"}
            await self._workers.invoke(self.function, wanted, json.dumps(info).encode())
        except InvocationFailed:
            return False
        return True

    async def _missed(self, now: datetime) -> datetime | None:
        """Return the oldest tick that no host ran, if there is one."""
        kept = await self._storage.patiently(lambda: self._storage.read_blob(self._blob))
        if kept is None:
            return None
        status = json.loads(kept)
        updated, due = (datetime.fromisoformat(status[n]) for n in ("LastUpdated", "Next"))
        if next_tick(self._schedule, updated) != due:
            await self._write(updated, next_tick(self._schedule, now))
            return None
        self._last = datetime.fromisoformat(status["Last"])
        return due if due < now else None

    async def _write(self, last: datetime, due: datetime) -> None:
        content = json.dumps(_status(last, due)).encode()
        try:
            await self._storage.patiently(lambda: self._storage.write_blob(self._blob, content))
        except StorageError as error:
            _log.warning("%s: its status is not written: %s", self.function.name, error)


def _status(last: datetime, due: datetime) -> dict[str, str]:
    return {"Last": last.isoformat(), "Next": due.isoformat(), "LastUpdated": last.isoformat()}
