"""The Azure regions where the service may run and store its data: in the European Union only.

`location` in infra/main.bicep has the same list, and a test compares them. Each region offers Flex
Consumption (docs: flex-consumption-how-to).
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
