"""Finding a person or a mailbox in a browser without scripts."""

import pytest

from tests.end_to_end.browser import Browser
from tests.end_to_end.signed_in import HOSTILE, TYPED, browser_of, text_of
from tests.local.client import Client, Json
from tests.world import World


async def test_mailbox_page_shows_its_license_and_imports(world: World, ada: Browser) -> None:
    await world.import_((await world.share())["id"], name="Colleagues")
    box = world.users[world.targets[0]]

    found = await ada.open(f"/find?q={box['mail']}")
    shown = await ada.open(f"/find/{box['id']}")

    assert f"/find/{box['id']}" in found.text
    assert "Colleagues" in shown.text
    assert "license assigned" in shown.text
    assert "succeeded" in shown.text


async def test_mailbox_page_says_why_a_person_is_missing(world: World, ada: Browser) -> None:
    await world.change(world.people[0], accountEnabled=False)
    await world.import_((await world.share())["id"])
    path = f"/find/{world.targets[0]}"

    missing = await ada.open(f"{path}?person={world.people[0]}")
    there = await ada.open(f"{path}?person={world.people[1]}")
    searched = await ada.open(f"{path}?q=Person")

    assert ">not in the mailbox<" in missing.text
    assert "disabled" in missing.text
    assert ">in the mailbox<" in there.text
    assert f"person={world.people[1]}" in searched.text


async def test_person_is_removed_everywhere_and_readmitted(world: World, ada: Browser) -> None:
    await world.import_((await world.share())["id"])
    person = world.people[0]
    path = f"/find/{person}/remove"

    at_once = await ada.open(f"/find/{person}/everywhere")
    before = await ada.open(f"/find/{person}/everywhere?look=all")
    asked = await ada.open(path)
    gone = await ada.submit(asked, path, do="remove")
    await world.client.settle()
    after = await ada.open(f"/find/{person}/everywhere")
    names = await world.names(world.targets[0])
    back = await ada.submit(gone, path)

    assert f'href="/find/{person}/everywhere?look=all"' in at_once.text
    assert "2 mailboxes" in before.text
    assert f"Remove {world.users[person]['displayName']} everywhere" in asked.title
    assert "being removed everywhere" in gone.text
    assert "Removed everywhere since" in after.text
    assert world.users[person]["displayName"] not in names
    assert "can be included again" in back.text
    assert "Removed everywhere since" not in (await ada.open(f"/find/{person}/everywhere")).text


async def test_person_page_loads_without_reading_group_members(
    client: Client, world: World, ada: Browser
) -> None:
    await world.import_((await world.share())["id"])
    await client.reset_requests()

    page = await ada.open(f"/find/{world.people[0]}/everywhere")

    assert page.status == 200
    assert "embers" not in str((await client.requests())["tenants"][world.tenant])
    assert "Mailboxes with this contact" not in page.text


async def test_removal_page_of_unknown_person_shows_the_id(ada: Browser) -> None:
    unknown = "00000000-0000-4000-8000-00000000dead"

    assert f"Remove {unknown} everywhere" in (await ada.open(f"/find/{unknown}/remove")).title


async def test_one_box_finds_people_groups_shares_and_imports(world: World, ada: Browser) -> None:
    share = await world.share(name="Sharepoint fans")
    made = await world.import_(share["id"], name="Shared phones", targets={"groups": [world.group]})

    start = await ada.open("/")
    found = await ada.submit(start, "/find", q="shar")

    assert found.path == "/find"
    for link in (f"/shares/{share['id']}", f"/imports/{made['id']}", f"/runs?import={made['id']}"):
        assert f'href="{link}"' in found.text
    groups = text_of(found).partition("Groups")[2]
    assert "Share: Sharepoint fans" in groups
    assert "Import: Shared phones" in groups
    assert world.targets[0] in (await ada.open("/find?q=Person 5")).text


async def test_search_without_matches_says_so(ada: Browser) -> None:
    page = await ada.open("/find?q=nobodyatall")

    assert "No results" in page.text


async def test_search_says_that_the_directory_is_unavailable(
    client: Client, world: World, ada: Browser
) -> None:
    await client.fault(".*", {"status": 503}, times=1000, tenant=world.tenant)

    page = await ada.open("/find?q=Person")
    german = await (await browser_of(client, world, language="de")).open("/find?q=Person")

    assert page.status == 200
    assert "Person" in page.text
    assert "note warn" in page.text
    assert "Microsoft 365 isn&#39;t responding right now. Try again in a minute." in page.text
    assert "Microsoft 365 ist derzeit nicht erreichbar." in german.text


async def test_hostile_names_are_shown_as_text(world: World, ada: Browser) -> None:
    await world.change(world.people[0], displayName=HOSTILE)
    await world.import_((await world.share())["id"], name=TYPED)

    for path in (
        "/find?q=script",
        f"/find/{world.people[0]}",
        f"/find/{world.people[0]}/everywhere",
        f"/find/{world.people[0]}/everywhere?look=all",
        f"/find/{world.targets[0]}?person={world.people[0]}",
    ):
        page = await ada.open(path)
        assert page.status == 200
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert" in page.text


async def test_reader_can_find_people_but_not_remove_them(client: Client, world: World) -> None:
    rita = await browser_of(client, world, "Reader")
    person = world.people[0]

    page = await rita.open(f"/find/{person}/everywhere")

    assert page.status == 200
    assert "/remove" not in page.text
    assert (await rita.open(f"/find/{person}/remove")).status == 403


OMISSIONS: dict[str, tuple[Json, Json, str, str]] = {
    "disabled": ({"accountEnabled": False}, {}, "disabled", "Account disabled"),
    "without an address": ({"mail": None}, {}, "no_email", "No email address"),
    "hidden": ({"showInAddressList": False}, {}, "hidden", "Hidden from address lists"),
    "filtered": (
        {"city": "Bonn"},
        {"filter": {"city": ["Köln"]}},
        "filtered",
        "Excluded by the filter",
    ),
}


@pytest.mark.parametrize(("changes", "more", "reason", "words"), OMISSIONS.values(), ids=OMISSIONS)
async def test_person_page_says_why_a_share_omits_the_person(
    world: World, ada: Browser, changes: Json, more: Json, reason: str, words: str
) -> None:
    somebody = world.people[0]
    await world.change(somebody, **changes)
    share = await world.share(sources={"groups": [{"id": world.group}], **more})

    page = await ada.open(f"/find/{somebody}/everywhere?look=all")
    told = await world.api.get(f"/people/{somebody}")

    assert (told["shares"], told["places"]) == ([], [])
    (out,) = told["omitted"]
    assert (out["shareId"], out["reason"]) == (share["id"], reason)
    assert f"People {words} {out['remedy']}" in text_of(page)
    assert f'href="/shares/{share["id"]}"' in page.text


async def test_person_page_tells_excluded_suppressed_and_unknown_people_apart(
    world: World, ada: Browser
) -> None:
    excluded, suppressed, nowhere = *world.people[:2], world.targets[0]
    await world.share(sources={"groups": [{"id": world.group}], "exclude": [excluded]})
    await world.api.delete(f"/people/{suppressed}", 202)

    said = {
        id_: text_of(await ada.open(f"/find/{id_}/everywhere?look=all"))
        for id_ in (excluded, suppressed, nowhere)
    }

    assert "Excluded by name" in said[excluded]
    assert "Removed everywhere" in said[suppressed]
    assert "None of your shares includes this person" in said[nowhere]
