"""Reading the directory, however Graph answers where its documents leave a question open."""

from collections.abc import Mapping

import pytest

from shared.adapters.graph import directory
from shared.adapters.graph.directory_search import search
from shared.domain.errors import ContactSyncError, NeedsAdmin, Refused, Unavailable
from shared.domain.reasons import Reason
from tests.unit.sharing.simulated_graph import TENANT, SimulatedGraph, guid

FIELDS = f"id,mail,{directory.PROOF}"
BY_IDS = "getByIds"


@pytest.fixture
def graph() -> SimulatedGraph:
    return SimulatedGraph()


def returned(*users: Mapping[str, object]) -> dict[str, object]:
    return {"status": 200, "body": {"value": list(users)}}


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_users_are_read_by_a_filter_if_get_by_ids_is_refused(
    graph: SimulatedGraph, status: int
) -> None:
    ids = [graph.add_user(n) for n in range(40)]
    graph.fail(BY_IDS, {"status": status})

    found = await directory.mailboxes_by_id(graph.session(), [*ids, guid(99)])

    assert sorted(found) == ids
    assert {user["mail"] for user in found.values()} == {f"person{n}@x.example" for n in range(40)}
    assert graph.meter.requests == 2


@pytest.mark.parametrize(
    "shown", [{}, {"mail": None}, {"mail": None, directory.PROOF: None}], ids=str
)
async def test_user_that_get_by_ids_shows_without_properties_is_read_again(
    graph: SimulatedGraph, shown: dict[str, None]
) -> None:
    one, two = graph.add_user(1), graph.add_user(2)
    whole = {"id": one, "mail": "person1@x.example", directory.PROOF: "person1@x.example"}
    graph.fail(BY_IDS, returned(whole, {"id": two, **shown}))

    found = await directory.mailboxes_by_id(graph.session(), [one, two])

    assert {id_: user["mail"] for id_, user in found.items()} == {
        one: "person1@x.example",
        two: "person2@x.example",
    }


async def test_user_whose_properties_cannot_be_read_at_all_counts_as_unknown(
    graph: SimulatedGraph,
) -> None:
    id_ = graph.add_user(1)
    hidden = {"id": id_, "mail": None, directory.PROOF: None}
    graph.fail(BY_IDS, returned(hidden))
    graph.fail("^/users", returned(hidden))

    with pytest.raises(Unavailable):
        await directory.mailboxes_by_id(graph.session(), [id_])


async def test_user_without_a_mail_address_needs_no_second_request(graph: SimulatedGraph) -> None:
    id_ = graph.add_user(1, mail=None)

    found = await directory.mailboxes_by_id(graph.session(), [id_])

    assert (found[id_]["mail"], graph.meter.requests) == (None, 1)


async def test_missing_consent_is_still_found_behind_the_filter(graph: SimulatedGraph) -> None:
    graph.fail("getByIds|^/users", {"status": 403})

    with pytest.raises(NeedsAdmin) as refused:
        await directory.mailboxes_by_id(graph.session(), [guid(1)])

    assert refused.value.reason is Reason.CONSENT_MISSING


async def test_id_that_is_not_a_guid_is_never_sent(graph: SimulatedGraph) -> None:
    one = graph.add_user(1)

    assert list(await directory.mailboxes_by_id(graph.session(), ["mueller", one])) == [one]
    assert list(await directory.users_by_id(graph.session(), ["mueller", one], "id")) == [one]
    assert await directory.mailboxes_by_id(graph.session(), ["mueller"]) == {}


async def test_group_that_cannot_hold_org_contacts_has_none(graph: SimulatedGraph) -> None:
    group = graph.add_group(1, [graph.add_user(2)], groupTypes=["Unified"])

    assert [c async for c in directory.group_org_contacts(graph.session(), group, "id")] == []


async def test_org_contacts_are_found_where_graph_refuses_to_list_them(
    graph: SimulatedGraph,
) -> None:
    contacts = [graph.add_org_contact(n) for n in (3, 4)]
    group = graph.add_group(1, [graph.add_user(2), *contacts])
    refusal = {"error": {"code": "Request_UnsupportedQuery", "message": "Unsupported."}}
    graph.fail("orgContact", {"status": 400, "body": refusal})

    found = [c async for c in directory.group_org_contacts(graph.session(), group, "id,mail")]

    assert sorted(contact["id"] for contact in found) == sorted(contacts)


async def test_other_refusals_of_org_contacts_do_not_count_as_none(
    graph: SimulatedGraph,
) -> None:
    group = graph.add_group(1, [])
    graph.fail("orgContact", {"status": 400})

    with pytest.raises(Refused):
        _ = [c async for c in directory.group_org_contacts(graph.session(), group, "id")]


@pytest.mark.parametrize(("largest", "requests"), [(100, 3), (999, 1)])
async def test_all_users_are_read_in_pages_of_any_size(
    graph: SimulatedGraph, largest: int, requests: int
) -> None:
    graph.server.quirks.set({"expandedPage": largest})
    ids = {graph.add_user(n) for n in range(250)}
    boss = guid(0)
    graph.tenant.directory.users[guid(7)]["manager"] = {"id": boss}

    with_managers = [u async for u in directory.all_users(graph.session(), "id", managers=True)]
    pages = graph.meter.requests
    without = [u async for u in directory.all_users(graph.session(), "id", managers=False)]

    assert {u["id"] for u in with_managers} == {u["id"] for u in without} == ids
    assert [u["manager"]["id"] for u in with_managers if "manager" in u] == [boss]
    assert (pages, graph.meter.requests - pages) == (requests, 1)


@pytest.mark.parametrize("managers", [False, True])
async def test_pages_take_the_resource_units_that_graph_charges(
    graph: SimulatedGraph, *, managers: bool
) -> None:
    for number in range(250):
        graph.add_user(number)
    session = graph.session()
    taken: list[float] = []

    async def take(units: float) -> None:
        taken.append(units)

    session.directory.take = take  # type: ignore[method-assign]

    _ = [u async for u in directory.all_users(session, "id", managers=managers)]

    assert sum(taken) == graph.server.meter.tenants[TENANT].units


async def test_group_member_without_a_principal_name_counts_as_unknown(
    graph: SimulatedGraph,
) -> None:
    group = graph.add_group(1, [graph.add_user(2)])
    graph.fail("transitiveMembers", returned({"id": guid(2), "mail": None, directory.PROOF: None}))

    with pytest.raises(ContactSyncError):
        _ = [u async for u in directory.group_mailboxes(graph.session(), group)]


async def test_search_is_repeated_by_name_where_graph_refuses_other_properties(
    graph: SimulatedGraph,
) -> None:
    one, two = graph.add_user(1, displayName="Ada"), graph.add_org_contact(2, displayName="Ada B")
    refusal = {"error": {"code": "Request_UnsupportedQuery", "message": "Unsupported."}}
    graph.fail(r"^/contacts\?.*(surname|mail:)", {"status": 400, "body": refusal})
    fields = {"/users": "id", "/contacts": "id"}

    found = await search(graph.session(), fields, "ada", 10)

    assert [[object_["id"] for object_ in objects] for objects in found] == [[one], [two]]
    assert graph.meter.requests == 2


@pytest.mark.parametrize("answer", ["answered", "refused", "idOnly", "nulls"])
async def test_users_are_found_however_get_by_ids_answers(
    graph: SimulatedGraph, answer: str
) -> None:
    ids = [graph.add_user(n) for n in range(3)]
    graph.server.quirks.set({"getByIds": answer})

    found = await directory.mailboxes_by_id(graph.session(), ids)

    assert {user["mail"] for user in found.values()} == {f"person{n}@x.example" for n in range(3)}


@pytest.mark.parametrize("search_by", ["displayName", "any"])
async def test_org_contacts_are_found_however_they_can_be_searched(
    graph: SimulatedGraph, search_by: str
) -> None:
    id_ = graph.add_org_contact(1, displayName="Ada Byron")
    graph.server.quirks.set({"contactSearch": search_by})

    (found,) = await search(graph.session(), {"/contacts": "id"}, "byron", 10)

    assert [contact["id"] for contact in found] == [id_]


@pytest.mark.parametrize("cast", ["refused", "empty"])
async def test_microsoft_365_group_has_no_org_contacts_however_graph_says_so(
    graph: SimulatedGraph, cast: str
) -> None:
    group = graph.add_group(1, [graph.add_user(2)], groupTypes=["Unified"])
    graph.server.quirks.set({"orgContactCast": cast})

    assert [c async for c in directory.group_org_contacts(graph.session(), group, "id")] == []
