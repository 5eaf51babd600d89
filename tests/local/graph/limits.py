"""Limits, counts and faults: what each request passes before it is answered.

Docs: throttling-limits (Outlook service: 4 at once and 10,000 in 10 minutes per app and mailbox;
identity: resource units per app and tenant in 10 seconds).
"""

import itertools
import math
import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.local.graph.protocol import GraphError, Request
from tests.local.graph.sources import sources

MOST_AT_ONCE = 4
MOST_IN_WINDOW = 10_000
WINDOW = 600.0
DIRECTORY_WINDOW = 10.0


@dataclass(slots=True)
class MailboxUse:
    """The app's use of one mailbox."""

    http: int = 0
    batch_items: int = 0
    throttled: int = 0
    at_once: int = 0
    most_at_once: int = 0
    in_window: int = 0
    window_from: float = 0.0
    routes: dict[str, dict[str, int]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "http": self.http,
            "batchItems": self.batch_items,
            "throttled": self.throttled,
            "maxConcurrent": self.most_at_once,
            "routes": self.routes,
        }


@dataclass(slots=True)
class TenantUse:
    """The app's use of one tenant."""

    http: int = 0
    batch_items: int = 0
    throttled: int = 0
    units: float = 0.0
    units_from: float = 0.0
    mailboxes: defaultdict[str, MailboxUse] = field(default_factory=lambda: defaultdict(MailboxUse))
    routes: dict[str, dict[str, int]] = field(default_factory=dict)


class Meter:
    """Counts every request and refuses those over a limit."""

    def __init__(self) -> None:
        self.tenants: defaultdict[str, TenantUse] = defaultdict(TenantUse)

    def reset(self) -> None:
        """Reset the counts, except for requests in progress."""
        running = {
            (tenant, user): box.at_once
            for tenant, use in self.tenants.items()
            for user, box in use.mailboxes.items()
            if box.at_once
        }
        self.tenants.clear()
        for (tenant, user), at_once in running.items():
            self.tenants[tenant].mailboxes[user].at_once = at_once

    def count(self, tenant: str, user: str | None, route: str, *, batch_item: bool) -> None:
        kind = "batchItems" if batch_item else "http"
        use = self.tenants[tenant]
        counted: list[TenantUse | MailboxUse] = [use]
        if user is not None:
            counted.append(use.mailboxes[user])
        for place in counted:
            if batch_item:
                place.batch_items += 1
            else:
                place.http += 1
            place.routes.setdefault(route, {"http": 0, "batchItems": 0})[kind] += 1

    def throttled(self, tenant: str, user: str | None) -> None:
        use = self.tenants[tenant]
        use.throttled += 1
        if user is not None:
            use.mailboxes[user].throttled += 1

    def enter_mailbox(self, tenant: str, user: str) -> MailboxUse:
        """Take one of a mailbox's four slots. Refused requests count as well."""
        box = self.tenants[tenant].mailboxes[user]
        now = sources().seconds()
        if now - box.window_from > WINDOW:
            box.window_from, box.in_window = now, 0
        box.in_window += 1
        if box.at_once >= MOST_AT_ONCE:
            raise GraphError(
                429,
                "ApplicationThrottled",
                "Application is over its MailboxConcurrency limit.",
                {"Retry-After": "1"},
            )
        if box.in_window > MOST_IN_WINDOW:
            wait = math.ceil(WINDOW - (now - box.window_from))
            raise GraphError(
                429,
                "ApplicationThrottled",
                "Application is over its request limit for the mailbox.",
                {"Retry-After": str(wait)},
            )
        box.at_once += 1
        box.most_at_once = max(box.most_at_once, box.at_once)
        return box

    def charge(self, tenant: str, users: int, units: int) -> None:
        """Charge resource units against the directory's budget for the tenant's size."""
        use = self.tenants[tenant]
        now = sources().seconds()
        if now - use.units_from > DIRECTORY_WINDOW:
            use.units_from, use.units = now, 0.0
        use.units += units
        budget = 3_500 if users < 50 else 5_000 if users <= 500 else 8_000
        if use.units > budget:
            wait = math.ceil(DIRECTORY_WINDOW - (now - use.units_from))
            raise GraphError(
                429,
                "TooManyRequests",
                "Too many requests.",
                {"Retry-After": str(max(1, wait)), "x-ms-throttle-limit-percentage": "1.0"},
            )

    def as_json(self) -> dict[str, Any]:
        tenants = {
            tenant: {
                "http": use.http,
                "batchItems": use.batch_items,
                "throttled": use.throttled,
                "routes": use.routes,
                "mailboxes": {user: box.as_json() for user, box in use.mailboxes.items()},
            }
            for tenant, use in self.tenants.items()
        }
        total = {
            "http": sum(use.http for use in self.tenants.values()),
            "batchItems": sum(use.batch_items for use in self.tenants.values()),
            "throttled": sum(use.throttled for use in self.tenants.values()),
        }
        return {"total": total, "tenants": tenants}


def resource_units(route: str, request: Request) -> int:
    """Return the units of a directory request (docs: throttling-limits, identity and access)."""
    if route.startswith("GET /users") and "{id}" not in route:
        units = 2
    elif "transitiveMembers" in route:
        units = 5
    elif "/members" in route:
        units = 3
    elif "getByIds" in route:
        return 2 if "$select" in request.query else 5
    else:
        units = 1
    units -= "$select" in request.query
    units += "$expand" in request.query
    top = request.query.get("$top", "")
    units -= top.isdigit() and int(top) < 20
    return max(1, int(units))


@dataclass(slots=True)
class Fault:
    """A fault: which requests it matches, how many it skips first, and how often it applies.

    With a `chance` it applies to that share of them at random, each with one of its `effects`.
    """

    id: int
    method: str | None
    path: re.Pattern[str]
    tenant: str | None
    after: int
    times: float
    chance: float
    generator: random.Random
    effects: Sequence[Mapping[str, Any]]

    def hits(self, request: Request) -> bool:
        """Return whether the fault applies to this request, and count it."""
        if self.times <= 0 or (self.method and self.method != request.method):
            return False
        if self.tenant is not None and self.tenant != request.tenant:
            return False
        if not self.path.search(request.url):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.chance < 1 and self.generator.random() >= self.chance:
            return False
        self.times -= 1
        return True

    def effect(self) -> Mapping[str, Any]:
        """Return the effect on a matched request."""
        return self.effects[0] if len(self.effects) == 1 else self.generator.choice(self.effects)


class Faults:
    """The active faults."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._ids = itertools.count(1)

    def add(self, wanted: Mapping[str, Any]) -> int:
        """Add a fault as described by POST /_sim/faults. Return its id.

        `{"match", "after": n, "times": n, "effect"}` applies n times.
        `{"match", "chance": 0.05, "seed": 7, "effects": [...]}` applies to 5 % of the requests,
        chosen by the seed, until faults are cleared (or n `times`).
        """
        match = wanted.get("match") or {}
        method = match.get("method")
        fault = Fault(
            id=next(self._ids),
            method=str(method).upper() if method else None,
            path=re.compile(str(match.get("path") or "")),
            tenant=match.get("tenant"),
            after=int(wanted.get("after") or 0),
            times=float(wanted.get("times") or (math.inf if "chance" in wanted else 1)),
            chance=float(wanted.get("chance", 1)),
            generator=random.Random(wanted.get("seed")),
            effects=list(wanted["effects"]) if "effects" in wanted else [wanted["effect"]],
        )
        self._faults.append(fault)
        return fault.id

    def clear(self) -> None:
        self._faults.clear()

    def strike(self, request: Request) -> Mapping[str, Any] | None:
        """Return the effect of the first fault that applies to this request."""
        for fault in self._faults:
            if fault.hits(request):
                if fault.times <= 0:
                    self._faults.remove(fault)
                return fault.effect()
        return None
