"""Which addresses lead to this machine: simulators get what no service on the internet may."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine, as only a simulator's does."""
    parts = split(url)
    return parts is not None and parts.hostname in LOOPBACK


def split(url: str) -> SplitResult | None:
    """A URL's parts; None if it is none, its port included."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
