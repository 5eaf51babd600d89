"""Recognizes addresses of this machine; some settings are allowed only for simulators there."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(url: str) -> bool:
    """Return whether a URL points to this machine, as only a simulator's URL does."""
    parts = split(url)
    return parts is not None and parts.hostname in LOOPBACK


def split(url: str) -> SplitResult | None:
    """Return the parts of a URL; None if the URL or its port is invalid."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
