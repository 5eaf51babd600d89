"""What licenses cost by the operator's price list."""

from decimal import Decimal

import pytest

from shared.domain.tenancy.prices import parse
from shared.domain.tenancy.tenants import LicensePlan


def test_price_list_has_a_price_for_each_plan() -> None:
    prices = parse("standard=1.50 premium=2.5 EUR")

    assert prices is not None
    assert prices.currency == "EUR"
    assert prices.of(LicensePlan.TRIAL) == prices.of(LicensePlan.STANDARD) == Decimal("1.50")
    assert prices.of(LicensePlan.PREMIUM) == Decimal("2.5")


@pytest.mark.parametrize("text", ["", "1.50", "standard=1,50 premium=2 EUR", "standard=1 EUR"])
def test_other_texts_are_no_price_list(text: str) -> None:
    assert parse(text) is None
