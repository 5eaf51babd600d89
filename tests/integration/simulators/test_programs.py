"""A customer's own application gets a token by its client credentials, as Entra ID gives it."""

import ssl

import httpx
import pytest

from tests.integration.adapters.entra import assert_rejected
from tests.local.client import Api, Client, Json
from tests.world import World


async def ask(client: Client, program: Json, **form: str) -> httpx.Response:
    given = {
        "grant_type": "client_credentials",
        "client_id": program["clientId"],
        "client_secret": program["clientSecret"],
        "scope": program["scope"],
    }
    trusted = ssl.create_default_context(cafile=client.addresses["caFile"])
    async with httpx.AsyncClient(verify=trusted) as http:
        return await http.post(program["token"], data={**given, **form})


async def api_of(client: Client, program: Json) -> Api:
    answer = (await ask(client, program)).raise_for_status().json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3599)
    return Api(client, answer["access_token"])


async def test_programs_token_has_the_rights_of_its_app_role(world: World) -> None:
    client = world.client
    writes = await api_of(client, await client.program(world.tenant, "Admin"))
    reads = await api_of(client, await client.program(world.tenant, "Reader"))
    body = {"name": "People", "sources": {"groups": [{"id": world.group}]}}

    await writes.post("/shares", body, 201)

    assert len((await reads.get("/shares"))["items"]) == 1
    await reads.post("/shares", body, 403)


async def test_program_without_an_app_role_is_not_admitted(world: World) -> None:
    api = await api_of(world.client, await world.client.program(world.tenant))

    assert (await api.get("/shares", 401))["code"] == "token_is_id_token"


@pytest.mark.parametrize(
    ("form", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"scope": "api://{client}/access_as_user"}, 400, "invalid_scope", 1002012),
        ({"scope": "api://other/.default"}, 400, "invalid_resource", 500011),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    ],
)
async def test_invalid_token_request_of_a_program_is_rejected(
    world: World, form: dict[str, str], status: int, error: str, code: int
) -> None:
    program = await world.client.program(world.tenant, "Admin")

    assert_rejected(await ask(world.client, program, **form), status, error, code)


async def test_other_tenants_do_not_know_the_program(world: World, partner: World) -> None:
    program = await world.client.program(world.tenant, "Admin")
    program["token"] = program["token"].replace(world.tenant, partner.tenant)

    assert_rejected(await ask(world.client, program), 400, "unauthorized_client", 700016)


async def test_program_gets_no_token_where_our_app_is_unknown(world: World) -> None:
    program = await world.client.program(world.tenant, "Admin")
    await world.client.consent(world.tenant, granted=False)

    assert_rejected(await ask(world.client, program), 400, "invalid_resource", 500011)
