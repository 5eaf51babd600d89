"""The address and the secrets of a receiver of notices, which are stored sealed.

The seal's keys are renewed from time to time, and only the last two open anything. So what is
sealed is sealed again every week.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.sealing import Purpose, Seal
from shared.domain.notices.settings import Receiver

SEALED_AGAIN: Final = timedelta(days=7)
BOTH_SIGN: Final = timedelta(days=1)
"""How long a former secret signs as well after a new one was made."""
_RECEIVER: Final = Purpose("notice-receiver", timedelta(days=36_500))


@dataclass(frozen=True, slots=True)
class ReceiverKeys:
    """The address of a receiver, its secret, and the former one with the time until it signs."""

    url: str
    secret: str
    former: str = ""
    former_until: datetime | None = None

    def secrets(self, now: datetime) -> tuple[str, ...]:
        """Return the secrets that sign now, newest first."""
        both = self.former_until is not None and now < self.former_until
        return (self.secret, self.former) if both else (self.secret,)


async def opened(seal: Seal, receiver: Receiver, tenant: str) -> ReceiverKeys | None:
    """Return the keys of a tenant's receiver; None if they can no longer be read."""
    found = await seal.open(_RECEIVER, receiver.sealed)
    if found is None or found["tenant"] != tenant:
        return None
    until = found["until"]
    return ReceiverKeys(
        url=str(found["url"]),
        secret=str(found["secret"]),
        former=str(found["former"]),
        former_until=datetime.fromisoformat(until) if until else None,
    )


async def sealed(seal: Seal, keys: ReceiverKeys, tenant: str) -> str:
    """Return the keys of a tenant's receiver, sealed."""
    until = keys.former_until.isoformat() if keys.former_until is not None else ""
    value = {
        "tenant": tenant,
        "url": keys.url,
        "secret": keys.secret,
        "former": keys.former,
        "until": until,
    }
    return await seal.close(_RECEIVER, value)
