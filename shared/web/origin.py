"""Where a call came from: through the gateway, if there is one, and from which network.

API, pages and files all ask here first. Without GATEWAY_PRINCIPAL_ID there is no gateway, and what
only a gateway may say is not listened to.
"""

from ipaddress import ip_address, ip_network
from typing import Final

import azure.functions as func

from shared.wiring.app import app

TOKEN: Final = "X-Gateway-Token"  # noqa: S105 - a header's name
"""The header with the token of the gateway's own identity."""

CLIENT: Final = "X-Gateway-Client-Ip"
"""The header with the address that the gateway was called from."""


async def entered(req: func.HttpRequest) -> str:
    """The network a call came from ('' if unknown), once it may come in.

    Raises `GatewayOnly` for a call past the gateway, `Unavailable` if that cannot be told now.
    """
    gateway = app().entra.gateway
    await gateway.require(str(req.headers.get(TOKEN, "")))
    return network_of(req, gateway=gateway.guards)


def network_of(req: func.HttpRequest, *, gateway: bool) -> str:
    """The network a call came from, too coarse to name anybody: IPv4 /24, IPv6 /48; '' if unknown.

    A call through the gateway says whom the gateway saw. Else it is the last address of
    X-Forwarded-For, the one that App Service saw itself (docs: app-service, configure-common);
    what stands before it, anybody can write.
    """
    seen = CLIENT if gateway else "X-Forwarded-For"
    last = str(req.headers.get(seen, "")).rpartition(",")[2].strip()
    text = last if last.count(":") > 1 and "]" not in last else last.rpartition(":")[0] or last
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return ""
    return str(ip_network(f"{address}/{24 if address.version == 4 else 48}", strict=False))
