"""Filters, exclusions and the reasons for those left out, as an admin expects them."""

import unicodedata
from typing import Any

import pytest

from shared.adapters.graph import directory
from shared.domain.errors import NeedsAdmin, Unavailable
from shared.domain.reasons import Reason
from shared.domain.sharing.shares import ShareInput
from shared.services.sharing.resolution import Resolution, resolve
from tests.unit.sharing.simulated_graph import SimulatedGraph, guid


async def resolved(graph: SimulatedGraph, **sources: Any) -> Resolution:
    share = ShareInput.model_validate({"name": "Share", "sources": sources})
    return await resolve(share, graph.session())


@pytest.fixture
def graph() -> SimulatedGraph:
    return SimulatedGraph()


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        ("Z\u00fcrich", unicodedata.normalize("NFD", "Z\u00fcrich")),
        (unicodedata.normalize("NFD", "Z\u00fcrich"), "Z\u00fcrich"),
        (" Z\u00fcrich ", "z\u00fcrich"),
        ("STRASSE", "stra\u00dfe"),
        ("New\u00a0 York", "new york"),
        ("\u0390", "\u1fd3"),
    ],
)
async def test_filter_matches_what_looks_the_same(
    graph: SimulatedGraph, stored: str, wanted: str
) -> None:
    one, two = graph.add_user(1, city=stored), graph.add_user(2, city="Bern")

    found = await resolved(graph, allUsers=True, filter={"city": [wanted]})

    assert list(found.contacts) == [f"u-{one}"]
    assert found.contents().why_omitted(two) is Reason.FILTERED


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("city", "city"),
        ("state", "state"),
        ("country", "countryOrRegion"),
        ("officeLocation", "officeLocation"),
    ],
)
async def test_filter_finds_org_contacts_by_their_addresses(
    graph: SimulatedGraph, attribute: str, name: str
) -> None:
    addresses = [{name: None}, {name: "Wien"}]
    one = graph.add_org_contact(1, addresses=addresses)
    two = graph.add_org_contact(2, addresses=[])
    three = graph.add_org_contact(3, addresses=[{name: "Graz"}])

    found = await resolved(graph, orgContacts=True, filter={attribute: [" wien"]})

    assert [key[2:] for key in found.contacts] == [one]
    assert {found.contents().why_omitted(id_) for id_ in (two, three)} == {Reason.FILTERED}


async def test_excluded_group_leaves_its_members_out(graph: SimulatedGraph) -> None:
    people = [graph.add_user(n) for n in range(1, 5)]
    contact = graph.add_org_contact(10)
    inner = graph.add_group(20, [people[1], contact])
    outer = graph.add_group(21, [people[0], inner])
    everybody = graph.add_group(22, [*people, contact])

    found = await resolved(graph, groups=[{"id": everybody}], exclude=[outer, people[2], guid(99)])

    assert list(found.contacts) == [f"u-{people[3]}"]
    assert {found.contents().why_omitted(id_) for id_ in (*people[:3], contact)} == {
        Reason.EXCLUDED
    }


async def test_share_without_exclusions_asks_for_no_groups(graph: SimulatedGraph) -> None:
    graph.add_user(1)

    await resolved(graph, allUsers=True)

    assert graph.meter.requests == 1


async def test_guests_and_hidden_people_have_their_own_reasons(graph: SimulatedGraph) -> None:
    guest = graph.add_user(1, userType="Guest")
    hidden = graph.add_user(2, userType="Member", showInAddressList=False)
    both = graph.add_user(3, userType="Guest", showInAddressList=False)
    unknown = graph.add_user(4, userType="Member", showInAddressList=None)

    found = await resolved(graph, allUsers=True)

    assert list(found.contacts) == [f"u-{unknown}"]
    assert found.contents().why_omitted(guest) is Reason.GUEST
    assert found.contents().why_omitted(hidden) is Reason.HIDDEN
    assert found.contents().why_omitted(both) is Reason.GUEST


@pytest.mark.parametrize("purpose", ["shared", "room", "equipment"])
async def test_shared_mailbox_is_published_if_it_is_listed(
    graph: SimulatedGraph, purpose: str
) -> None:
    box, gone = (graph.add_user(n, accountEnabled=False) for n in (1, 2))
    graph.tenant.mailboxes[box].purpose = purpose
    group = graph.add_group(3, [box])

    listed = await resolved(graph, users=[box, gone])
    in_group = await resolved(graph, groups=[{"id": group}])

    assert list(listed.contacts) == [f"u-{box}"]
    assert listed.contents().why_omitted(gone) is Reason.DISABLED
    assert in_group.contents().why_omitted(box) is Reason.DISABLED


async def test_disabled_account_whose_mailbox_is_closed_to_the_app_counts_as_a_person(
    graph: SimulatedGraph,
) -> None:
    box = graph.add_user(1, accountEnabled=False)
    graph.tenant.mailboxes[box].purpose = "shared"
    graph.fail("mailboxSettings", {"status": 403})

    found = await resolved(graph, users=[box])

    assert found.contents().why_omitted(box) is Reason.DISABLED


async def test_mailbox_whose_purpose_always_answers_500_stays_in_the_share(
    graph: SimulatedGraph,
) -> None:
    box, gone = (graph.add_user(n, accountEnabled=False) for n in (1, 2))
    graph.fail(f"{box}/mailboxSettings", {"status": 500, "headers": {"Retry-After": "0"}})

    found = await resolved(graph, users=[box, gone])

    assert list(found.contacts) == [f"u-{box}"]
    assert found.contents().why_omitted(gone) is Reason.DISABLED


async def test_purposes_that_cannot_be_read_now_fail_the_read(graph: SimulatedGraph) -> None:
    box = graph.add_user(1, accountEnabled=False)
    graph.fail("mailboxSettings", {"status": 503, "headers": {"Retry-After": "0"}})

    with pytest.raises(Unavailable):
        await resolved(graph, users=[box])


async def test_enabled_people_cost_no_extra_request(graph: SimulatedGraph) -> None:
    await resolved(graph, users=[graph.add_user(n) for n in range(5)])

    assert graph.meter.requests == 1


@pytest.mark.parametrize("answer", ["empty", "refused"])
async def test_group_whose_members_are_hidden_is_an_omission(
    graph: SimulatedGraph, answer: str
) -> None:
    graph.server.quirks.set({"hiddenMembers": answer})
    seen = graph.add_group(1, [graph.add_user(2)])
    hidden = graph.add_group(3, [graph.add_user(4)], visibility="HiddenMembership")

    found = await resolved(graph, groups=[{"id": seen}, {"id": hidden}])

    assert list(found.contacts) == [f"u-{guid(2)}"]
    assert found.contents().why_omitted(hidden) is Reason.MEMBERS_HIDDEN


@pytest.mark.parametrize("answer", ["empty", "refused"])
async def test_group_with_hidden_members_is_no_empty_exclusion_and_no_empty_target(
    graph: SimulatedGraph, answer: str
) -> None:
    graph.server.quirks.set({"hiddenMembers": answer})
    hidden = graph.add_group(3, [graph.add_user(4)], visibility="HiddenMembership")

    with pytest.raises(NeedsAdmin) as excluding:
        await resolved(graph, users=[guid(4)], exclude=[hidden])
    with pytest.raises(NeedsAdmin) as aiming:
        [_ async for _ in directory.group_mailboxes(graph.session(), hidden)]

    assert excluding.value.reason is Reason.MEMBERS_HIDDEN
    assert aiming.value.reason is Reason.MEMBERS_HIDDEN


async def test_group_that_is_empty_counts_as_empty(graph: SimulatedGraph) -> None:
    empty = graph.add_group(1, [])

    found = await resolved(graph, groups=[{"id": empty}])

    assert not found.contacts
    assert not found.omissions
