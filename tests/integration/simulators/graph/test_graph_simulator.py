"""The Graph simulator follows Microsoft's documentation; each rule has its own test."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp
import pytest

from shared.domain.contacts.fields import MARK
from tests.integration.engine.graph import Graph, code, graph_token
from tests.world import World

EVENTUAL = {"ConsistencyLevel": "eventual"}
IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}


@pytest.fixture
async def graph(world: World) -> AsyncIterator[Graph]:
    yield Graph(world, await graph_token(world.client, world.tenant))
    await world.client.latency(0)


async def test_request_without_a_valid_token_returns_401(world: World) -> None:
    url = f"{world.client.addresses['graph']}/users"
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        reply = await world.client.send("GET", url, headers=headers)
        assert code(reply) == (401, "InvalidAuthenticationToken")


async def test_token_for_another_audience_returns_401(world: World) -> None:
    wrong = Graph(world, await world.client.token(world.tenant))
    assert (await wrong("GET", "/users")).status == 401


async def test_token_without_the_role_returns_403(world: World) -> None:
    bare = Graph(world, await graph_token(world.client, world.tenant, "Calendars.Read"))
    assert code(await bare("GET", "/users")) == (403, "Authorization_RequestDenied")
    assert code(await bare("GET", f"{bare.box}/contacts")) == (403, "ErrorAccessDenied")


async def test_page_of_users_has_at_most_999(graph: Graph) -> None:
    first = (await graph("GET", "/users?$top=3&$select=id")).expect(200).body
    assert [set(u) for u in first["value"]] == [{"id"}] * 3
    rest = (await graph("GET", first["@odata.nextLink"])).expect(200).body
    assert len(rest["value"]) == 3
    assert code(await graph("GET", "/users?$top=1000"))[0] == 400
    assert code(await graph("GET", "/users?$skip=1"))[0] == 400


async def test_in_filter_takes_at_most_fifteen_values(graph: Graph) -> None:
    ids = graph.world.people
    listed = ",".join(f"'{i}'" for i in ids)
    found = (await graph("GET", f"/users?$filter=id in ({listed})")).expect(200).body["value"]
    assert sorted(u["id"] for u in found) == sorted(ids)
    many = ",".join(f"'{uuid4()}'" for _ in range(16))
    assert (await graph("GET", f"/users?$filter=id in ({many})")).status == 400


async def test_ne_and_casts_require_an_advanced_query(graph: Graph) -> None:
    ne = "/users?$filter=department ne 'Sales'"
    assert code(await graph("GET", ne)) == (400, "Request_UnsupportedQuery")
    assert (await graph("GET", f"{ne}&$count=true", None, **EVENTUAL)).status == 200
    members = f"/groups/{graph.world.group}/transitiveMembers/microsoft.graph.user"
    for path, headers in ((members, EVENTUAL), (f"{members}?$count=true", {})):
        assert (await graph("GET", path, None, **headers)).status == 400
    assert (await graph("GET", f"{members}?$count=true", None, **EVENTUAL)).status == 200


async def test_pages_of_members_may_be_empty_and_each_requires_the_header(
    graph: Graph,
) -> None:
    path = f"/groups/{graph.world.group}/transitiveMembers/microsoft.graph.user?$count=true&$top=2"
    sizes, found = [], 0
    while path:
        page = (await graph("GET", path, None, **EVENTUAL)).expect(200).body
        sizes.append(len(page["value"]))
        found += len(page["value"])
        following = page.get("@odata.nextLink", "")
        if following:
            assert (await graph("GET", following)).status == 400
        path = following
    assert found == 5
    assert 0 in sizes


async def test_groups_nested_in_each_other_list_each_member_once(graph: Graph) -> None:
    world = graph.world
    inner = {"id": str(uuid4()), "displayName": "I", "members": [world.targets[0], world.group]}
    outer = {"id": world.group, "members": [*world.people, inner["id"]]}
    await world.client.change_tenant(world.tenant, groups=[inner, outer])
    path = f"/groups/{world.group}/transitiveMembers/microsoft.graph.user?$count=true&$select=id"
    found = (await graph("GET", path, None, **EVENTUAL)).expect(200).body["value"]
    assert sorted(u["id"] for u in found) == sorted([*world.people, world.targets[0]])


async def test_get_by_ids_returns_existing_objects(graph: Graph) -> None:
    ids = [graph.world.people[0], str(uuid4())]
    reply = await graph("POST", "/directoryObjects/getByIds", {"ids": ids, "types": ["user"]})
    assert [u["id"] for u in reply.expect(200).body["value"]] == ids[:1]
    many = {"ids": [str(uuid4()) for _ in range(1001)], "types": ["user"]}
    assert (await graph("POST", "/directoryObjects/getByIds", many)).status == 400


async def test_get_by_ids_of_groups_requires_the_documented_permission(graph: Graph) -> None:
    body = {"ids": [graph.world.group], "types": ["group"]}
    asked = "/directoryObjects/getByIds"
    assert code(await graph("POST", asked, body)) == (403, "Authorization_RequestDenied")
    wide = Graph(
        graph.world, await graph_token(graph.world.client, graph.world.tenant, "Directory.Read.All")
    )
    found = (await wide("POST", asked, body)).expect(200).body["value"]
    assert [g["id"] for g in found] == [graph.world.group]


NAMES = ("李四(David Li)", "hello.world", "HelloWorld", "Mary Ann", 'Ann "Bo" C\\D')


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ('"displayName:hello"', {"hello.world", "HelloWorld"}),
        ('"displayName:world hello"', {"hello.world", "HelloWorld"}),
        ('"displayName:helloworld"', {"hello.world"}),
        ('"displayName:orld"', set()),
        ('"displayName:Li 李"', {"李四(David Li)"}),
        ('"displayName:ann"', {"Mary Ann", 'Ann "Bo" C\\D'}),
        ('"displayName:ann" AND "displayName:mar"', {"Mary Ann"}),
        ('"displayName:mary" OR ("displayName:dav" AND "displayName:li")', {NAMES[0], "Mary Ann"}),
        ('"displayName:\\"Bo\\" C\\\\D"', {'Ann "Bo" C\\D'}),
        ('"mail:hit"', {"Mary Ann"}),
        ('"mail:example"', set()),
    ],
)
async def test_search_matches_words_of_names_and_prefixes_of_other_fields(
    graph: Graph, search: str, names: set[str]
) -> None:
    users = [
        {"id": str(uuid4()), "displayName": name, "mail": f"x{n}@x.example"}
        for n, name in enumerate(NAMES)
    ]
    users[3]["mail"] = "hit.example@x.example"
    await graph.world.client.change_tenant(graph.world.tenant, users=users)
    query = urlencode({"$search": search, "$select": "displayName", "$count": "true"})
    found = (await graph("GET", f"/users?{query}", None, **EVENTUAL)).expect(200).body
    assert {u["displayName"] for u in found["value"]} == names
    assert found["@odata.count"] == len(names)


@pytest.mark.parametrize(
    "search",
    [
        "displayName:x",
        '"x"',
        '"displayName:"',
        '"nothing:x"',
        '"displayName:x" "mail:x"',
        '"displayName:x" or "mail:x"',
        '("displayName:x"',
        '"displayName:a"b"',
        '"displayName:a\\b"',
    ],
)
async def test_malformed_search_returns_400(graph: Graph, search: str) -> None:
    query = urlencode({"$search": search})
    refused = await graph("GET", f"/users?{query}", None, **EVENTUAL)
    assert code(refused) == (400, "Request_UnsupportedQuery")


async def test_search_requires_the_header_on_each_page(graph: Graph) -> None:
    query = urlencode({"$search": '"displayName:person"', "$top": "2"})
    assert (await graph("GET", f"/users?{query}")).status == 400
    page = (await graph("GET", f"/users?{query}", None, **EVENTUAL)).expect(200).body
    assert len(page["value"]) == 2
    link = page["@odata.nextLink"]
    assert (await graph("GET", link)).status == 400
    assert len((await graph("GET", link, None, **EVENTUAL)).expect(200).body["value"]) == 2


async def test_batch_takes_at_most_twenty_requests_and_answers_each_by_id(graph: Graph) -> None:
    item = {"method": "GET", "url": "/users?$top=1"}
    answers = await graph.batch(
        {"id": "a", **item},
        {"id": "b", "method": "GET", "url": "/users/nobody"},
        {"id": "c", "method": "POST", "url": f"{graph.box}/contacts", "body": {}},
        {"id": "d", "method": "GET", "url": "https://elsewhere.example/"},
    )
    assert {i: part["status"] for i, part in answers.items()} == {
        "a": 200,
        "b": 404,
        "c": 400,
        "d": 400,
    }
    for requests in (
        [{"id": str(n), **item} for n in range(21)],
        [{"id": "a", **item}, {"id": "a", **item}],
        [],
    ):
        assert (await graph("POST", "/$batch", {"requests": requests})).status == 400


async def test_batch_item_that_depends_on_a_failed_one_returns_424(graph: Graph) -> None:
    answers = await graph.batch(
        {"id": "1", "method": "GET", "url": "/users/nobody"},
        {"id": "2", "method": "GET", "url": "/users?$top=1", "dependsOn": ["1"]},
    )
    assert (answers["1"]["status"], answers["2"]["status"]) == (404, 424)


async def test_contact_beyond_the_hard_limits_returns_400(graph: Graph) -> None:
    mails = [{"address": f"a{n}@x.example"} for n in range(4)]
    for body in (
        {"businessPhones": ["1", "2", "3"]},
        {"emailAddresses": mails},
        {"noSuchField": 1},
        {"givenName": 5},
    ):
        assert (await graph("POST", f"{graph.box}/contacts", body)).status == 400


async def test_patch_keeps_unsent_fields_and_replaces_whole_lists(graph: Graph) -> None:
    body = {
        "givenName": "A",
        "surname": "B",
        "personalNotes": "n",
        "businessPhones": ["1", "2"],
        "emailAddresses": [{"address": "a@x.example"}, {"address": "malformed"}],
    }
    made = (await graph("POST", f"{graph.box}/contacts", body)).expect(201).body
    assert made["displayName"] == "A B"
    assert [m.get("address") for m in made["emailAddresses"]] == ["a@x.example", None]
    path = f"{graph.box}/contacts/{made['id']}"
    changed = (await graph("PATCH", path, {"businessPhones": ["9"], "surname": "C"})).body
    assert (changed["businessPhones"], changed["personalNotes"]) == (["9"], "n")
    assert changed["displayName"] == "A C"
    assert changed["@odata.etag"] != made["@odata.etag"]


async def test_ids_are_immutable_only_on_request_and_both_kinds_are_accepted(graph: Graph) -> None:
    body = {"displayName": "X"}
    made = (await graph("POST", f"{graph.box}/contacts", body, **IMMUTABLE)).body["id"]
    listed = (await graph("GET", f"{graph.box}/contacts")).body["value"][0]["id"]
    assert made != listed
    for id_ in (made, listed):
        assert (await graph("GET", f"{graph.box}/contacts/{id_}")).status == 200
    assert (await graph("GET", f"{graph.box}/contacts/{made.swapcase()}")).status == 404


async def test_extended_properties_are_returned_only_if_expanded_and_can_be_filtered(
    graph: Graph,
) -> None:
    marked = {"displayName": "M", "singleValueExtendedProperties": [{"id": MARK, "value": "V:1"}]}
    made = (await graph("POST", f"{graph.box}/contacts", marked)).body
    assert "singleValueExtendedProperties" not in made
    wanted = f"singleValueExtendedProperties/Any(ep: ep/id eq '{MARK}' and ep/value eq 'v:1')"
    found = (await graph("GET", f"{graph.box}/contacts?$filter={wanted}")).expect(200).body
    assert [c["id"] for c in found["value"]] == [made["id"]]
    path = f"{graph.box}/contacts/{made['id']}"
    expand = f"$expand=singleValueExtendedProperties($filter=id eq '{MARK}')"
    shown = (await graph("GET", f"{path}?{expand}")).expect(200).body
    assert [e["value"] for e in shown["singleValueExtendedProperties"]] == ["V:1"]


async def test_delta_lists_the_folder_first_and_then_only_changes(graph: Graph) -> None:
    folder = await graph.folder()
    contacts = f"{graph.box}/contactFolders/{folder}/contacts"
    ids = [
        (await graph("POST", contacts, {"displayName": f"{n}"}, **IMMUTABLE)).body["id"]
        for n in range(3)
    ]
    prefer = {"Prefer": 'IdType="ImmutableId", odata.maxpagesize=2'}
    page = (await graph("GET", f"{contacts}/delta?$select=displayName", None, **prefer)).body
    assert len(page["value"]) == 2
    page = (await graph("GET", page["@odata.nextLink"], None, **prefer)).body
    assert len(page["value"]) == 1
    link = page["@odata.deltaLink"]
    assert (await graph("GET", link, None, **prefer)).body["value"] == []
    await graph("PATCH", f"{contacts}/{ids[0]}", {"displayName": "new"})
    await graph("DELETE", f"{contacts}/{ids[1]}")
    changed = (await graph("GET", link, None, **prefer)).body["value"]
    assert {"id": ids[1], "@removed": {"reason": "deleted"}} in changed
    assert [c["displayName"] for c in changed if c["id"] == ids[0]] == ["new"]
    assert len(changed) == 2


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        (None, 400),
        ("ErrorItemNotFound", 400),
        ("ErrorSyncFolderNotFound", 404),
        ("ResyncRequired", 410),
        ("SyncStateNotFound", 410),
    ],
)
async def test_expired_delta_token_is_refused_and_expand_on_delta_returns_500(
    graph: Graph, wanted: str | None, status: int
) -> None:
    await graph.world.client.quirks(graph.world.tenant, deadLink=wanted)
    folder = await graph.folder()
    path = f"{graph.box}/contactFolders/{folder}/contacts/delta"
    link = (await graph("GET", path)).body["@odata.deltaLink"]
    await graph.world.client.expire_delta(graph.world.tenant)
    assert code(await graph("GET", link)) == (status, wanted or "SyncStateInvalid")
    assert (await graph("GET", f"{path}?$expand=extensions")).status == 500


async def test_folder_names_are_unique_and_the_default_folder_is_not_listed(graph: Graph) -> None:
    await graph.folder(displayName="Once")
    again = await graph("POST", f"{graph.box}/contactFolders", {"displayName": "once"})
    assert code(again) == (409, "ErrorFolderExists")
    listed = (await graph("GET", f"{graph.box}/contactFolders")).body["value"]
    assert [f["displayName"] for f in listed] == ["Once"]


async def test_user_without_a_mailbox_returns_404_with_its_code(graph: Graph) -> None:
    user = {"id": str(uuid4()), "displayName": "No box", "mail": "x@x.example", "mailbox": False}
    await graph.world.client.change_tenant(graph.world.tenant, users=[user])
    reply = await graph("GET", f"/users/{user['id']}/contacts")
    assert code(reply) == (404, "ResourceNotFound")
    await graph.world.client.quirks(
        graph.world.tenant, missingMailbox="MailboxNotEnabledForRESTAPI"
    )
    reply = await graph("GET", f"/users/{user['id']}/contacts")
    assert code(reply) == (404, "MailboxNotEnabledForRESTAPI")
    assert code(await graph("GET", "/users/nobody/contacts")) == (404, "ErrorInvalidUser")


async def test_more_than_four_concurrent_requests_in_a_mailbox_return_429(graph: Graph) -> None:
    await graph.world.client.latency(100)
    replies = await asyncio.gather(*(graph("GET", f"{graph.box}/contacts") for _ in range(8)))
    refused = [r for r in replies if r.status == 429]
    assert len(refused) == 4
    assert all("Retry-After" in r.headers for r in refused)
    use = (await graph.world.client.requests())["tenants"][graph.world.tenant]["mailboxes"]
    assert use[graph.world.targets[0]]["maxConcurrent"] == 4


async def test_one_batch_stays_within_the_limit_of_four(graph: Graph) -> None:
    await graph.world.client.latency(20)
    answers = await graph.batch(
        *({"id": str(n), "method": "GET", "url": f"{graph.box}/contacts"} for n in range(20))
    )
    assert {part["status"] for part in answers.values()} == {200}


async def test_fault_applies_after_and_as_often_as_configured(graph: Graph) -> None:
    effect = {"status": 503, "headers": {"Retry-After": "9"}}
    await graph.world.client.fault("^/users", effect, tenant=graph.world.tenant, after=1, times=2)
    seen = [await graph("GET", "/users?$top=1") for _ in range(4)]
    assert [r.status for r in seen] == [200, 503, 503, 200]
    assert seen[1].headers["Retry-After"] == "9"


async def test_connection_dropped_after_the_request_keeps_its_effect(graph: Graph) -> None:
    path = f"{graph.box}/contacts"
    for effect, left in (("before", 0), ("after", 1)):
        await graph.world.client.fault(
            "/contacts$", {"drop": effect}, method="POST", tenant=graph.world.tenant
        )
        with pytest.raises(aiohttp.ClientError):
            await graph("POST", path, {"displayName": "X"})
        assert len((await graph("GET", path)).body["value"]) == left


async def test_quirks_are_listed_set_for_one_tenant_and_restored(graph: Graph) -> None:
    client, tenant = graph.world.client, graph.world.tenant
    table = (await client.send("GET", f"{client.graph}/_sim/quirks")).expect(200).body["quirks"]
    assert table["nullAddress"]["value"] == "refused"
    assert all(quirk["value"] in quirk["values"] and quirk["says"] for quirk in table.values())
    body = {"businessAddress": None}
    assert (await graph("POST", f"{graph.box}/contacts", body)).status == 500
    await client.quirks(tenant, nullAddress="cleared")
    assert (await graph("POST", f"{graph.box}/contacts", body)).status == 201
    await client.quirks(tenant, nullAddress=None)
    assert (await graph("POST", f"{graph.box}/contacts", body)).status == 500
    for wrong in ({"nullAddress": "sometimes"}, {"unknown": True}):
        reply = await client.send("POST", f"{client.graph}/_sim/quirks", wrong)
        assert reply.status == 400
