"""Finding a person or a mailbox in a browser without scripts."""

from tests.end_to_end.browser import Browser
from tests.end_to_end.portal import HOSTILE, browser_of
from tests.local.client import Client
from tests.world import World


async def test_a_mailbox_is_found_with_its_seat_and_what_fills_it(
    world: World, ada: Browser
) -> None:
    await world.import_((await world.share())["id"], name="Colleagues")
    box = world.users[world.targets[0]]

    found = await ada.open(f"/find?q={box['mail']}")
    shown = await ada.open(f"/find/{box['id']}")

    assert f"/find/{box['id']}" in found.text
    assert "Colleagues" in shown.text
    assert "has a seat" in shown.text
    assert "succeeded" in shown.text


async def test_it_says_why_somebody_is_missing_from_a_mailbox(world: World, ada: Browser) -> None:
    await world.change(world.people[0], accountEnabled=False)
    await world.import_((await world.share())["id"])
    path = f"/find/{world.targets[0]}"

    missing = await ada.open(f"{path}?person={world.people[0]}")
    there = await ada.open(f"{path}?person={world.people[1]}")
    searched = await ada.open(f"{path}?q=Person")

    assert "is not in the mailbox" in missing.text
    assert "disabled" in missing.text
    assert "is in the mailbox" in there.text
    assert f"person={world.people[1]}" in searched.text


async def test_a_person_is_removed_everywhere_and_let_in_again(world: World, ada: Browser) -> None:
    await world.import_((await world.share())["id"])
    person = world.people[0]
    path = f"/find/{person}/remove"

    before = await ada.open(f"/find/{person}/everywhere")
    asked = await ada.open(path)
    gone = await ada.submit(asked, path, do="remove")
    await world.client.settle()
    after = await ada.open(f"/find/{person}/everywhere")
    names = await world.names(world.targets[0])
    back = await ada.submit(gone, path)

    assert "2 mailboxes" in before.text
    assert f"Remove {world.users[person]['displayName']} everywhere" in asked.title
    assert "kept out everywhere" in gone.text
    assert "Kept out everywhere since" in after.text
    assert world.users[person]["displayName"] not in names
    assert "let in again" in back.text
    assert "Kept out" not in (await ada.open(f"/find/{person}/everywhere")).text


async def test_whom_the_directory_does_not_name_is_asked_about_by_id(ada: Browser) -> None:
    unknown = "00000000-0000-4000-8000-00000000dead"

    assert f"Remove {unknown} everywhere" in (await ada.open(f"/find/{unknown}/remove")).title


async def test_nobody_of_that_name_is_said_so(ada: Browser) -> None:
    page = await ada.open("/find?q=nobodyatall")

    assert "Nobody found" in page.text


async def test_a_silent_directory_is_said_so(client: Client, world: World, ada: Browser) -> None:
    await client.fault(".*", {"status": 503}, times=1000, tenant=world.tenant)

    page = await ada.open("/find?q=Person")
    german = await (await browser_of(client, world, language="de")).open("/find?q=Person")

    assert page.status == 200
    assert "Person" in page.text
    assert "note warn" in page.text
    assert "Microsoft does not answer now. Try again in a minute." in page.text
    assert "Microsoft antwortet gerade nicht." in german.text


async def test_hostile_names_are_shown_as_text(world: World, ada: Browser) -> None:
    await world.change(world.people[0], displayName=HOSTILE)
    await world.import_((await world.share())["id"], name=HOSTILE)

    for path in (
        "/find?q=script",
        f"/find/{world.people[0]}",
        f"/find/{world.people[0]}/everywhere",
        f"/find/{world.targets[0]}?person={world.people[0]}",
    ):
        page = await ada.open(path)
        assert page.status == 200
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert" in page.text


async def test_a_reader_finds_people_and_removes_none(client: Client, world: World) -> None:
    rita = await browser_of(client, world, "Reader")
    person = world.people[0]

    page = await rita.open(f"/find/{person}/everywhere")

    assert page.status == 200
    assert "/remove" not in page.text
    assert (await rita.open(f"/find/{person}/remove")).status == 403
