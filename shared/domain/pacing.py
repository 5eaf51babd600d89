"""How fast we may go, so that a healthy run is never throttled (docs: throttling-limits).

Outlook allows one app 10,000 requests in 10 minutes and 150 MB in 5 minutes per mailbox. A bucket
of 4,500 requests, refilled by 9 in a second, lets at most 4,500 + 9 · 600 = 9,900 through in any
10 minutes, however Exchange lays its window. 150 MB in 5 minutes are 300 MB in 10, or 30 KB for
each of 10,000 requests: a larger one counts as several.
"""

from datetime import datetime
from typing import Final

from shared.domain.models import Model

CAPACITY: Final = 4_500.0
PER_SECOND: Final = 9.0
_BYTES_PER_REQUEST: Final = 30_000
_WORTH_WAITING_FOR: Final = 2_000.0


class Pace(Model):
    """What is left of a mailbox's bucket since a moment; kept with the lease on the mailbox."""

    left: float = CAPACITY
    since: datetime | None = None

    def refilled(self, now: datetime) -> "Pace":
        """The bucket as it is now; a clock that went back refills nothing."""
        passed = max((now - self.since).total_seconds(), 0.0) if self.since else 0.0
        return Pace(left=min(CAPACITY, self.left + passed * PER_SECOND), since=now)

    def spent(self, requests: float) -> "Pace":
        """The bucket after so many requests."""
        return self.model_copy(update={"left": self.left - requests})

    def wait(self, requests: float, to_come: float) -> float:
        """Seconds until `requests` fit, and enough of the `to_come` that waiting was worth it."""
        if requests <= self.left:
            return 0.0
        worth = max(requests, min(to_come, _WORTH_WAITING_FOR))
        return (worth - self.left) / PER_SECOND


def weight(size: int) -> float:
    """How many requests one of `size` bytes counts for."""
    return max(1.0, size / _BYTES_PER_REQUEST)
