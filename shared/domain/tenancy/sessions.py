"""Which sessions and tokens of a tenant no longer count, by when they were issued.

A tenant's row has a time for all its people and one for each person who was signed out. What was
issued before is refused. The list stays short: after a day nothing that old is valid anyway, and
beyond the maximum the oldest entry is applied to everybody, so that nothing revoked comes back.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from shared.domain.model import Model, ObjectId

KEPT: Final = timedelta(days=1)
"""The longest lifetime that a tenant can give its access tokens (docs: configurable-token-
lifetimes)."""
MAX_PEOPLE: Final = 500
FRESH: Final = timedelta(minutes=10)
"""How old a sign-in may be for an act that cannot be undone."""


class SignOutInput(Model):
    """Who is signed out: the object id of a person, or null for everyone in the tenant."""

    person: ObjectId | None = None
    """The object id of the person. Null signs out everyone in the tenant."""


class EndedSessions(Model):
    """When the sessions and tokens of `everyone` ended, and those of single people.

    `people` were signed out by an admin or operator: their tokens ended too. `portal` are people
    who signed out themselves: their sessions in the portal ended.
    """

    everyone: datetime | None = None
    people: dict[str, datetime] = {}
    portal: dict[str, datetime] = {}

    def ended(self, oid: str, issued: datetime | None, *, portal: bool) -> bool:
        """Return whether what a person was issued at this time has ended; None counts as ended."""
        ends = [self.everyone, self.people.get(oid), self.portal.get(oid) if portal else None]
        return any(end is not None and (issued is None or issued < end) for end in ends)

    def with_everyone(self, now: datetime) -> "EndedSessions":
        """End the sessions and tokens of everyone."""
        return EndedSessions(everyone=now)

    def with_person(self, oid: str, now: datetime) -> "EndedSessions":
        """End the sessions and tokens of a person."""
        return self._shortened({**self.people, oid: now}, self.portal, now)

    def with_sign_out(self, oid: str, now: datetime) -> "EndedSessions":
        """End the portal sessions of a person."""
        return self._shortened(self.people, {**self.portal, oid: now}, now)

    def _shortened(
        self, people: Mapping[str, datetime], portal: Mapping[str, datetime], now: datetime
    ) -> "EndedSessions":
        (people, first), (portal, second) = _newest(people, now), _newest(portal, now)
        ends = [end for end in (self.everyone, first, second) if end is not None]
        return EndedSessions(everyone=max(ends, default=None), people=people, portal=portal)


def _newest(
    ends: Mapping[str, datetime], now: datetime
) -> tuple[dict[str, datetime], datetime | None]:
    """Return the newest entries, and the time of the newest one that is left out too early."""
    recent = sorted(
        ((oid, end) for oid, end in ends.items() if end > now - KEPT),
        key=lambda entry: entry[1],
        reverse=True,
    )
    left_out = recent[MAX_PEOPLE:]
    return dict(recent[:MAX_PEOPLE]), left_out[0][1] if left_out else None
