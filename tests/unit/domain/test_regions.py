"""Regions are in the European Union; pages show them with their country."""

import pytest

from shared.domain.regions import COUNTRIES
from shared.portal.formats import filters

UNION = {"AT", "BE", "DE", "DK", "ES", "FI", "FR", "GR", "IE", "IT", "NL", "PL", "SE"}


def test_every_region_is_in_an_eu_country() -> None:
    assert set(COUNTRIES.values()) <= UNION
    assert list(COUNTRIES)[:3] == ["westeurope", "northeurope", "germanywestcentral"]


@pytest.mark.parametrize(
    ("language", "region", "shown"),
    [
        ("en", "westeurope", "Netherlands (westeurope)"),
        ("de", "westeurope", "Niederlande (westeurope)"),
        ("en", "northeurope", "Ireland (northeurope)"),
        ("de", "germanywestcentral", "Deutschland (germanywestcentral)"),
        ("de", "elsewhere", "elsewhere"),
        ("en", "", ""),
    ],
)
def test_a_region_is_shown_with_its_country(language: str, region: str, shown: str) -> None:
    assert filters(language)["region"](region) == shown
