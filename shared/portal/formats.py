"""Format dates, numbers, times and countries for each language (Unicode CLDR, through Babel)."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from babel import Locale
from babel.dates import format_date, format_skeleton, format_timedelta
from babel.numbers import format_currency, format_decimal, format_percent

from shared.domain.regions import COUNTRIES
from shared.portal.languages import LANGUAGES


def filters(language: str) -> dict[str, Callable[..., str]]:
    """Return the template filters of a language. Times are shown in UTC and labeled so."""
    locale = Locale.parse(LANGUAGES[language].locale)

    def moment(value: datetime) -> str:
        utc = value.astimezone(UTC)
        return f"{format_skeleton('yMMMd', utc, locale=locale)}, {utc:%H:%M} UTC"

    def day(value: date) -> str:
        return format_date(value, "medium", locale=locale)

    def day_month(value: date) -> str:
        return format_skeleton("MMMd", value, locale=locale)

    def duration(value: timedelta | float) -> str:
        length = value if isinstance(value, timedelta) else timedelta(seconds=value)
        return format_timedelta(length, threshold=1.5, locale=locale)

    def number(value: Any) -> str:
        return format_decimal(value, locale=locale)

    def money(value: Decimal, currency: str) -> str:
        return format_currency(value, currency, locale=locale)

    def percent(value: float) -> str:
        return format_percent(value, locale=locale)

    def region(name: str) -> str:
        """Return an Azure region with its country; an unknown region is returned unchanged."""
        country = locale.territories.get(COUNTRIES.get(name, ""))
        return f"{country} ({name})" if country else name

    return {
        "region": region,
        "moment": moment,
        "day": day,
        "day_month": day_month,
        "duration": duration,
        "number": number,
        "money": money,
        "percent": percent,
    }
