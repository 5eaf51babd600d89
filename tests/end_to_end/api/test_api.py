"""The API over HTTP: who may call it, what it refuses, and that tenants never see each other.

Everything goes through the functions host and the Entra simulator, as a partner's code would.
"""

import time
from typing import Any
from uuid import uuid4

import pytest

from shared.web.version import VERSION
from tests.end_to_end.checks import an_import, fields, header, problem
from tests.local.client import Api, Client, Json
from tests.world import World


async def test_health_needs_no_token(client: Client) -> None:
    reply = await client.send("GET", f"{client.host}/api/health")

    assert (reply.status, reply.body) == (200, {"status": "ok", "version": VERSION})
    assert header(reply, "X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize("given", [None, "", "Basic dTpw", "Bearer", "Bearer x", "Bearer a.b.c"])
async def test_call_without_bearer_token_is_refused(client: Client, given: str | None) -> None:
    headers = {} if given is None else {"Authorization": given}

    reply = await client.send("GET", f"{client.addresses['api']}/shares", headers=headers)

    problem(reply, 401, "unauthenticated")
    assert header(reply, "WWW-Authenticate") == "Bearer"
    assert header(reply, "Cache-Control") == "no-store"


INVALID_TOKENS = {
    "expired": {"claims": {"exp": int(time.time()) - 3600}},
    "not valid yet": {"claims": {"nbf": int(time.time()) + 36_000}},
    "issued in the future": {"claims": {"iat": int(time.time()) + 36_000}},
    "for another app": {"claims": {"aud": str(uuid4())}},
    "for Graph": {"claims": {"aud": "https://graph.microsoft.com"}},
    "without an audience": {"claims": {"aud": None}},
    "from a foreign issuer": {"claims": {"iss": "https://evil.example/v2.0"}},
    "from another tenant's issuer": {"claims": {"tid": str(uuid4())}},
    "without a tenant": {"claims": {"tid": None}},
    "without an expiry": {"claims": {"exp": None}},
    "of version 1": {"claims": {"ver": "1.0"}},
    "with an invalid tenant id": {"claims": {"tid": "a/b"}},
    "without an object id": {"claims": {"oid": None}},
    "signed with an unknown key": {"key": "foreign"},
    "not signed": {"key": "none"},
}


@pytest.mark.parametrize("invalid", INVALID_TOKENS.values(), ids=INVALID_TOKENS.keys())
async def test_invalid_token_is_refused(world: World, invalid: dict[str, Any]) -> None:
    api = await world.client.api(world.tenant, **invalid)

    reply = await api.send("GET", "/shares")

    detail = problem(reply, 401, "unauthenticated")["detail"]
    assert api.token not in detail


async def test_token_with_tampered_payload_is_refused(world: World, partner: World) -> None:
    own, other = world.api.token.split("."), partner.api.token.split(".")
    forged = Api(world.client, ".".join((own[0], other[1], own[2])))

    problem(await forged.send("GET", "/shares"), 401, "unauthenticated")


async def test_audience_may_be_app_id_uri(world: World) -> None:
    audience = f"api://{world.client.addresses['clientId']}"

    named = await world.client.api(world.tenant, claims={"aud": audience})

    await named.get("/shares")


async def test_caller_without_role_is_refused(world: World) -> None:
    for roles in ((), ("Something",)):
        nobody = await world.client.api(world.tenant, roles=roles)
        problem(await nobody.send("GET", "/licenses"), 403, "forbidden")


async def test_reader_can_read_but_not_change(world: World) -> None:
    share = await world.share()
    reader = await world.client.api(world.tenant, roles=("Reader",))

    await reader.get(f"/shares/{share['id']}")
    for method, path, body in (
        ("POST", "/shares", {"name": "x", "sources": {"allUsers": True}}),
        ("PATCH", f"/shares/{share['id']}", {"name": "x"}),
        ("DELETE", f"/shares/{share['id']}", None),
        ("POST", "/imports", an_import(world, share["id"])),
        ("PUT", "/licenses", {"booked": 5}),
    ):
        problem(await reader.send(method, path, body), 403, "forbidden")
    assert await world.api.get(f"/shares/{share['id']}") == share


async def test_tenant_without_consent_gets_link_to_grant_it(client: Client) -> None:
    tenant = str(uuid4())
    admin = await client.api(tenant)

    refusal = problem(await admin.send("GET", "/shares"), 403, "consent-missing")
    await client.consent(tenant)

    assert f"/{tenant}/v2.0/adminconsent" in refusal["detail"]
    await admin.get("/shares")


# Tenant isolation


async def test_lists_contain_only_own_items(world: World, partner: World) -> None:
    share = await world.share()
    await world.import_(share["id"])

    assert [s["id"] for s in await world.api.all("/shares")] == [share["id"]]
    for path in ("/shares", "/imports", "/runs"):
        assert await partner.api.all(path) == []


@pytest.mark.parametrize("id_", ["..", "a%23b", "a%3Fb", "a%5Cb", "%27", "x" * 2000, "%00", "Ä"])
async def test_malformed_id_returns_404(world: World, id_: str) -> None:
    for path in (f"/shares/{id_}", f"/runs/{id_}/results"):
        assert (await world.api.send("GET", path)).status == 404


# Shares


async def test_share_is_stored_as_sent(world: World) -> None:
    body: Json = {
        "name": "Sales ☎",
        "sources": {
            "users": world.people[:2],
            "groups": [{"id": world.group, "as": "both"}],
            "allUsers": False,
            "orgContacts": True,
            "contacts": [{"displayName": "Hotline", "businessPhones": ["+49 30 110"]}],
            "exclude": [world.people[1]],
            "filter": {"department": ["Sales"]},
        },
        "fields": ["displayName", "emailAddresses"],
        "access": {
            "rule": "tenants",
            "tenants": [str(uuid4())],
            "expires": "2030-01-01T00:00:00Z",
            "approval": True,
        },
    }

    reply = await world.api.send("POST", "/shares", body)

    share = reply.expect(201).body
    assert header(reply, "ETag") == share["etag"]
    assert len(share["id"]) == 32
    assert share["name"] == "Sales ☎"
    assert share["sources"]["groups"] == body["sources"]["groups"]
    assert share["sources"]["contacts"][0]["businessPhones"] == ["+49 30 110"]
    assert share["access"] == body["access"]
    assert await world.api.get(f"/shares/{share['id']}") == share


async def test_merge_patch_changes_only_named_fields(world: World) -> None:
    share = await world.share(fields=["displayName", "mobilePhone"], access={"rule": "tenant"})

    patch = {"name": "New", "fields": ["default"], "sources": {"exclude": [world.people[0]]}}
    changed = await world.api.patch(f"/shares/{share['id']}", patch)

    assert changed["name"] == "New"
    assert changed["fields"] is None
    assert changed["sources"] == {**share["sources"], "exclude": [world.people[0]]}
    assert changed["access"] == share["access"]
    assert changed["created"] == share["created"]
    assert changed["etag"] != share["etag"]


async def test_patched_share_is_validated_as_a_whole(world: World) -> None:
    share = await world.share()

    reply = await world.api.send("PATCH", f"/shares/{share['id']}", {"sources": {"groups": []}})

    assert fields(problem(reply, 400, "invalid-input")) == {"sources"}
    assert await world.api.get(f"/shares/{share['id']}") == share


async def test_stale_etag_returns_412(world: World) -> None:
    share = await world.share()
    path = f"/shares/{share['id']}"

    first = await world.api.send("PATCH", path, {"name": "First"}, if_match=share["etag"])
    late = await world.api.send("PATCH", path, {"name": "Late"}, if_match=share["etag"])
    late_delete = await world.api.send("DELETE", path, if_match=share["etag"])
    strong = first.expect(200).body["etag"].removeprefix("W/")
    second = await world.api.send("PATCH", path, {"name": "Second"}, if_match=f'"x", {strong}')
    third = await world.api.send("PATCH", path, {"name": "Third"}, if_match="*")

    problem(late, 412, "precondition-failed")
    problem(late_delete, 412, "precondition-failed")
    assert second.expect(200).body["name"] == "Second"
    assert third.expect(200).body["name"] == "Third"


async def test_withdrawn_share_is_unknown_to_publisher_and_partners(
    world: World, partner: World
) -> None:
    share = await world.share()

    assert (await world.api.send("DELETE", f"/shares/{share['id']}")).status == 204

    problem(await world.api.send("GET", f"/shares/{share['id']}"), 404, "not-found")
    problem(await world.api.send("DELETE", f"/shares/{share['id']}"), 404, "not-found")
    reply = await partner.api.send("POST", "/imports", an_import(partner, share["id"]))
    assert fields(problem(reply, 400, "invalid-input")) == {"shareId"}


async def test_paging_returns_every_item_once(world: World) -> None:
    made = {(await world.share())["id"] for _ in range(5)}

    listed = await world.api.all("/shares?top=2")

    assert {share["id"] for share in listed} == made
    assert len(listed) == 5


@pytest.mark.parametrize("query", ["top=0", "top=101", "top=x", "top=-1", "top=%C2%B2", "skip=5"])
async def test_invalid_query_parameter_is_named(world: World, query: str) -> None:
    reply = await world.api.send("GET", f"/shares?{query}")

    assert fields(problem(reply, 400, "invalid-input")) == {query.partition("=")[0]}


async def test_page_token_of_another_list_is_refused(world: World, partner: World) -> None:
    for _ in range(2):
        await world.share()
    token = (await world.api.get("/shares?top=1"))["next"]

    for api, path in ((partner.api, "/shares"), (world.api, "/imports")):
        problem(await api.send("GET", f"{path}?next={token}"), 400, "invalid-input")
    for forged in ("x", "e30=", "WyIiLDEsMl0=", "%C3%A4"):
        problem(await world.api.send("GET", f"/shares?next={forged}"), 400, "invalid-input")
