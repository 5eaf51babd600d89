"""Standard Webhooks (standardwebhooks.com): the body of a notice, its signature, addresses."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

from shared.domain.notices.deliveries import Delivery

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the prefix that the specification names
JSON: Final = {"Content-Type": "application/json", "User-Agent": "Contact-Sync"}
_REFUSED: Final = tuple(
    ip_network(each)
    for each in (
        "168.63.129.16/32",  # Azure's platform, which every virtual machine reaches there
        "64:ff9b::/96",  # these four carry an IPv4 address, which may be a private one
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "fec0::/10",
    )
)


def body_of(delivery: Delivery, tenant: str, origin: str) -> bytes:
    """Return the body of a notice, the same in every try."""
    content = {
        "type": "notice.created" if delivery.lines else "notice.test",
        "timestamp": _iso(delivery.created),
        "data": {
            "tenant": tenant,
            "items": [
                {
                    "kind": str(line.kind),
                    "state": str(line.state),
                    "causes": line.causes,
                    "mailboxes": line.mailboxes,
                    "problems": line.problems,
                    "date": _iso(line.when) if line.when is not None else None,
                    "url": f"{origin}/{line.path}",
                }
                for line in delivery.lines
            ],
        },
    }
    return json.dumps(content, separators=(",", ":")).encode()


def headers_of(
    delivery: Delivery, body: bytes, secrets: Iterable[str], now: datetime
) -> dict[str, str]:
    """Return the headers of a try now, signed with each of the secrets."""
    timestamp = str(int(now.timestamp()))
    signed = f"{delivery.id}.{timestamp}.".encode() + body
    signatures = [_signature(secret, signed) for secret in secrets]
    return {
        **JSON,
        "webhook-id": delivery.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def secret_of(random: bytes) -> str:
    """Return a secret, as receivers enter it, from random bytes."""
    return SECRET_PREFIX + base64.b64encode(random).decode()


def host_of(url: str, *, local: bool) -> str | None:
    """Return the host of a receiver's address; None if notices are not sent there.

    A `local` service sends to this machine only, and by http as well. Whether the name leads to a
    public address is checked when connecting, since it may change at any time.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if not host or "@" in parts.netloc or parts.fragment:
        return None
    if local and host in {"localhost", "127.0.0.1"}:
        return f"{host}:{port}" if port is not None else host
    if parts.scheme != "https" or port not in {None, 443} or "." not in host.strip("."):
        return None
    return None if _is_address(host) else host


def is_public(address: str) -> bool:
    """Return whether an address is on the public internet."""
    try:
        found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    refused = any(found in network for network in _REFUSED if network.version == found.version)
    return found.is_global and not found.is_multicast and not found.is_reserved and not refused


def _is_address(host: str) -> bool:
    """Return whether a host is an address, also in the short forms that resolvers accept."""
    last = host.rstrip(".").rpartition(".")[2]
    return ":" in host or last.isdigit() or last.startswith("0x")


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _iso(moment: datetime) -> Any:
    return moment.isoformat().replace("+00:00", "Z")
