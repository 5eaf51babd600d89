"""The OpenAPI document: served to anyone, valid, and the same as the running API."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.end_to_end.checks import an_import, header, problem
from tests.local.client import Client, Json
from tests.local.cloud import LocalCloud
from tests.world import World


@pytest.fixture
async def document(client: Client) -> Json:
    """The document as a client reads it."""
    return dict((await client.send("GET", f"{client.host}/api/openapi.json")).body)


async def test_document_needs_no_token_and_may_be_cached(client: Client) -> None:
    reply = await client.send("GET", f"{client.host}/api/openapi.json")

    assert reply.status == 200
    assert reply.body["openapi"].startswith("3.1.")
    assert "max-age" in header(reply, "Cache-Control")


async def test_document_names_the_deployments_own_addresses(cloud: LocalCloud) -> None:
    settings = cloud.environment
    document = (await cloud.client.send("GET", f"{cloud.client.host}/api/openapi.json")).body
    flows = document["components"]["securitySchemes"]["entra"]["flows"]
    scope = f"api://{settings['APP_CLIENT_ID']}/.default"
    entra = f"{settings['ENTRA_AUTHORITY']}/organizations/oauth2/v2.0"

    assert document["servers"][0]["url"] == f"{settings['PORTAL_ORIGIN']}/api/v1"
    assert {flow["tokenUrl"] for flow in flows.values()} == {f"{entra}/token"}
    assert {name for flow in flows.values() for name in flow["scopes"]} == {scope}
    assert document["paths"]["/shares"]["get"]["security"] == [{"entra": [scope]}]
    assert scope in document["info"]["description"]
    assert f"{settings['ENTRA_AUTHORITY']}/{{your tenant id}}/" in document["info"]["description"]


async def test_document_is_valid_openapi(document: Json) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


async def test_document_has_the_version_that_health_reports(client: Client, document: Json) -> None:
    health = (await client.send("GET", f"{client.host}/api/health")).expect(200).body

    assert health == {"status": "ok", "version": document["info"]["version"]}


async def test_document_describes_exactly_the_api_functions(client: Client, document: Json) -> None:
    served = (await client.send("GET", f"{client.host}/_sim/functions")).body
    triggers = {f["function"]: f["trigger"] for f in served}
    running = {
        (name, method.upper(), "/" + trigger["route"])
        for name, trigger in triggers.items()
        if str(trigger.get("route", "")).startswith("api/")
        for method in trigger["methods"]
    }

    running.remove(("show_api_docs", "GET", "/api/docs"))  # the page that shows the document
    assert running == {
        (operation["operationId"], method.upper(), urlsplit(servers[0]["url"] + path).path)
        for path, described in document["paths"].items()
        for method, operation in described.items()
        for servers in (operation.get("servers", document["servers"]),)
    }


async def test_every_reference_resolves_and_every_component_is_used(document: Json) -> None:
    used = set(_references(document))

    assert used == {
        f"#/components/{kind}/{name}"
        for kind, components in document["components"].items()
        if kind != "securitySchemes"
        for name in components
    }


async def test_merge_patch_accepts_null_where_the_schema_does(world: World, document: Json) -> None:
    """Null is accepted exactly where the schema allows it."""
    people = {"users": world.people, "groups": [{"id": world.group}]}
    mailboxes = {"users": world.targets, "groups": [world.group]}
    share = await world.share(sources=people, access={"rule": "tenant"})
    import_ = await world.import_(share["id"], targets=mailboxes)

    for path, name, whole in (
        (f"/shares/{share['id']}", "SharePatch", {"sources": people}),
        (f"/imports/{import_['id']}", "ImportPatch", {"targets": mailboxes}),
    ):
        for body, allowed in _nulls(document, name):
            await world.api.patch(path, whole)
            reply = await world.api.send("PATCH", path, body)
            assert (reply.status == 200) == allowed, (body, reply.body)


def _nulls(document: Json, name: str) -> Iterator[tuple[Json, bool]]:
    """Yield a patch with null for each field, and whether the schema allows it."""
    for field, schema in document["components"]["schemas"][name]["properties"].items():
        kinds = schema.get("oneOf", [schema])
        yield {field: None}, {"type": "null"} in kinds or "null" in schema.get("type", ())
        for kind in kinds:
            inner = str(kind.get("$ref", "")).rpartition("/")[2]
            if inner.endswith("Patch"):
                for body, allowed in _nulls(document, inner):
                    yield {field: body}, allowed


async def test_merge_patch_may_be_sent_with_either_content_type(world: World) -> None:
    share = await world.share()
    url = f"{world.client.addresses['api']}/shares/{share['id']}"
    headers = {"Authorization": f"Bearer {world.api.token}"}

    for kind in ("application/json", "application/merge-patch+json; charset=utf-8"):
        given = {**headers, "Content-Type": kind}
        (await world.client.send("PATCH", url, {"name": kind}, given)).expect(200)
    given = {**headers, "Content-Type": "application/merge-patch+json"}
    url = f"{world.client.addresses['api']}/imports"
    refused = await world.client.send("POST", url, an_import(world, share["id"]), given)

    problem(refused, 415, "unsupported-media-type")


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
