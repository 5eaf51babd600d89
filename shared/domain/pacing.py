"""How fast we may go in a mailbox, so that a healthy run is never throttled.

Outlook allows an app 10,000 requests to a mailbox in 10 minutes and 150 MB in 5 minutes (docs:
throttling-limits). We remember when we sent how many, and let at most 9,700 through in any 10
minutes, however Exchange lays its window; what is left is for reading on after a pause. 150 MB in
5 minutes are 300 MB in 10, or 30 KB for each of 10,000 requests: a larger one counts as several.
"""

import math
from datetime import datetime
from typing import Final

from shared.domain.model import Model

LIMIT: Final = 9_700
_WINDOW: Final = 600
_STEP: Final = 20
"""Seconds that are remembered as one moment, their last."""
_BYTES_PER_REQUEST: Final = 30_000
_WORTH_WAITING_FOR: Final = 2_000


class Pace(Model):
    """What was sent to a mailbox in the last ten minutes: moments (POSIX seconds) and requests."""

    sent: tuple[tuple[int, int], ...] = ()

    def at(self, now: datetime) -> "Pace":
        """Only what still counts; after a clock went back, the future counts as now."""
        latest = _step(now)
        moments: dict[int, int] = {}
        for moment, requests in self.sent:
            if min(moment, latest) > now.timestamp() - _WINDOW:
                moments[min(moment, latest)] = moments.get(min(moment, latest), 0) + requests
        return Pace(sent=tuple(sorted(moments.items())))

    def spent(self, now: datetime, requests: int) -> "Pace":
        """The pace after so many requests now."""
        return Pace(sent=(*self.sent, (_step(now), requests))).at(now)

    def wait(self, now: datetime, requests: int, to_come: int) -> float:
        """Seconds until `requests` fit, and enough of the `to_come` that waiting was worth it."""
        counted = self.at(now).sent
        used = sum(number for _, number in counted)
        if used + requests <= LIMIT:
            return 0.0
        worth = max(requests, min(to_come, _WORTH_WAITING_FOR))
        for moment, number in counted:
            used -= number
            if used + worth <= LIMIT:
                return moment + _WINDOW - now.timestamp()
        return float(_WINDOW)


def weight(size: int) -> int:
    """How many requests one of `size` bytes counts for."""
    return max(1, math.ceil(size / _BYTES_PER_REQUEST))


def _step(now: datetime) -> int:
    return (int(now.timestamp()) // _STEP + 1) * _STEP
