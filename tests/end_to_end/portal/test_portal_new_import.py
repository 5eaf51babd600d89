"""A new import, step by step, in a browser without scripts."""

from typing import Any

from tests.end_to_end.browser import Browser, Shown
from tests.end_to_end.signed_in import only_import, text_of
from tests.local.client import Client
from tests.world import DOMAIN, World

CREATED = "The import is created. Its first sync has started."


async def go_through(browser: Browser, world: World, **share: Any) -> Shown:
    """Go through the steps with all of the world's targets, and return the last step's page."""
    at = await browser.open("/imports/new")
    at = await browser.submit(at, "/imports/new", do="next", **share)
    assert at.status == 200, at.text
    for target in world.targets:
        name = world.users[target]["displayName"]
        at = await browser.submit(at, "/imports/new", do="search", q=name)
        assert f"add:users:{target}" in at.text
        at = await browser.submit(at, "/imports/new", do=f"add:users:{target}")
    at = await browser.submit(at, "/imports/new", do="next")
    assert at.status == 200, at.text
    at = await browser.submit(at, "/imports/new", do="next", name="For the phones")
    assert "Preview one mailbox" in at.text, at.text
    return at


async def test_copy_of_an_import_has_its_settings_and_targets(world: World, ada: Browser) -> None:
    share = await world.share()
    made = await world.import_(share["id"], active=False)
    assert (
        f'href="/imports/new?copy={made["id"]}"' in (await ada.open(f"/imports/{made['id']}")).text
    )

    page = await ada.open(f"/imports/new?copy={made['id']}")
    page = await ada.submit(page, "/imports/new", do="next")
    await ada.submit(page, "/imports/new", do="create")

    (copy,) = [each for each in await world.api.all("/imports") if each["id"] != made["id"]]
    same = ("shareId", "targets", "destination", "conflicts", "guard", "active", "schedule")
    assert {name: copy[name] for name in same} == {name: made[name] for name in same}
    assert copy["name"] == f"Copy of {made['name']}"
    assert (await ada.open("/imports/new?copy=unknown")).status == 404


async def test_import_of_own_share_is_created_in_three_steps(
    client: Client, world: World, ada: Browser
) -> None:
    share = await world.share()

    last = await go_through(ada, world, share=share["id"])
    assert "It adds 2 licenses to those that your organization needs." in text_of(last)
    shown = await ada.submit(last, "/imports/new", do="create")

    assert CREATED in shown.text
    made = await only_import(world)
    assert shown.path.startswith("/runs/")
    assert f'href="/imports/{made["id"]}"' in shown.text
    assert made["name"] == "For the phones"
    assert sorted(made["targets"]["users"]) == sorted(world.targets)
    await client.settle()
    assert await world.names(world.targets[0]) == world.expected()


async def test_import_of_partners_share_is_created_by_share_id(
    client: Client, world: World, partner: World, ada: Browser
) -> None:
    await partner.api.patch("/tenant", {"name": "Fabrikam"})
    share = await partner.share(name="Sales of Fabrikam")
    start = await ada.open("/imports/new")

    offer = await ada.submit(
        start, do="check", share="partner", partner=share["shareId"], action="/imports/new"
    )
    told = f"Published by: {DOMAIN} (calls itself Fabrikam), 5 contacts"
    assert told in text_of(offer)
    last = await go_through(ada, world, share="partner", partner=f" {share['shareId']} ")
    assert "Sales of Fabrikam" in last.text
    assert f"{DOMAIN} (“Fabrikam”)" in text_of(last)
    shown = await ada.submit(last, "/imports/new", do="create")

    assert CREATED in shown.text
    assert (await only_import(world))["shareId"] == share["shareId"]
    await client.settle()
    assert "Fabrikam" in (await ada.open("/imports")).text


async def test_invitation_leads_to_a_partners_import_in_three_clicks(
    world: World, partner: World, ada: Browser
) -> None:
    share = await partner.share(name="Sales of Fabrikam")

    at = await ada.open(f"/imports/new?share={share['shareId']}")
    assert f"Published by: {DOMAIN}, 5 contacts" in text_of(at)
    at = await ada.submit(at, "/imports/new", do=f"add:groups:{world.group}")
    at = await ada.submit(at, "/imports/new", do="next")
    assert "Outlook for iOS and Android: names of callers" in text_of(at)
    shown = await ada.submit(at, "/imports/new", do="create")

    assert CREATED in shown.text
    made = await only_import(world)
    assert (made["shareId"], made["name"]) == (share["shareId"], "Sales of Fabrikam")
    assert (made["targets"]["groups"], made["destination"]["folder"]) == (
        [world.group],
        "Contact Sync",
    )


async def test_own_share_is_found_by_name_and_chosen_with_its_name(
    world: World, ada: Browser
) -> None:
    await world.share(name="Sales")
    share = await world.share(name="Warehouse")

    start = await ada.open("/imports/new")
    found = await ada.submit(start, "/imports/new", do="search", find="ware")
    chosen = await ada.submit(found, "/imports/new", do=f"pick:{share['id']}")
    again = await ada.submit(chosen, "/imports/new", do="back")

    assert "Sales" not in text_of(found)
    assert "Which mailboxes receive the contacts?" in text_of(chosen)
    assert ("name", "Warehouse") in chosen.form("/imports/new").fields
    assert "selected" in text_of(again)


async def test_preview_offers_targets_only(world: World, ada: Browser) -> None:
    share = await world.share()
    at = await ada.open(f"/imports/new?share={share['id']}")
    at = await ada.submit(at, "/imports/new", do=f"add:groups:{world.group}")
    at = await ada.submit(at, "/imports/new", do=f"add:users:{world.targets[0]}")
    last = await ada.submit(at, "/imports/new", do="next")
    member, stranger = world.people[0], world.targets[1]

    listed = await ada.submit(last, "/imports/new", do="search", q="Person")
    other = await ada.submit(last, "/imports/new", do="search", q=world.users[stranger]["mail"])

    assert f"preview:users:{world.targets[0]}" in last.text
    assert f"preview:users:{member}" in listed.text
    assert f"preview:users:{stranger}" not in listed.text + other.text


async def test_unknown_share_id_is_reported_at_its_field_and_kept(ada: Browser) -> None:
    start = await ada.open("/imports/new")

    page = await ada.submit(start, "/imports/new", do="next", share="partner", partner="0" * 32)

    assert page.status == 422
    assert 'id="partner-error"' in page.text
    assert 'href="#partner"' in page.text
    assert ("partner", "0" * 32) in page.form("/imports/new").fields


async def test_missing_targets_and_name_are_reported_at_their_fields(
    world: World, ada: Browser
) -> None:
    share = await world.share()
    start = await ada.open("/imports/new")

    targets = await ada.submit(start, "/imports/new", do="next", share=share["id"])
    nobody = await ada.submit(targets, "/imports/new", do="next")
    assert nobody.status == 422
    assert 'id="q-error"' in nobody.text
    assert "Choose at least one user or group." in nobody.text
    chosen = await ada.submit(nobody, "/imports/new", do=f"add:groups:{world.group}")
    settings = await ada.submit(chosen, "/imports/new", do="next")
    nameless = await ada.submit(
        settings, "/imports/new", do="next", name=" ", deletes="many", category="Ours"
    )

    assert nameless.status == 422
    assert 'id="name-error"' in nameless.text
    assert 'id="deletes-error"' in nameless.text
    assert "Name of the import: must not be empty" in text_of(nameless)
    assert "Contacts deleted: must be a whole number" in text_of(nameless)
    fields = nameless.form("/imports/new").fields
    assert ("deletes", "many") in fields
    assert ("category", "Ours") in fields


async def test_going_back_keeps_the_input(world: World, ada: Browser) -> None:
    share = await world.share()
    at = await go_through(ada, world, share=share["id"])
    for _ in range(3):
        at = await ada.submit(at, "/imports/new", do="back")
    assert ("share", share["id"]) in at.form("/imports/new").fields
    for _ in range(3):
        at = await ada.submit(at, "/imports/new", do="next")

    assert "For the phones" in at.text
    assert [v for n, v in at.form("/imports/new").fields if n == "users"] == world.targets


async def test_target_can_be_removed_again(world: World, ada: Browser) -> None:
    share = await world.share()
    at = await ada.open(f"/imports/new?share={share['id']}")
    at = await ada.submit(at, "/imports/new", do=f"add:groups:{world.group}")
    assert "This import has 5 target mailboxes." in text_of(at)

    at = await ada.submit(at, "/imports/new", do=f"remove:groups:{world.group}")

    assert "No people or groups selected yet." in at.text


async def test_mailbox_can_be_previewed_before_the_import_is_created(
    world: World, ada: Browser
) -> None:
    share = await world.share()
    last = await go_through(ada, world, share=share["id"])

    shown = await ada.submit(last, "/imports/new", do=f"preview:users:{world.targets[0]}")

    assert "5 contacts would be created, 0 updated, 0 deleted." in text_of(shown)
    assert world.expected()[0] in shown.text
    assert await world.api.all("/imports") == []


async def test_form_sent_twice_creates_one_import(world: World, ada: Browser) -> None:
    share = await world.share()
    last = await go_through(ada, world, share=share["id"])

    first = await ada.submit(last, "/imports/new", do="create")
    second = await ada.submit(last, "/imports/new", do="create")

    assert first.url == second.url
    await only_import(world)


async def test_share_id_is_taken_out_of_a_pasted_address(partner: World, ada: Browser) -> None:
    share = await partner.share(name="Sales of Fabrikam")
    start = await ada.open("/imports/new")

    for text in (
        f"https://portal.example/publications/{share['shareId'].upper()}?x=1",
        f"Share ID: {share['shareId']}.",
    ):
        shown = await ada.submit(start, "/imports/new", share="partner", do="next", partner=text)
        assert shown.status == 200, shown.text
        assert "Sales of Fabrikam" in shown.text
    for text in ("a/b", "https://portal.example/imports/new", "../..", "a?b#c", "\U0001f600"):
        page = await ada.submit(start, "/imports/new", share="partner", do="next", partner=text)
        assert page.status == 422
        assert 'id="partner-error"' in page.text
        assert "is not a share ID" in page.text
