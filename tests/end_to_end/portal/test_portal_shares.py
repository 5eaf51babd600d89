"""Publishing shares in a browser without scripts."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.end_to_end.browser import Browser
from tests.end_to_end.signed_in import HOSTILE, TYPED, browser_of, press, text_of
from tests.local.client import Client
from tests.world import DOMAIN, World, person

TENANT = "0123abcd-0123-0123-0123-0123456789ab"


async def test_share_is_published_from_search_results(world: World, ada: Browser) -> None:
    page = await ada.open("/shares/new")
    page = await press(ada, page, "search", name="Our people", search="Shar")
    assert "Shared" in page.text
    page = await press(ada, page, f"add-group:{world.group}", search="Person 5")
    page = await press(ada, page, "search", search="Person 5")
    page = await press(ada, page, f"add-user:{world.targets[0]}")
    page = await press(ada, page, "preview")
    assert "6 contacts" in page.text
    assert "Person 1" in page.text

    made = await press(ada, page, "save")

    assert made.status == 200
    assert "The share is published" in made.text
    (share,) = await world.api.all("/shares")
    assert share["name"] == "Our people"
    assert share["sources"]["groups"] == [{"id": world.group, "as": "members"}]
    assert share["sources"]["users"] == [world.targets[0]]
    assert share["id"] in made.text


async def test_form_sent_twice_publishes_one_share(world: World, ada: Browser) -> None:
    page = await press(ada, await ada.open("/shares/new"), f"add-group:{world.group}", name="Once")

    await press(ada, page, "save")
    await press(ada, page, "save")

    assert len(await world.api.all("/shares")) == 1


async def test_errors_are_reported_at_their_fields_and_input_is_kept(
    world: World, ada: Browser
) -> None:
    page = await ada.open("/shares/new")

    shown = await press(ada, page, "save", name=" ", tenants="keep me", rule="tenants")

    assert shown.status == 422
    assert 'aria-invalid="true"' in shown.text
    assert "keep me" in shown.text
    assert re.search(r'href="#(name|sources)"', shown.text)
    assert "Name: must not be empty" in text_of(shown)
    assert await world.api.all("/shares") == []


async def test_invitation_link_is_a_field_that_can_be_copied_without_scripts(
    client: Client, world: World, ada: Browser
) -> None:
    share = await world.share(access={"rule": "tenant"})
    link = f"{ada.origin}/imports/new?share={share['shareId']}"
    reader = await browser_of(client, world, "Reader")

    shown = await ada.open(f"/shares/{share['id']}")

    assert f'<input id="invitation" value="{link}" readonly' in shown.text
    assert "To invite a partner, change the access rule first." in text_of(shown)
    assert share["shareId"] not in (await reader.open(f"/shares/{share['id']}")).text


async def test_copy_of_a_share_is_published_as_a_share_of_its_own(
    world: World, ada: Browser
) -> None:
    share = await world.share(access={"rule": "anyone_with_id"})
    assert (
        f'href="/shares/new?copy={share["id"]}"' in (await ada.open(f"/shares/{share['id']}")).text
    )

    form = await ada.open(f"/shares/new?copy={share['id']}")
    await press(ada, form, "save")

    (copy,) = [each for each in await world.api.all("/shares") if each["id"] != share["id"]]
    same = ("sources", "fields", "access", "blocked")
    assert {name: copy[name] for name in same} == {name: share[name] for name in same}
    assert (copy["name"], copy["shareId"] != share["shareId"]) == (f"Copy of {share['name']}", True)
    assert (await ada.open("/shares/new?copy=unknown")).status == 404


async def test_pages_say_that_only_certain_companies_may_import_a_share(
    world: World, ada: Browser
) -> None:
    share = await world.share(access={"rule": "tenants", "tenants": [str(uuid4())]})

    for path in ("/shares", f"/shares/{share['id']}"):
        assert "only selected organizations" in text_of(await ada.open(path)), path


@pytest.mark.parametrize(
    ("language", "wrong", "past"),
    [
        (
            "en",
            "is not a tenant ID: contoso.com. Enter a GUID, not a domain.",
            "must be in the future",
        ),
        (
            "de",
            "ist keine Mandanten-ID: contoso.com. Geben Sie eine GUID ein, keine Domäne.",
            "muss in der Zukunft liegen",
        ),
    ],
)
async def test_unusable_access_is_reported_at_its_field(
    client: Client, world: World, language: str, wrong: str, past: str
) -> None:
    ada = await browser_of(client, world, language=language)
    page = await ada.open("/shares/new")
    fields = {"name": "People", "all_users": "yes"}

    nobody = await press(ada, page, "save", rule="tenants", tenants="contoso.com", **fields)
    over = await press(ada, page, "save", expires="2020-01-01", **fields)

    assert f'id="tenants-error">{wrong}<' in nobody.text
    assert f'id="expires-error">{past}<' in over.text
    assert '<a href="#tenants">' in nobody.text
    assert '<a href="#expires">' in over.text
    assert await world.api.all("/shares") == []


async def test_form_explains_share_id_and_access(world: World, ada: Browser) -> None:
    share = await world.share()

    for path in ("/shares/new", f"/shares/{share['id']}/edit"):
        page = await ada.open(path)
        assert "What is a share ID?" in page.text
        assert "Who can import a share?" in page.text


async def test_last_day_of_a_share_is_included(world: World, ada: Browser) -> None:
    today = datetime.now(UTC).date()
    page = await ada.open("/shares/new")
    await press(ada, page, "save", name="People", all_users="yes", expires=today.isoformat())

    (share,) = await world.api.all("/shares")

    assert share["access"]["expires"] == f"{today}T23:59:59Z"
    form = (await ada.open(f"/shares/{share['id']}/edit")).form(f"/shares/{share['id']}/edit")
    assert ("expires", today.isoformat()) in form.fields


async def test_expired_share_says_so_and_can_still_be_renamed(client: Client, world: World) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    share = await world.share(access={"rule": "anyone_with_id", "expires": soon})
    await world.days_pass(2)
    ada = await browser_of(client, world)
    path = f"/shares/{share['id']}"

    shown = await press(ada, await ada.open(f"{path}/edit"), "save", name="As it was")

    assert "The share is changed." in text_of(shown)
    assert "ended on" in text_of(shown)
    kept = (await world.api.get(path))["access"]["expires"]
    assert datetime.fromisoformat(kept) == datetime.fromisoformat(soon)


async def test_manual_contacts_can_be_added_and_changed(world: World, ada: Browser) -> None:
    page = await ada.open("/shares/new")
    typed = {"typed-displayName": "Hotline", "typed-businessPhone": "+49 30 1"}
    page = await press(ada, page, "add-contact", name="Help", **typed)
    wrong = await press(ada, page, "add-contact", **{"typed-emailAddress": "no address"})
    assert wrong.status == 422
    assert 'id="typed-displayName-error"' in wrong.text
    page = await press(ada, page, "edit-contact:0")
    page = await press(ada, page, "save", **{"typed-displayName": "The hotline"})

    (share,) = await world.api.all("/shares")

    assert page.status == 200
    (contact,) = share["sources"]["contacts"]
    assert contact["displayName"] == "The hotline"
    assert contact["businessPhones"] == ["+49 30 1"]


async def test_changed_manual_contact_keeps_what_the_form_does_not_show(
    world: World, ada: Browser
) -> None:
    contact = {"id": str(uuid4()), "displayName": "Hotline", "homePhones": ["1"]}
    share = await world.share(sources={"contacts": [contact]})
    page = await ada.open(f"/shares/{share['id']}/edit")
    page = await press(ada, page, "edit-contact:0")

    await press(ada, page, "save", **{"typed-displayName": "The hotline"})

    (kept,) = (await world.api.get(f"/shares/{share['id']}"))["sources"]["contacts"]
    assert (kept["id"], kept["displayName"]) == (contact["id"], "The hotline")
    assert kept["homePhones"] == ["1"]


async def test_edit_conflict_is_reported_and_keeps_the_input(world: World, ada: Browser) -> None:
    share = await world.share()
    page = await ada.open(f"/shares/{share['id']}/edit")
    await world.api.patch(f"/shares/{share['id']}", {"name": "Theirs"})

    shown = await press(ada, page, "save", name="Mine")
    assert shown.status == 422
    assert "Theirs" in shown.text
    saved = await press(ada, shown, "save")

    assert saved.status == 200
    assert (await world.api.get(f"/shares/{share['id']}"))["name"] == "Mine"


async def test_saving_keeps_values_that_the_form_does_not_show(world: World, ada: Browser) -> None:
    contact = {
        "displayName": "Hotline",
        "title": "Dr.",
        "homePhones": ["1"],
        "emailAddresses": [{"address": "a@example.com", "name": "A"}],
    }
    more = {
        "sources": {"contacts": [contact]},
        "blocked": [str(uuid4())],
        "fields": ["displayName"],
    }
    share = await world.share(**more)

    await press(ada, await ada.open(f"/shares/{share['id']}/edit"), "save", name="New name")

    after = await world.api.get(f"/shares/{share['id']}")
    assert after["name"] == "New name"
    for name in ("sources", "blocked", "fields", "access"):
        assert after[name] == share[name], name


async def test_preview_shows_omitted_people_with_reason(world: World, ada: Browser) -> None:
    await world.change(world.people[0], mail=None, proxyAddresses=[], displayName="Nomail")
    share = await world.share()

    shown = await ada.open(f"/shares/{share['id']}?preview=now")

    assert "4 contacts" in shown.text
    assert "1 not included" in shown.text
    assert "Nomail" in shown.text
    assert "no email address" in shown.text


async def test_preview_names_filter_values_that_nobody_has(world: World, ada: Browser) -> None:
    page = await press(ada, await ada.open("/shares/new"), f"add-group:{world.group}")

    shown = await press(ada, page, "preview", **{"filter-department": "Sevrice\nSALES"})

    text = text_of(shown)
    assert "No one in your directory has this value: Department “Sevrice”." in text
    assert "Values in your directory: Service" in text
    assert "SALES”" not in text


async def test_pasted_addresses_become_people_and_others_are_listed(
    world: World, ada: Browser
) -> None:
    first, second = (str(world.users[id_]["mail"]) for id_ in world.people[:2])
    text = f"Weber, Anna <{first.upper()}>; {second}\nnobody@x.example, Bob"

    shown = await press(ada, await ada.open("/shares/new"), "paste", pasted=text)
    assert "Not found in your directory: nobody@x.example, Bob" in text_of(shown)
    await press(ada, shown, "save", name="Pasted")

    (share,) = await world.api.all("/shares")
    assert set(share["sources"]["users"]) == set(world.people[:2])


async def test_withdrawal_shows_its_effect_first(world: World, ada: Browser) -> None:
    share = await world.share()
    await world.import_(share["id"])

    asked = await ada.open(f"/shares/{share['id']}/withdraw")
    gone = await ada.submit(asked, f"/shares/{share['id']}/withdraw")

    assert "2 mailboxes" in asked.text
    assert "withdrawn" in gone.text
    assert (await world.api.send("GET", f"/shares/{share['id']}")).status == 404


async def test_partner_can_be_blocked_and_unblocked_by_undo(
    world: World, partner: World, ada: Browser
) -> None:
    await partner.api.patch("/tenant", {"name": "Fabrikam"})
    share = await world.share()
    await partner.import_(share["shareId"])
    path = f"/shares/{share['id']}/subscribers/{partner.tenant}"

    listed = await ada.open(f"/shares/{share['id']}")
    asked = await ada.open(path)
    assert f"Block {DOMAIN}" in asked.title
    assert f"Block {DOMAIN}" in text_of(listed)
    shut = await ada.submit(asked, path, do="block")
    assert (await world.api.get(f"/shares/{share['id']}"))["blocked"] == [partner.tenant]
    assert f"Unblock {DOMAIN}" in text_of(shut)
    # Once its contacts are removed, only its id is left.
    assert "Unblock" in (await ada.open(path)).title
    again = await ada.submit(shut, path)

    assert "can import the share again" in again.text
    assert (await world.api.get(f"/shares/{share['id']}"))["blocked"] == []


async def test_rotation_keeps_the_chosen_partners(
    world: World, partner: World, ada: Browser
) -> None:
    share = await world.share()
    await partner.import_(share["shareId"])
    path = f"/shares/{share['id']}/rotate"

    shown = await ada.submit(await ada.open(path), path)

    (now,) = await world.api.all("/shares")
    assert (now["id"], shown.path) == (share["id"], f"/shares/{share['id']}")
    assert now["shareId"] != share["shareId"]
    assert now["shareId"] in shown.text
    assert share["shareId"] not in shown.text
    assert (await partner.api.send("GET", f"/publications/{share['shareId']}")).status == 200


async def test_long_list_is_paged_and_searched_on_the_server(world: World, ada: Browser) -> None:
    for n in range(53):
        await world.share(name=f"Share {n:02d}")

    first = await ada.open("/shares")
    (link,) = re.findall(r'href="([^"]+)" rel="next"', first.text)
    second = await ada.open(unescape(link))
    found = await ada.open("/shares?q=share+1")

    assert (first.text.count("<tr>"), second.text.count("<tr>")) == (51, 4)
    assert found.text.count("<tr>") == 11
    assert "Share 52" in second.text


async def test_hostile_names_are_shown_as_text(client: Client, world: World, ada: Browser) -> None:
    evil = person(99, displayName=HOSTILE)
    await client.change_tenant(world.tenant, users=[evil])
    share = await world.share(name=TYPED, sources={"users": [evil["id"]]})
    pages = [
        await ada.open("/shares"),
        await ada.open(f"/shares/{share['id']}?preview=now"),
        await ada.open(f"/shares/{share['id']}/edit"),
        await press(ada, await ada.open("/shares/new"), "search", search="script"),
    ]

    for page in pages:
        assert page.status == 200
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert" in page.text


async def test_reader_can_view_shares_but_not_change_them(client: Client, world: World) -> None:
    share = await world.share()
    rita = await browser_of(client, world, "Reader")

    shown = await rita.open(f"/shares/{share['id']}")

    assert share["shareId"] not in shown.text
    assert "/edit" not in shown.text
    for path in ("/shares/new", f"/shares/{share['id']}/edit", f"/shares/{share['id']}/withdraw"):
        assert (await rita.open(path)).status == 403


async def test_foreign_and_unknown_shares_return_404(partner: World, ada: Browser) -> None:
    theirs = await partner.share()

    assert (await ada.open(f"/shares/{theirs['id']}")).status == 404
    assert (await ada.open("/shares/0000")).status == 404
    assert partner.tenant not in (await ada.open(f"/shares/{theirs['id']}")).text


async def test_share_pages_are_in_german(client: Client, world: World) -> None:
    share = await world.share()
    ada = await browser_of(client, world, language="de")
    paths = ["/shares", "/shares/new", *(f"/shares/{share['id']}{p}" for p in ("", "/edit"))]

    pages = [await ada.open(path) for path in paths]

    assert "Neue Freigabe" in pages[0].text
    for page in pages:
        assert page.status == 200
        assert '<html lang="de"' in page.text


async def test_long_search_is_cut_so_that_its_next_page_can_be_asked_for(ada: Browser) -> None:
    shown = await ada.open(f"/shares?q={quote('\N{PERSONAL COMPUTER}' * 150)}")

    assert shown.status == 200
    assert f'value="{"\N{PERSONAL COMPUTER}" * 100}" maxlength="100"' in shown.text
