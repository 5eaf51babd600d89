"""Calls around the gateway: every HTTP function, with every kind of X-Gateway-Token.

These tests have their own local cloud, whose app stands behind a gateway.
"""

import re
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tests import app_functions
from tests.app_functions import Route
from tests.end_to_end.checks import UNKNOWN, header, problem
from tests.local.client import Client, Reply
from tests.local.cloud import LocalCloud
from tests.world import World

GATEWAY = "9a0c1d2e-0000-4000-8000-00000000a91c"
DIRECT = {"GET api/health"}
WITHOUT_TOKEN = {"GET api/health/ready", "GET api/openapi.json"}
"""`DIRECT` works without the gateway, `WITHOUT_TOKEN` works without a caller's token."""

WRONG: dict[str, dict[str, Any]] = {
    "no token": {},
    "an expired token": {"exp": int(time.time()) - 3600},
    "another tenant's": {"tid": str(uuid4())},
    "another identity's": {"oid": str(uuid4())},
    "for another application": {"aud": "https://graph.microsoft.com"},
    "a user's": {"scp": "access_as_user"},
    "of version 1.0": {"ver": "1.0"},
}


@pytest.fixture(scope="module")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """The control interface of a local cloud with a gateway."""
    build = tmp_path_factory.mktemp("gateway")
    async with LocalCloud(build=build, settings={"GATEWAY_PRINCIPAL_ID": GATEWAY}) as cloud:
        yield cloud.client


async def token(client: Client, key: str | None = None, **claims: Any) -> str:
    """Return a token of the gateway's identity, as Entra issues it to an app without roles.

    `claims` override its own. With another `tid`, the issuer is that tenant's.
    """
    app_only = {"scp": None, "roles": None, "name": None, "azp": str(uuid4()), "idtyp": "app"}
    tenant = claims.pop("tid", client.home_tenant)
    return await client.token(tenant, oid=GATEWAY, claims={**app_only, **claims}, key=key)


async def ask(client: Client, route: Route, gateway: str | None, **headers: str) -> Reply:
    """Call a function with these headers."""
    path = re.sub(r"\{nothing.*\}", "", route.path)
    url = f"{client.host}/{re.sub(r'\{\w+\}', UNKNOWN, path)}"
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if gateway is not None:
        given["X-Gateway-Token"] = gateway
    return await client.send(route.method, url, headers=given)


def turned_away(reply: Reply) -> bool:
    """Whether a call was refused for not coming through the gateway."""
    return reply.status == 403 and "You cannot call this address directly" in str(reply.body)


async def wrong_token(client: Client, name: str) -> str | None:
    return None if name == "no token" else await token(client, **WRONG[name])


@pytest.mark.parametrize("name", WRONG)
async def test_only_health_is_reachable_without_the_gateway(behind: Client, name: str) -> None:
    given = await wrong_token(behind, name)

    for route in app_functions.SERVED:
        reply = await ask(behind, route, given)
        if str(route) in DIRECT:
            assert reply.status == 200
        elif route in app_functions.FILES:
            assert (reply.status, reply.body) == (403, None), route
        else:
            assert turned_away(reply), (route, reply.body)


@pytest.mark.parametrize("key", ["foreign", "none"])
async def test_gateway_token_not_signed_by_entra_is_refused(behind: Client, key: str) -> None:
    route = Route("GET", "api/openapi.json")

    problem(await ask(behind, route, await token(behind, key=key)), 403, "gateway-only")


async def test_gateway_token_reaches_every_function(behind: Client) -> None:
    given = await token(behind)

    for route in app_functions.SERVED:
        reply = await ask(behind, route, given)
        assert not turned_away(reply), route
        if route in app_functions.API and str(route) not in DIRECT | WITHOUT_TOKEN:
            problem(reply, 401, "unauthenticated")


async def test_direct_call_is_refused_with_the_published_address(behind: Client) -> None:
    origin = behind.addresses["portal"]
    page = Route("GET", "shares")

    refused = problem(await ask(behind, Route("GET", "api/v1/shares"), None), 403, "gateway-only")
    shown = await ask(behind, page, None, Accept_Language="de")

    assert f"{origin}/api" in refused["detail"]
    assert refused["title"] == "Wrong address"
    assert header(shown, "Content-Type").startswith("text/html")
    assert b"Falsche Adresse" in shown.body
    assert origin.encode() in shown.body


async def test_gateway_and_caller_tokens_are_not_interchangeable(behind: Client) -> None:
    """The API does not accept the gateway's token, nor the gateway check a caller's token."""
    given = await token(behind)
    shares = Route("GET", "api/v1/shares")
    caller = await behind.token(behind.home_tenant)

    as_caller = await ask(behind, shares, given, Authorization=f"Bearer {given}")
    as_gateway = await ask(behind, shares, caller, Authorization=f"Bearer {caller}")

    problem(as_caller, 401, "unauthenticated")
    problem(as_gateway, 403, "gateway-only")


async def network_in_the_ledger(client: Client, **headers: str) -> str:
    """Book licenses as a new tenant's admin and return the network that the ledger records."""
    tenant = str(uuid4())
    await client.consent(tenant)
    given = {
        "Authorization": f"Bearer {await client.token(tenant)}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    api = client.addresses["api"]
    (await client.send("PUT", f"{api}/licenses", {"booked": 1}, given)).expect(200)
    found = (await client.send("GET", f"{api}/ledger", None, given)).expect(200)
    return str(found.body["items"][0]["network"])


async def test_ledger_records_the_network_that_the_gateway_saw(behind: Client) -> None:
    given = await token(behind)

    network = await network_in_the_ledger(
        behind, X_Gateway_Token=given, X_Gateway_Client_Ip="203.0.113.77"
    )

    assert network == "203.0.113.0/24"


async def test_gateway_headers_are_ignored_without_a_gateway(client: Client, world: World) -> None:
    network = await network_in_the_ledger(
        client, X_Gateway_Token=await token(client), X_Gateway_Client_Ip="203.0.113.77"
    )

    assert network == "127.0.0.0/24"
    assert (await world.api.send("GET", "/shares", X_Gateway_Token="no token")).status == 200
