"""What licenses cost: the operator's price list, for one license and month, without taxes."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from shared.domain.tenancy.tenants import LicensePlan

_PRICE: Final = r"[0-9]{1,6}(?:\.[0-9]{1,2})?"
PATTERN: Final = rf"standard=({_PRICE}) premium=({_PRICE}) ([A-Z]{{3}})"
"""A price list as the operator writes it, such as `standard=1.50 premium=2.50 EUR`."""


@dataclass(frozen=True, slots=True)
class Prices:
    """The price of a license per month in each plan."""

    standard: Decimal
    premium: Decimal
    currency: str

    def of(self, plan: LicensePlan) -> Decimal:
        """Return the price of one license; after a trial, it is the standard one."""
        return self.premium if plan is LicensePlan.PREMIUM else self.standard


def parse(text: str) -> Prices | None:
    """Read a price list; None if there is none."""
    found = re.fullmatch(PATTERN, text)
    if found is None:
        return None
    standard, premium, currency = found.groups()
    return Prices(Decimal(standard), Decimal(premium), currency)
