"""How long Graph asks to wait before a request is sent again."""

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Return what `retry-after` says: seconds, maybe with decimals, or a time after `date`.

    None if it says nothing that one can wait for.
    """
    text = headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        return _seconds_until(text, headers.get("date", ""))
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(time: str, now: str) -> float | None:
    try:
        wait = parsedate_to_datetime(time) - parsedate_to_datetime(now)
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())
