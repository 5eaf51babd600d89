"""A tenant's wish to leave: who asked for it and from where, and when it begins.

Until then, nothing changes, and any admin can take it back.
"""

from datetime import datetime, timedelta
from typing import Final

from shared.domain.model import Model

LAPSES: Final = timedelta(days=7)
"""How long a wish to leave waits for a second admin beyond its date."""


class Departure(Model):
    """Who asked to leave, when and from where; leaving begins when it is `due`.

    With `second`, it needs the confirmation of another admin, who is then `confirmed_by`.
    """

    asked: datetime
    due: datetime
    oid: str
    name: str = ""
    origin: str = ""
    network: str = ""
    client: str = ""
    second: bool = False
    confirmed: datetime | None = None
    confirmed_by: str = ""
    confirmed_name: str = ""

    @property
    def waits_for_second(self) -> bool:
        """Whether another admin has to confirm it."""
        return self.second and self.confirmed is None

    def begins(self, now: datetime) -> bool:
        """Return whether leaving begins now."""
        return self.due <= now and not self.waits_for_second

    def lapsed(self, now: datetime) -> bool:
        """Return whether nobody confirmed it in time."""
        return self.waits_for_second and now >= self.due + LAPSES


class DepartureMark(Model):
    """Says that a tenant waits to leave, so that the timer finds it without reading all tenants."""

    due: datetime
