"""Which applications may act for a person, and who may decide that."""

import time
from uuid import uuid4

from tests.end_to_end.browser import Browser
from tests.end_to_end.checks import problem
from tests.end_to_end.signed_in import press
from tests.local.client import Client
from tests.world import World


async def test_foreign_application_cannot_act_with_an_admins_rights(
    client: Client, world: World
) -> None:
    foreign = await client.api(world.tenant, claims={"azp": str(uuid4())})
    nameless = await client.api(world.tenant, claims={"azp": None})
    operator = await client.api(
        client.home_tenant, roles=("Operator",), claims={"azp": str(uuid4())}
    )
    share = await world.share()
    calls = [
        ("GET", "/tenant", None),
        ("GET", "/shares", None),
        ("GET", "/tenant/export", None),
        ("POST", "/shares", {"name": "Theirs", "sources": {"allUsers": True}}),
        ("DELETE", f"/shares/{share['id']}", None),
        ("POST", "/tenant/consent", None),
        ("PATCH", "/tenant/security", {"clients": [str(uuid4())]}),
    ]

    refused = [await api.send(*call) for api in (foreign, nameless) for call in calls]
    refused.append(await operator.send("GET", f"/operator/tenants/{world.tenant}"))

    for reply in refused:
        assert problem(reply, 403, "forbidden")["code"] == "client_not_allowed"
    assert [each["id"] for each in await world.api.all("/shares")] == [share["id"]]


async def test_first_call_of_a_foreign_application_does_not_join_a_tenant(client: Client) -> None:
    tenant = str(uuid4())
    await client.create_tenant(tenant)
    foreign = await client.api(tenant, claims={"azp": str(uuid4())})

    refused = await foreign.send("GET", "/shares")

    assert problem(refused, 403, "forbidden")["code"] == "client_not_allowed"


async def test_allowed_application_acts_and_is_named_in_the_ledger(
    client: Client, world: World, ada: Browser
) -> None:
    azp = str(uuid4())
    foreign = await client.api(world.tenant, claims={"azp": azp})
    reader = await client.api(world.tenant, roles=("Reader",))
    old = await client.api(world.tenant, claims={"iat": int(time.time()) - 700})
    wanted = {"clients": [azp.upper()]}

    refused = [await api.send("PATCH", "/tenant/security", wanted) for api in (reader, old)]
    saved = await press(ada, await ada.open("/settings/security"), "save", clients=azp.upper())
    share = await foreign.post("/shares", {"name": "P", "sources": {"allUsers": True}}, 201)
    await world.api.patch("/tenant/security", {"clients": []}, 200)
    again = await foreign.send("GET", "/shares")
    entries = await world.api.all("/ledger")

    assert [reply.status for reply in refused] == [403, 401]
    assert saved.status == 200
    assert again.status == 403
    made = next(e for e in entries if e["subject"] == share["id"])
    assert made["client"] == azp
    changed = [e["detail"] for e in entries if e["action"] == "security.changed"]
    assert [detail["after"]["clients"] for detail in changed] == [[], [azp.upper()]]


async def test_program_needs_its_application_role_and_no_entry(
    client: Client, world: World
) -> None:
    app = {"scp": None, "azp": str(uuid4())}
    program = await client.api(world.tenant, claims=app)
    directory = await client.api(
        world.tenant,
        roles=("Reader",),
        claims={**app, "wids": ["62e90394-69f5-4237-9190-012177145e10"]},
    )

    assert (await program.send("GET", "/shares")).status == 200
    assert (await directory.send("GET", "/shares")).status == 200
    problem(await directory.send("GET", "/tenant/export"), 403, "forbidden")
