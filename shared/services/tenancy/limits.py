"""How often people, tenants and networks may call the service.

A caller's own budget counts first. Admins and Readers of a tenant have separate budgets, so that
Readers cannot use up what admins need. Calls without a valid token or session count for the network
that they come from. API Management limits calls before they reach the app; these limits also work
without it. Instances do not share their counts, so the real limit is at most the limit times the
number of instances.
"""

import time
from dataclasses import dataclass
from typing import Final

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from shared.adapters.entra.access_tokens import Caller
from shared.domain.error_codes import Code
from shared.domain.errors import TooManyGuesses, TooManyRequests

_VISITS: Final = 240
_GUESSES: Final = RateLimitItemPerHour(100)
_READS: Final = RateLimitItemPerHour(30)
_NETWORKS: Final = 10_000
_MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Budget:
    """A caller's calls per minute: the limit, those left, and the seconds until the next reset."""

    limit: int
    left: int
    reset: float


class Limiter:
    """Counts calls, and the unknown share ids that people enter."""

    def __init__(
        self, calls_per_minute: int, per_user: int | None = None, per_network: int = 600
    ) -> None:
        """Limit the calls per minute of a tenant, of one user, and of strangers in a network."""
        self._calls = RateLimitItemPerMinute(calls_per_minute)
        self._own_calls = RateLimitItemPerMinute(per_user or calls_per_minute)
        self._windows = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._per_network = per_network
        self._began = time.monotonic()
        self._networks: dict[tuple[str, str], int] = {}

    def count_call(self, caller: Caller, group: str | None) -> None:
        """Count a call for the caller and for a group of its tenant; None: it belongs to no group.

        Raises `TooManyRequests`. A call beyond the caller's own limit does not count for the group.
        """
        self._count(self._own_calls, "too_many_own_calls", "user", caller.tenant, caller.oid)
        if group is not None:
            self._count(self._calls, "too_many_calls", "calls", caller.tenant, group)

    def own_budget(self, caller: Caller) -> Budget:
        """Return how many calls the caller has left in this minute, on this instance."""
        key = ("user", caller.tenant, caller.oid)
        left = self._windows.get_window_stats(self._own_calls, *key)
        return Budget(self._own_calls.amount, left.remaining, self._wait(self._own_calls, *key))

    def count_stranger(self, network: str) -> None:
        """Count a call without a valid token or session; raises `TooManyRequests`."""
        self._count_network("too_many_strangers", network, self._per_network)

    def count_visit(self, network: str) -> None:
        """Count a sign-in from a network. Raises `TooManyRequests` if there are too many."""
        self._count_network("too_many_sign_ins", network, _VISITS)

    def require_guesses_left(self, caller: Caller) -> None:
        """Raise `TooManyRequests` if the caller entered too many unknown share ids."""
        if not self._windows.test(_GUESSES, "guesses", caller.tenant, caller.oid):
            wait = self._wait(_GUESSES, "guesses", caller.tenant, caller.oid)
            raise TooManyGuesses("too_many_guesses", wait)

    def guessed(self, caller: Caller) -> None:
        """Count a share id that does not exist or is not open to the caller's tenant."""
        self._windows.hit(_GUESSES, "guesses", caller.tenant, caller.oid)

    def count_read(self, caller: Caller, share: str) -> None:
        """Count a preview of a partner's share, which reads the partner's directory.

        Raises `TooManyRequests`. Admins and Readers of a tenant have separate budgets here too.
        """
        group = next(iter(sorted(caller.roles)), "")
        self._count(_READS, "too_many_reads", "reads", caller.tenant, share, group)

    def _count_network(self, code: Code, network: str, limit: int) -> None:
        """Count something of a network in this minute.

        A bounded number of networks is remembered; all others of the minute share one count.
        """
        passed = time.monotonic() - self._began
        if passed >= _MINUTE:
            self._networks, self._began, passed = {}, time.monotonic(), 0.0
        known = (code, network) in self._networks or len(self._networks) < _NETWORKS
        key = (code, network if known else "")
        self._networks[key] = self._networks.get(key, 0) + 1
        if self._networks[key] > limit:
            raise TooManyRequests(code, max(1.0, _MINUTE - passed))

    def _count(self, limit: RateLimitItem, code: Code, *key: str) -> None:
        if not self._windows.hit(limit, *key):
            raise TooManyRequests(code, self._wait(limit, *key), limit=limit.amount)

    def _wait(self, limit: RateLimitItem, *key: str) -> float:
        return max(1.0, self._windows.get_window_stats(limit, *key).reset_time - time.time())
