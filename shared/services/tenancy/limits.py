"""How often a tenant may call the service, and how many shares and imports it may have.

API Management limits calls before they reach the app; these limits also work without it. Because
instances do not share their counts, the real limit is at most the limit times the number of
instances.
"""

import time
from typing import Final

from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from shared.domain.error_codes import Code
from shared.domain.errors import Conflict, TooManyRequests

MAX_SHARES: Final = 500
MAX_IMPORTS: Final = 500
_VISITS: Final = RateLimitItemPerMinute(240)
_GUESSES: Final = RateLimitItemPerHour(100)


class Limiter:
    """Counts the calls of each tenant and the unknown share ids that it sent."""

    def __init__(self, calls_per_minute: int) -> None:
        """Allow each tenant this many API calls per minute."""
        self._calls = RateLimitItemPerMinute(calls_per_minute)
        self._windows = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count_call(self, tenant: str) -> None:
        """Count an API call. Raises `TooManyRequests` if the tenant makes too many."""
        if not self._windows.hit(self._calls, "calls", tenant):
            wait = self._wait(self._calls, "calls", tenant)
            raise TooManyRequests("too_many_calls", wait, limit=self._calls.amount)

    def count_visit(self, network: str) -> None:
        """Count a sign-in from a network. Raises `TooManyRequests` if there are too many."""
        if not self._windows.hit(_VISITS, "visits", network):
            wait = self._wait(_VISITS, "visits", network)
            raise TooManyRequests("too_many_sign_ins", wait)

    def require_guesses_left(self, tenant: str) -> None:
        """Raise `TooManyRequests` if the tenant sent too many unknown share ids."""
        if not self._windows.test(_GUESSES, "guesses", tenant):
            wait = self._wait(_GUESSES, "guesses", tenant)
            raise TooManyRequests("too_many_guesses", wait)

    def guessed(self, tenant: str) -> None:
        """Count a share id that does not exist or is not open to the tenant."""
        self._windows.hit(_GUESSES, "guesses", tenant)

    def _wait(self, limit: RateLimitItemPerMinute | RateLimitItemPerHour, *key: str) -> float:
        return max(1.0, self._windows.get_window_stats(limit, *key).reset_time - time.time())


def require_room(count: int, most: int, code: Code) -> None:
    """Raise `Conflict` with `code` if a tenant already has the maximum number of objects."""
    if count >= most:
        raise Conflict(code, limit=most)
