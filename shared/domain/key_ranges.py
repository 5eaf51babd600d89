"""Ranges of partition keys: how work on the rows of all tenants is divided into messages.

Tenant ids and share ids begin with random hexadecimal digits, so that parts of equal width hold
about as many rows.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

_DIGITS: Final = 8
_LEADING: Final = re.compile(rf"[0-9a-f]{{0,{_DIGITS}}}")


@dataclass(frozen=True)
class KeyRange:
    """The keys after `low`, up to and including `high`; without values, all keys."""

    low: str = ""
    high: str = "~"

    def parts(self, count: int) -> list[Self]:
        """Divide the range into at most `count` parts of about the same width."""
        first, last = _number(self.low), _number(self.high)
        width = last - first
        points = sorted({first + width * n // count for n in range(1, count)} - {first, last})
        cuts = [self.low, *(f"{point:0{_DIGITS}x}" for point in points), self.high]
        return [type(self)(low, high) for low, high in pairwise(cuts)]


def _number(key: str) -> int:
    """Return a number that grows with the text of keys: their first digits."""
    digits = _LEADING.match(key)
    known = digits[0] if digits is not None else ""
    beyond = len(known) < _DIGITS and key[len(known) : len(known) + 1] > "f"
    return int(known.ljust(_DIGITS, "0"), 16) + (16 ** (_DIGITS - len(known)) if beyond else 0)
