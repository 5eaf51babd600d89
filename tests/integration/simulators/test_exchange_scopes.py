"""RBAC for Applications in the Graph simulator: access beyond the token's permissions."""

from uuid import uuid4

import pytest

from tests.integration.engine.graph import Graph, code, graph_token
from tests.world import World

DIRECTORY = ("User.Read.All", "GroupMember.Read.All", "OrgContact.Read.All")
DENIED = (403, "ErrorAccessDenied")


@pytest.fixture
async def scoped(world: World) -> Graph:
    """An app without mailbox permissions; Exchange grants it the first target's contacts."""
    await world.client.assign(world.tenant, contacts=world.targets[:1])
    return Graph(world, await graph_token(world.client, world.tenant, *DIRECTORY))


async def test_exchange_role_grants_access_only_to_mailboxes_in_its_scope(
    scoped: Graph,
) -> None:
    inside, outside = scoped.box, f"/users/{scoped.world.targets[1]}"
    folder = await scoped.folder()
    for method, path in (
        ("GET", "/contacts"),
        ("POST", "/contacts"),
        ("GET", "/contactFolders"),
        ("POST", "/contactFolders"),
        ("GET", f"/contactFolders/{folder}"),
        ("GET", f"/contactFolders/{folder}/contacts/delta"),
    ):
        body = {"displayName": uuid4().hex} if method == "POST" else None
        assert (await scoped(method, f"{inside}{path}", body)).status in {200, 201}
        assert code(await scoped(method, f"{outside}{path}", body)) == DENIED


async def test_batch_items_are_authorized_one_by_one(scoped: Graph) -> None:
    answers = await scoped.batch(
        *(
            {"id": user, "method": "GET", "url": f"/users/{user}/contacts"}
            for user in scoped.world.targets
        ),
        {"id": "directory", "method": "GET", "url": "/users?$top=1"},
    )

    inside, outside = scoped.world.targets
    assert answers[inside]["status"] == answers["directory"]["status"] == 200
    assert answers[outside]["status"] == 403
    assert answers[outside]["body"]["error"]["code"] == "ErrorAccessDenied"


async def test_categories_require_a_separate_exchange_role(scoped: Graph) -> None:
    path, body = f"{scoped.box}/outlook/masterCategories", {"displayName": "C", "color": "preset1"}
    assert code(await scoped("POST", path, body)) == DENIED
    await scoped.world.client.assign(scoped.world.tenant, settings=scoped.world.targets[:1])
    assert (await scoped("POST", path, body)).status == 201
    assert code(await scoped("GET", f"{scoped.box}/contacts")) == DENIED


async def test_permissions_of_entra_and_exchange_add_up(scoped: Graph) -> None:
    client, tenant = scoped.world.client, scoped.world.tenant
    wide = Graph(scoped.world, await graph_token(client, tenant, *DIRECTORY, "Contacts.ReadWrite"))
    for user in scoped.world.targets:
        assert (await wide("GET", f"/users/{user}/contacts")).status == 200


async def test_exchange_roles_grant_no_access_to_the_directory(world: World) -> None:
    await world.client.assign(world.tenant, contacts=world.targets, settings=world.targets)
    bare = Graph(world, await graph_token(world.client, world.tenant, "Calendars.Read"))
    assert code(await bare("GET", "/users")) == (403, "Authorization_RequestDenied")
    assert (await bare("GET", f"{bare.box}/contacts")).status == 200


async def test_unknown_exchange_role_cannot_be_assigned(world: World) -> None:
    url = f"{world.client.graph}/_sim/rbac"
    wanted = {"role": "Contacts.ReadWrite", "mailboxes": world.targets}
    reply = await world.client.send("POST", url, {"tenant": world.tenant, "assignments": [wanted]})
    assert reply.status == 400
