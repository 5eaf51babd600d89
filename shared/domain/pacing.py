"""The request rate of a mailbox, limited so that a healthy run is never throttled.

Outlook allows an app 10,000 requests to a mailbox in 10 minutes and 150 MB in 5 minutes (docs:
throttling-limits). We record how many requests we sent and when, and send at most 9,700 in any 10
minutes, wherever Exchange's window begins; the rest is a reserve for reads after a pause. 150 MB in
5 minutes is 30 KB for each of 5,000 requests, so a larger request counts as several.
"""

import math
from datetime import datetime
from typing import Final

from shared.domain.model import Model

LIMIT: Final = 9_700
_WINDOW: Final = 600
_STEP: Final = 20
"""Requests are recorded in steps of this many seconds, under the end of their step."""
_BYTES_PER_REQUEST: Final = 30_000
_WORTH_WAITING_FOR: Final = 2_000


class Pace(Model):
    """The requests sent to a mailbox in the last ten minutes, as pairs of POSIX time and count."""

    sent: tuple[tuple[int, int], ...] = ()

    def at(self, now: datetime) -> "Pace":
        """Return the pace without expired requests; future times become now."""
        latest = _step(now)
        moments: dict[int, int] = {}
        for moment, requests in self.sent:
            if min(moment, latest) > now.timestamp() - _WINDOW:
                moments[min(moment, latest)] = moments.get(min(moment, latest), 0) + requests
        return Pace(sent=tuple(sorted(moments.items())))

    def spent(self, now: datetime, requests: int) -> "Pace":
        """Return the pace after this many requests at `now`."""
        return Pace(sent=(*self.sent, (_step(now), requests))).at(now)

    def wait(self, now: datetime, requests: int, to_come: int) -> float:
        """Return the seconds to wait before sending `requests`.

        A wait is long enough for many of the requests `to_come`, not only for the next ones.
        """
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
    """Return how many requests a request of `size` bytes counts as."""
    return max(1, math.ceil(size / _BYTES_PER_REQUEST))


def _step(now: datetime) -> int:
    return (int(now.timestamp()) // _STEP + 1) * _STEP
