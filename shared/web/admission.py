"""Decides who may do what, for the API and the portal. No other module does.

`enter` accepts a call that came through the gateway. `admit` accepts the caller of a token or a
session: it counts the call, checks the app role and the state of the tenant. `calls.py` reads the
token, the portal reads the session. Without GATEWAY_PRINCIPAL_ID there is no gateway, and headers
that only a gateway may set are ignored.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Final

import azure.functions as func

from shared.adapters.entra.access_tokens import Caller
from shared.domain.errors import Conflict, Forbidden, GatewayOnly, SignInTooOld
from shared.domain.tenancy.sessions import FRESH
from shared.domain.tenancy.tenants import Tenant, TenantStatus
from shared.wiring.app import App, app

TOKEN: Final = "X-Gateway-Token"  # noqa: S105 - a header's name
"""The header with the token of the gateway's own identity."""

CLIENT: Final = "X-Gateway-Client-Ip"
"""The header with the address that called the gateway."""


class Role(StrEnum):
    """An app role of our registration in Entra ID."""

    ADMIN = "Admin"
    READER = "Reader"
    OPERATOR = "Operator"
    """For the service's own staff; valid only in the service's home tenant."""
    AUDITOR = "Auditor"
    """For a customer's own program that reads the ledger, and nothing else."""


WRITERS: Final = (Role.ADMIN,)
READERS: Final = (Role.ADMIN, Role.READER)
OPERATORS: Final = (Role.OPERATOR,)
AUDITORS: Final = (*READERS, Role.AUDITOR)


@dataclass(frozen=True, slots=True)
class Requirement:
    """Who may use a function: callers with one of the `roles`.

    Unless it is `joined`, the caller's tenant may be unknown to us. While a tenant is leaving,
    functions with `changes` are refused, except those for `leaving`. A `fresh` function cannot be
    undone, so a person must have signed in just before it.
    """

    roles: tuple[Role, ...]
    joined: bool = True
    changes: bool = False
    leaving: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Admitted:
    """An admitted caller, with the roles that count, and its tenant if that had to be known."""

    caller: Caller
    tenant: Tenant | None


async def enter(req: func.HttpRequest) -> str:
    """Return the network that a call came from ('' if unknown).

    Raises `GatewayOnly` for a call that bypassed the gateway, `TooManyRequests` after too many of
    them, and `Unavailable` if the gateway's token cannot be checked now.
    """
    gateway = app().entra.gateway
    try:
        await gateway.require(str(req.headers.get(TOKEN, "")))
    except GatewayOnly:
        count_stranger(app(), network_of(req, gateway=False))
        raise
    return network_of(req, gateway=gateway.guards)


def count_stranger(services: App, network: str) -> None:
    """Count a call without a valid token or session.

    Raises `TooManyRequests` if its network sends too many. The platform's own probes come from no
    network.
    """
    if network:
        services.tenancy.limiter.count_stranger(network)


async def admit(services: App, caller: Caller, access: Requirement) -> Admitted:
    """Admit a caller.

    Raises `TooManyRequests`, `Forbidden`, `Conflict` while the tenant is leaving, and what
    `Tenants.known` raises.
    """
    if caller.tenant != services.settings.home_tenant:
        caller = replace(caller, roles=caller.roles - {Role.OPERATOR})
    services.tenancy.limiter.count_call(caller, _group(caller))
    if not holds(caller, access.roles):
        raise _refusal(access)
    if not access.joined:
        await services.tenancy.tenants.require_client(caller)
        return Admitted(caller, None)
    tenant = (await services.tenancy.tenants.known(caller)).value
    if access.fresh:
        require_fresh(services, caller)
    if access.changes and not access.leaving and tenant.status is TenantStatus.LEAVING:
        raise Conflict("tenant_leaving")
    return Admitted(caller, tenant)


def require_fresh(services: App, caller: Caller) -> None:
    """Raise `SignInTooOld` if a person signed in too long ago for an act that cannot be undone.

    Programs cannot sign in again; `confirmations.py` asks them what they mean.
    """
    if caller.program:
        return
    if caller.signed_in is None or services.clock() - caller.signed_in >= FRESH:
        raise SignInTooOld("sign_in_again", minutes=round(FRESH.total_seconds() / 60))


def _group(caller: Caller) -> str | None:
    """Return whose budget of its tenant a call uses; a caller without a role uses none."""
    return next((str(role) for role in Role if role in caller.roles), None)


def holds(caller: Caller, roles: tuple[Role, ...]) -> bool:
    """Return whether a caller has one of the roles."""
    return bool(caller.roles & set(roles))


def runs_the_service(services: App, caller: Caller) -> bool:
    """Return whether a caller is an Operator or Admin of the service's own tenant."""
    at_home = caller.tenant == services.settings.home_tenant
    return at_home and holds(caller, (Role.OPERATOR, Role.ADMIN))


def network_of(req: func.HttpRequest, *, gateway: bool) -> str:
    """Return the network of a caller, too coarse to identify a person: IPv4 /24, IPv6 /48.

    Returns '' if it is unknown. A `gateway` reports who called it. Without one, it is the last
    address of X-Forwarded-For, which App Service itself saw (docs: app-service, configure-common);
    callers can forge the addresses before it.
    """
    seen = CLIENT if gateway else "X-Forwarded-For"
    last = str(req.headers.get(seen, "")).rpartition(",")[2].strip()
    text = last if last.count(":") > 1 and "]" not in last else last.rpartition(":")[0] or last
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return ""
    return str(ip_network(f"{address}/{24 if address.version == 4 else 48}", strict=False))


def _refusal(access: Requirement) -> Forbidden:
    """Return the error for a caller without the role. While a tenant joins, nobody has it yet."""
    if access.roles == WRITERS and not access.joined:
        return Forbidden("only_global_admin")
    return Forbidden("role_missing", roles=" / ".join(access.roles))
