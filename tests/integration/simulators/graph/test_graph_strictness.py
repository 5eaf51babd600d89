"""The Graph simulator refuses what Graph refuses, and whatever it does not implement."""

from typing import Any
from urllib.parse import quote

import pytest

from shared.domain.contacts.fields import MARK
from tests.integration.simulators.graph.in_process import (
    ADA,
    BOB,
    BOX,
    EVE,
    EVENTUAL,
    GROUP,
    Simulator,
    code,
)

MEMBERS = f"/groups/{GROUP}/transitiveMembers/microsoft.graph.user"
CONTACTS = f"{BOX}/contacts"


@pytest.fixture
def graph() -> Simulator:
    return Simulator()


@pytest.mark.parametrize(
    "url",
    [
        "/users?$select=nonsense",
        "/users?$select=manager",
        "/users?$select=mailboxSettings",
        "/users?$filter=nonsense eq 'x'",
        "/users?$filter=displayName eq 5",
        "/users?$filter=accountEnabled eq 'true'",
        "/users?$filter=displayName gt 'x'",
        "/users?$filter=displayName eq null",
        "/users?$filter=contains(displayName,'x')",
        "/users?$filter=companyName eq 'x'",
        "/users?$filter=endswith(mail,'x')",
        "/users?$filter=faxNumber eq 'x'",
        "/users?$filter=businessPhones eq 'x'",
        "/users?$filter=not(displayName eq 'x')",
        "/users?$filter=displayName",
        "/users?$filter=displayName eq 'x' and",
        "/users?$filter=",
        "/users?$orderby=nonsense",
        "/users?$orderby=department",
        "/users?$orderby=displayName up",
        "/users?$orderby=displayName&$filter=displayName eq 'x'",
        "/users?$expand=memberOf",
        "/users?$expand=manager($select=nonsense)",
        "/users?$top=0",
        "/users?$top=1000",
        "/users?$top=many",
        "/users?$top=²",
        "/users?$top=1&$top=2",
        "/users?$skip=1",
        f"/users?$filter={'(' * 3000}",
        "/users?$format=json",
        "/users?nonsense=1",
        "/users?$count=maybe",
        "/users/$count",
        "/groups?$expand=members",
        "/groups?$filter=visibility eq 'Public'",
        "/contacts?$orderby=displayName",
        "/contacts?$filter=phones/any(p:p/number eq '1')",
        f"/groups/{GROUP}/members?$filter=displayName eq 'x'",
        f"/groups/{GROUP}/members?$expand=manager",
        f"{MEMBERS}?$select=nonsense&$count=true",
        "/users/delta?$top=5",
        "/users/delta?$expand=manager",
        "/users/delta?$filter=displayName eq 'x'",
        "/users/delta?$select=nonsense",
        f"{CONTACTS}?$select=nonsense",
        f"{CONTACTS}?$select=faxNumber",
        f"{CONTACTS}?$filter=nonsense eq 'x'",
        f"{CONTACTS}?$filter=displayName eq 5",
        f"{CONTACTS}?$filter=displayName in ('x')",
        f"{CONTACTS}?$filter=endswith(displayName,'x')",
        f"{CONTACTS}?$filter=emailAddresses/any(a:a/nonsense eq 'x')",
        f"{CONTACTS}?$filter=emailAddresses/any(a:b/address eq 'x')",
        f"{CONTACTS}?$filter=emailAddresses/address eq 'x'",
        f"{CONTACTS}?$filter=singleValueExtendedProperties/any(e:e/id eq 'x')",
        f"{CONTACTS}?$filter=birthday gt 2026-13-01",
        f"{CONTACTS}?$orderby=nonsense",
        f"{CONTACTS}?$orderby=emailAddresses",
        f"{CONTACTS}?$orderby=surname&$filter=displayName eq 'x'",
        f"{CONTACTS}?$expand=extensions",
        f"{CONTACTS}?$expand=singleValueExtendedProperties($filter=id eq 'x')",
        f"{CONTACTS}?$search=x",
        f"{CONTACTS}?$top=1001",
        f"{CONTACTS}/delta?$filter=displayName eq 'x'",
        f"{CONTACTS}/delta?$orderby=displayName",
        f"{CONTACTS}/delta?$top=5",
        f"{BOX}/contactFolders?$select=name",
        f"{BOX}/outlook/masterCategories?$filter=displayName eq 'x'",
        f"{BOX}/photo/$value?$select=id",
        "/nonsense",
    ],
)
def test_option_that_graph_refuses_or_the_simulator_lacks_returns_400(
    graph: Simulator, url: str
) -> None:
    assert graph.ask("GET", url).status == 400


@pytest.mark.parametrize(
    "url",
    [
        "/users?$filter=companyName eq 'x'",
        "/users?$filter=not(startswith(displayName,'x'))",
        "/users?$filter=endswith(mail,'x.example')",
        "/users?$filter=mail ne null",
        "/users?$orderby=displayName&$filter=displayName eq 'x'",
        "/contacts?$orderby=displayName desc",
    ],
)
def test_advanced_query_needs_its_header_and_its_count(graph: Simulator, url: str) -> None:
    assert code(graph.ask("GET", url, None, EVENTUAL)) == (400, "Request_UnsupportedQuery")
    assert graph.ask("GET", f"{url}&$count=true").status == 400
    assert graph.ask("GET", f"{url}&$count=true", None, EVENTUAL).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {"nonsense": "x"},
        {"givenName": 5},
        {"birthday": "nonsense"},
        {"birthday": "2026-02-30T00:00:00Z"},
        {"businessAddress": {"city": 5}},
        {"businessAddress": {"town": "x"}},
        {"businessAddress": []},
        {"businessPhones": "1"},
        {"businessPhones": [1]},
        {"businessPhones": [None, {}]},
        {"emailAddresses": [{"address": 5}]},
        {"emailAddresses": ["x@x.example"]},
        {"emailAddresses": [{"mail": "x@x.example"}]},
        {"emailAddresses": None},
        {"categories": {}},
        {"id": "x"},
        {"changeKey": "x"},
        {"photo": {}},
        {"extensions": []},
        {"@odata.type": "#microsoft.graph.message"},
        {"singleValueExtendedProperties": ["x"]},
        {"singleValueExtendedProperties": [{"id": "x", "value": "y"}]},
        {"singleValueExtendedProperties": [{"id": MARK, "value": 5}]},
        {"singleValueExtendedProperties": [{"id": MARK}]},
        [],
        "x",
    ],
)
def test_contact_with_a_name_or_value_that_does_not_fit_returns_400(
    graph: Simulator, body: Any
) -> None:
    assert graph.ask("POST", CONTACTS, body).status == 400
    contact = graph.contact({"displayName": "X"})
    assert graph.ask("PATCH", f"{CONTACTS}/{contact}", body).status == 400
    assert graph.ask("GET", CONTACTS).body["value"][0]["displayName"] == "X"


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("POST", f"{BOX}/contactFolders", {"displayName": 5}),
        ("POST", f"{BOX}/contactFolders", {"name": "x"}),
        ("POST", f"{BOX}/contactFolders", {}),
        ("POST", f"{BOX}/outlook/masterCategories", {"displayName": "x", "color": "pink"}),
        ("POST", f"{BOX}/outlook/masterCategories", {"displayName": ["x"]}),
        ("POST", "/directoryObjects/getByIds", {"ids": "x"}),
        ("POST", "/directoryObjects/getByIds", {"ids": [{}]}),
        ("POST", "/directoryObjects/getByIds", {"ids": [5]}),
        ("POST", "/directoryObjects/getByIds", {"ids": [ADA], "types": "user"}),
        ("POST", "/directoryObjects/getByIds", {"ids": [ADA], "nonsense": []}),
        ("POST", "/$batch", {"requests": ["x"]}),
        ("POST", "/$batch", {"requests": [{"id": [], "method": "GET", "url": "/users"}]}),
        ("POST", "/$batch", {"requests": {"id": "1"}}),
        ("POST", f"{CONTACTS}?$select=id", {"displayName": "x"}),
        ("POST", f"{BOX}/contactFolders", b"<xml/>"),
    ],
)
def test_body_that_does_not_fit_is_refused(
    graph: Simulator, method: str, url: str, body: Any
) -> None:
    assert graph.ask(method, url, body).status in {400, 415}


def test_deeply_nested_search_returns_400(graph: Simulator) -> None:
    search = "(" * 3000 + '"displayName:x"' + ")" * 3000
    assert graph.ask("GET", f"/users?$search={search}", None, EVENTUAL).status == 400


def test_user_without_a_status_counts_as_enabled(graph: Simulator) -> None:
    found = graph.ask("GET", "/users?$filter=accountEnabled eq true&$select=id").body["value"]
    assert [user["id"] for user in found] == [ADA, BOB]


def test_body_of_another_content_type_returns_415(graph: Simulator) -> None:
    sent = graph.ask("POST", CONTACTS, b"a=b", {"content-type": "application/x-www-form"})
    assert code(sent) == (415, "UnsupportedMediaType")


def test_method_that_a_path_does_not_have_returns_405(graph: Simulator) -> None:
    for method, url in (
        ("PATCH", CONTACTS),
        ("DELETE", f"{CONTACTS}/x/photo/$value"),
        ("POST", "/users/$count"),
        ("GET", "/directoryObjects/getByIds"),
    ):
        assert graph.ask(method, url, {}).status == 405


def test_stale_change_key_returns_412(graph: Simulator) -> None:
    url = f"{CONTACTS}/{graph.contact({'displayName': 'X'})}"
    before = graph.ask("GET", url).body["@odata.etag"]
    new = {"displayName": "Y"}
    changed = graph.ask("PATCH", url, new, {"if-match": before})
    assert changed.headers["ETag"] == changed.body["@odata.etag"] != before
    stale = graph.ask("DELETE", url, None, {"if-match": before})
    assert code(stale) == (412, "ErrorIrresolvableConflict")
    assert graph.ask("DELETE", url, None, {"if-match": "*"}).status == 204


@pytest.mark.parametrize(
    ("written", "same"),
    [
        (f"/users('{ADA}')/contacts", CONTACTS),
        (f"/users('{ADA}')/contacts/delta()", f"{CONTACTS}/delta"),
        (f"/users('{ADA}')/contacts/microsoft.graph.delta()", f"{CONTACTS}/delta"),
        ("/users/graph.delta", "/users/delta"),
        (
            f"/groups('{GROUP}')/transitiveMembers/graph.user?$count=true",
            f"{MEMBERS}?$count=true",
        ),
    ],
)
def test_each_way_to_write_a_path_means_the_same(graph: Simulator, written: str, same: str) -> None:
    first, second = (graph.ask("GET", url, None, EVENTUAL) for url in (written, same))
    assert first.status == second.status == 200
    assert first.body["value"] == second.body["value"]


def test_count_of_a_collection_is_plain_text(graph: Simulator) -> None:
    for url in ("/users/$count", f"{CONTACTS}/$count", f"{BOX}/contactFolders/$count"):
        graph.ask("POST", f"{BOX}/contactFolders", {"displayName": url})
    counted = graph.ask("GET", "/users/$count", None, EVENTUAL)
    assert (counted.body, counted.headers["Content-Type"][:10]) == (b"2", "text/plain")
    assert graph.ask("GET", f"{CONTACTS}/$count").body == b"0"
    assert graph.ask("GET", f"{BOX}/contactFolders/$count").body == b"3"
    few = quote("$filter") + "=startswith(displayName,'A')"
    assert graph.ask("GET", f"/users/$count?{few}", None, EVENTUAL).body == b"1"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("displayName eq 'ann'", ["Ann"]),
        ("startswith(displayName,'b')", ["Bea", "Ben"]),
        ("contains(displayName,'E')", ["Bea", "Ben"]),
        ("emailAddresses/any(a:a/address eq 'ANN@x.example')", ["Ann"]),
        ("businessAddress/city eq 'Bonn'", ["Ben"]),
        ("displayName eq 'Ann' or displayName eq 'Bea'", ["Ann", "Bea"]),
        ("not(displayName eq 'Ann') and categories/any(c:c eq 'red')", ["Bea"]),
        ("birthday ge 1990-01-01T00:00:00Z", ["Ben"]),
        ("createdDateTime gt 2020-01-01T00:00:00Z and surname eq null", ["Ann", "Bea", "Ben"]),
    ],
)
def test_contacts_are_filtered_and_sorted(graph: Simulator, text: str, names: list[str]) -> None:
    graph.contact({"displayName": "Ben", "businessAddress": {"city": "bonn"}})
    graph.contact({"displayName": "Ann", "primaryEmailAddress": {"address": "ann@x.example"}})
    graph.contact({"displayName": "Bea", "categories": ["red"]})
    ben = graph.ask("GET", f"{CONTACTS}?$filter=displayName eq 'Ben'").body["value"][0]["id"]
    graph.ask("PATCH", f"{CONTACTS}/{ben}", {"birthday": "1990-05-05T11:59:00Z"})
    found = graph.ask("GET", f"{CONTACTS}?$filter={text}&$select=displayName")
    assert found.status == 200, found.body
    assert sorted(c["displayName"] for c in found.body["value"]) == names
    ordered = graph.ask("GET", f"{CONTACTS}?$orderby=displayName desc&$count=true&$top=2").body
    assert [c["displayName"] for c in ordered["value"]] == ["Ben", "Bea"]
    assert ordered["@odata.count"] == 3


def test_contact_is_created_in_the_folder_that_its_body_names(graph: Simulator) -> None:
    folder = graph.ask("POST", f"{BOX}/contactFolders", {"displayName": "F"}).body["id"]
    graph.contact({"displayName": "X", "parentFolderId": folder})
    assert graph.ask("GET", CONTACTS).body["value"] == []
    inside = graph.ask("GET", f"{BOX}/contactFolders/{folder}/contacts").body["value"]
    assert [c["displayName"] for c in inside] == ["X"]
    gone = graph.ask("POST", CONTACTS, {"displayName": "X", "parentFolderId": "gone"})
    assert code(gone) == (404, "ErrorItemNotFound")


def test_photo_is_replaced_by_patch_and_described_with_its_etag(graph: Simulator) -> None:
    photo = f"{CONTACTS}/{graph.contact({'displayName': 'X'})}/photo"
    assert graph.ask("GET", photo).status == 404
    for method, content in (("PUT", b"one"), ("PATCH", b"two")):
        sent = graph.ask(method, f"{photo}/$value", content, {"content-type": "image/jpeg"})
        assert sent.status == 200
        assert graph.ask("GET", f"{photo}/$value").body == content
    described = graph.ask("GET", photo).body
    assert described["@odata.mediaEtag"]
    assert described["@odata.mediaContentType"] == "image/jpeg"


def test_delta_of_users_shows_changes_and_removals(graph: Simulator) -> None:
    users = graph.server.tenant("11111111-1111-1111-1111-111111111111").directory.users
    first = graph.ask("GET", "/users/delta?$select=displayName,department,manager").body
    assert {u["id"]: u.get("manager@delta") for u in first["value"]} == {
        ADA: None,
        BOB: [{"@odata.type": "#microsoft.graph.user", "id": ADA}],
    }
    assert all("department" not in user for user in first["value"])
    latest = graph.ask("GET", "/users/delta?$deltatoken=latest&$select=mail").body
    assert latest["value"] == []
    users[BOB] |= {"department": "Sales", "manager": None}
    del users[ADA]
    link = first["@odata.deltaLink"].removeprefix("https://graph.example/v1.0")
    second = graph.ask("GET", link).body
    assert [u for u in second["value"] if u["id"] == ADA] == [
        {"id": ADA, "@removed": {"reason": "changed"}}
    ]
    (bob,) = (u for u in second["value"] if u["id"] == BOB)
    assert (bob["displayName"], bob["department"]) == ("Bob", "Sales")
    assert bob["manager@delta"][0]["@removed"] == {"reason": "deleted"}
    again = second["@odata.deltaLink"].removeprefix("https://graph.example/v1.0")
    assert graph.ask("GET", again).body["value"] == []
    graph.server.delta.expire(None)
    assert code(graph.ask("GET", again)) == (400, "SyncStateNotFound")


def test_delta_of_groups_and_contacts_can_be_limited_to_ids(graph: Simulator) -> None:
    groups = graph.ask("GET", f"/groups/delta?$filter=id eq '{GROUP}'").body["value"]
    assert groups[0]["members@delta"] == [{"@odata.type": "#microsoft.graph.user", "id": ADA}]
    assert graph.ask("GET", f"/groups/delta?$filter=id eq '{EVE}'").body["value"] == []
    assert [c["id"] for c in graph.ask("GET", "/contacts/delta").body["value"]] == [EVE]


@pytest.mark.parametrize(
    ("url", "context"),
    [
        ("/users", "users"),
        ("/users?$select=id,mail", "users(id,mail)"),
        (f"/users/{ADA}?$select=id", "users(id)/$entity"),
        (f"/groups/{GROUP}/members", "directoryObjects"),
        (f"{MEMBERS}?$count=true", "users"),
        (CONTACTS, f"users('{ADA}')/contacts"),
        (f"{CONTACTS}/delta", "Collection(contact)"),
        (f"{BOX}/outlook/masterCategories", f"users('{ADA}')/outlook/masterCategories"),
    ],
)
def test_every_answer_has_its_context(graph: Simulator, url: str, context: str) -> None:
    body = graph.ask("GET", url, None, EVENTUAL).body
    assert next(iter(body)) == "@odata.context"
    assert body["@odata.context"] == f"https://graph.example/v1.0/$metadata#{context}"


def test_created_contact_has_a_location_and_next_links_have_keys_in_parentheses(
    graph: Simulator,
) -> None:
    sent = {"prefer": 'IdType="ImmutableId"'}
    made = graph.ask("POST", CONTACTS, {"displayName": "X"}, sent)
    place = made.headers["Location"].removeprefix("https://graph.example/v1.0")
    assert place.startswith(f"/users('{ADA}')/contacts('")
    assert made.headers["Preference-Applied"] == 'IdType="ImmutableId"'
    assert graph.ask("GET", place, None, sent).body["id"] == made.body["id"]
    graph.contact({"displayName": "Y"})
    link = graph.ask("GET", f"{CONTACTS}?$top=1").body["@odata.nextLink"]
    assert link.startswith(f"https://graph.example/v1.0/users('{ADA}')/contacts?")
    following = graph.ask("GET", link.removeprefix("https://graph.example/v1.0"))
    assert [c["displayName"] for c in following.body["value"]] == ["Y"]


def test_batch_part_without_a_body_has_null(graph: Simulator) -> None:
    contact = graph.contact({"displayName": "X"})
    step = {"id": "1", "method": "DELETE", "url": f"{CONTACTS}/{contact}"}
    (part,) = graph.ask("POST", "/$batch", {"requests": [step]}).body["responses"]
    assert (part["status"], part["body"]) == (204, None)
