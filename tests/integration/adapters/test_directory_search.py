"""Searching the directory while an admin types, and finding names of ids."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.graph.directory_search import search_of
from shared.domain.errors import NeedsAdmin, TransientError
from shared.services.sharing.directory_search import FOUND_AT_MOST, EntryKind
from shared.wiring.app import App
from tests.local.graph.directory.search import searched
from tests.world import World, person

HOSTILE = (
    '"',
    "\\",
    '\\"',
    'a"b',
    "O'Brien & Sons",
    "x\\",
    "(",
    "*",
    "%",
    "<b>",
    "李 四",
    "﷽" * 99,
)


async def names(app: App, caller: Caller, text: str, *kinds: EntryKind) -> list[str]:
    return [
        f.name for f in await app.sharing.directory.find(caller, text, kinds or tuple(EntryKind))
    ]


async def test_users_groups_and_org_contacts_are_found_by_start_of_name_or_address(
    app: App, world: World, caller: Caller
) -> None:
    ann = person(70, displayName="Ann O'Brien-McDonald", surname="McDonald", mail="hit@x.example")
    group = {"id": str(uuid4()), "displayName": "Anniversary", "members": [], "description": "Fun"}
    firm = {
        "id": str(uuid4()),
        "displayName": "Supplier Ann",
        "mail": "s@y.example",
        "companyName": "Supplies",
    }
    await world.client.change_tenant(world.tenant, users=[ann], groups=[group], contacts=[firm])
    found = await app.sharing.directory.find(caller, " ANN ")
    assert [(f.kind, f.name, f.address, f.detail) for f in found] == [
        (EntryKind.USER, "Ann O'Brien-McDonald", "hit@x.example", "Agent · Service"),
        (EntryKind.GROUP, "Anniversary", "", "Fun"),
        (EntryKind.ORG_CONTACT, "Supplier Ann", "s@y.example", "Supplies"),
    ]
    for text in ("hit@", "mcdon", "o'brien", "mcdonald, ann", ann["id"].upper()):
        assert await names(app, caller, text) == ["Ann O'Brien-McDonald"]
    assert await names(app, caller, "nn") == []
    assert await names(app, caller, "ann", EntryKind.GROUP) == ["Anniversary"]


async def test_search_returns_a_limited_number_of_results_with_one_request(
    app: App, world: World, caller: Caller
) -> None:
    await world.client.change_tenant(world.tenant, users=[person(n) for n in range(20, 40)])
    await world.client.quirks(world.tenant, contactSearch="any")
    assert len(await names(app, caller, "person")) == FOUND_AT_MOST
    use = (await world.client.requests())["tenants"][world.tenant]
    assert use["http"] == 1


@pytest.mark.parametrize("text", HOSTILE)
async def test_search_accepts_any_text(app: App, caller: Caller, text: str) -> None:
    assert await names(app, caller, text) == []


@given(st.text(max_size=200))
def test_any_text_becomes_a_well_formed_search_that_finds_its_name(text: str) -> None:
    wanted = search_of(text, ("displayName", "surname"), ("mail",))
    if wanted is not None:
        matches = searched(wanted)
        assert matches({"displayName": text}) or not text.isascii()
        assert not matches({"displayName": ""})


async def test_another_tenants_people_are_not_found(
    app: App, partner: World, caller: Caller
) -> None:
    stranger = person(80, displayName="Stranger")
    await partner.client.change_tenant(partner.tenant, users=[stranger])
    assert await names(app, caller, "Stranger") == []
    assert await app.sharing.directory.name(caller, [stranger["id"]]) == {}


async def test_names_are_found_for_ids_of_any_kind_in_any_case(
    app: App, world: World, caller: Caller
) -> None:
    firm = {"id": str(uuid4()), "displayName": "Supplier"}
    await world.client.change_tenant(world.tenant, contacts=[firm])
    one = world.people[0].upper()
    named = await app.sharing.directory.name(caller, [one, world.group, firm["id"], str(uuid4())])
    assert {id_: (f.kind, f.name) for id_, f in named.items()} == {
        one: (EntryKind.USER, "Person 0"),
        world.group: (EntryKind.GROUP, "Shared"),
        firm["id"]: (EntryKind.ORG_CONTACT, "Supplier"),
    }
    assert await app.sharing.directory.name(caller, [world.group], [EntryKind.USER]) == {}
    assert await app.sharing.directory.name(caller, []) == {}


async def test_directory_errors_raise_needs_admin_or_transient_error(
    app: App, world: World, caller: Caller
) -> None:
    await world.client.fault(r"^/groups\?", {"status": 403}, tenant=world.tenant)
    with pytest.raises(NeedsAdmin):
        await app.sharing.directory.find(caller, "x")
    await world.client.fault(r"^/users\?", {"status": 503}, times=3, tenant=world.tenant)
    with pytest.raises(TransientError):
        await app.sharing.directory.find(caller, "x")


async def test_search_repeats_what_fails_once(app: App, world: World, caller: Caller) -> None:
    await world.client.fault(r"^/\$batch", {"status": 503}, tenant=world.tenant)
    await world.client.fault(r"^/users\?", {"status": 503}, tenant=world.tenant)
    found = await app.sharing.directory.find(caller, "Person 0")
    assert [one.name for one in found] == ["Person 0"]


async def test_ids_are_looked_up_again_after_a_failure(
    app: App, world: World, caller: Caller
) -> None:
    await world.client.fault("getByIds", {"status": 503}, tenant=world.tenant)
    found = await app.sharing.directory.name(caller, [world.people[0]], [EntryKind.USER])
    assert [one.name for one in found.values()] == ["Person 0"]
