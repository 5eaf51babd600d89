"""The Azure regions in which the service may run and keep its data: of the European Union only.

The same list as that of infra/main.bicep's `location`; a test holds them equal. Each is a region
that has Flex Consumption (docs: flex-consumption-how-to).
"""

from typing import Final

COUNTRIES: Final = {
    "westeurope": "NL",
    "northeurope": "IE",
    "germanywestcentral": "DE",
    "francecentral": "FR",
    "swedencentral": "SE",
    "italynorth": "IT",
    "spaincentral": "ES",
}
"""The country of each region (ISO 3166-1)."""
