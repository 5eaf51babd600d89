"""The pages of imports in a browser without scripts."""

import html
import re
from typing import Any

import pytest

from tests.end_to_end.browser import Browser
from tests.end_to_end.signed_in import browser_of, only_import, press, text_of
from tests.local.client import Client, Json
from tests.world import World

BIDI = "\u200fשרה\u200f"


async def test_empty_import_list_links_to_a_new_import(ada: Browser) -> None:
    page = await ada.open("/imports")

    assert "No imports yet" in page.text
    assert 'href="/imports/new"' in page.text


async def test_list_shows_the_state_of_each_import_and_searches_by_name(
    world: World, ada: Browser
) -> None:
    share = await world.share()
    await world.import_(share["id"], name="Running well")
    await world.import_(share["id"], name="Put aside", active=False)

    listed = text_of(await ada.open("/imports"))
    assert "Running well active People your own 2 succeeded" in listed
    assert "Put aside paused" in listed
    found = text_of(await ada.open("/imports?q=aside"))
    assert "Put aside" in found
    assert "Running well" not in found


async def test_imports_are_shown_as_suspended_without_consent(
    client: Client, world: World, ada: Browser
) -> None:
    made = await world.import_((await world.share())["id"])
    await client.consent(world.tenant, granted=False)
    # A cached token keeps working until it expires, as in reality.
    await client.fault(".*", {"status": 403}, times=1000, tenant=world.tenant)
    await world.next_day()
    await client.clear_faults()
    await ada.sign_in(f"Admin-{world.tenant}")

    assert "suspended: consent was withdrawn" in (await ada.open("/imports")).text
    assert "Grant consent again" in (await ada.open(f"/imports/{made['id']}")).text


async def held_import(world: World, people: int) -> tuple[Json, str]:
    """Return an import and its last run, which is held because only this many people are left."""
    guard = {"deletes": 0, "deleteShare": 0}
    made = await world.import_((await world.share())["id"], guard=guard)
    await world.members(world.people[:people])
    await world.next_day()
    run = await world.last_run(made["id"])
    assert run["status"] == "held"
    return made, run["id"]


@pytest.mark.parametrize("people", [2, 0], ids=["some mailboxes", "the whole run"])
async def test_import_links_to_its_held_run_until_it_is_decided(
    client: Client, world: World, people: int
) -> None:
    made, run = await held_import(world, people)
    at = f"/imports/{made['id']}"
    ada = await browser_of(client, world)
    rita = await browser_of(client, world, "Reader")

    for path in ("/imports", at):
        assert "needs review" in text_of(await ada.open(path)), path
    assert f'class="button main" href="/runs/{run}/decide"' in (await ada.open(at)).text
    assert f'href="/runs/{run}"' in (await rita.open(at)).text
    assert "/decide" not in (await rita.open(at)).text
    await world.api.post(f"/runs/{run}/discard", {}, 200)

    for path in ("/imports", at):
        assert "needs review" not in text_of(await ada.open(path)), path


async def test_pausing_can_be_undone(world: World, ada: Browser) -> None:
    made = await world.import_((await world.share())["id"])
    at = f"/imports/{made['id']}"

    paused = await ada.submit(await ada.open(at), at, do="pause")
    assert (await only_import(world))["active"] is False
    fields = [f for f in paused.text.split("<form") if "Undo" in f]
    assert len(fields) == 1
    again = await ada.submit(paused, at)

    assert (await only_import(world))["active"] is True
    assert "The import is active" in again.text


async def test_paused_import_starts_first_run_when_resumed(
    client: Client, world: World, ada: Browser
) -> None:
    made = await world.import_((await world.share())["id"], active=False)
    at = f"/imports/{made['id']}"

    begun = await ada.submit(await ada.open(at), at, do="resume")
    assert "its first sync has started" in begun.text
    await client.settle()

    assert await world.names(world.targets[0]) == world.expected()


async def test_pages_count_all_mailboxes_after_a_retry(
    client: Client, world: World, ada: Browser
) -> None:
    path = f"/users/{world.targets[0]}/"
    await client.fault(path, {"status": 403, "code": "ErrorAccessDenied"}, times=1000)
    made = await world.import_((await world.share())["id"])
    await world.api.post(f"/runs/{made['firstRun']}/retry", {}, 202)
    await client.settle()
    await client.clear_faults()

    for at in ("/", "/imports"):
        page = (await ada.open(at)).text
        (row,) = re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
        assert re.search(r'"Mailboxes" class="num">2\b', row), at
    deletion = await ada.open(f"/imports/{made['id']}/delete")
    assert "are removed from 1 mailbox." in text_of(deletion)


async def test_import_can_be_run_now_during_the_trial(world: World, ada: Browser) -> None:
    made = await world.import_((await world.share())["id"])
    at = f"/imports/{made['id']}"

    sent = await ada.submit(await ada.open(at), at, follow=False, do="run")

    assert sent.status == 303
    assert sent.headers["location"].startswith("/runs/")
    await world.client.settle()
    assert (await world.last_run(made["id"]))["trigger"] == "request"


async def test_running_now_is_refused_on_the_standard_plan(world: World, ada: Browser) -> None:
    made = await world.import_((await world.share())["id"])
    await world.api.put("/licenses", {"booked": 10})
    await world.days_pass(40)
    await world.client.settle()
    await ada.sign_in(f"Admin-{world.tenant}")
    at = f"/imports/{made['id']}"
    page = await ada.open(at)
    assert "requires the premium plan" in page.text
    assert 'value="run"' not in page.text

    refused = await ada.submit(page, at, do="run")

    assert refused.status == 422
    assert "Starting a sync manually requires the premium plan." in refused.text


async def test_edit_conflict_shows_the_other_change_and_keeps_the_input(
    world: World, ada: Browser
) -> None:
    made = await world.import_((await world.share())["id"])
    at = f"/imports/{made['id']}/edit"
    form = await ada.open(at)
    await world.api.patch(f"/imports/{made['id']}", {"name": "By a colleague"})

    clash = await ada.submit(form, at, do="save", name="Mine", place="default")
    assert clash.status == 422
    assert "By a colleague" in clash.text
    assert ("name", "Mine") in clash.form(at).fields
    saved = await ada.submit(clash, at, do="save")

    assert saved.path == f"/imports/{made['id']}"
    stored = await only_import(world)
    assert (stored["name"], stored["destination"]["folder"]) == ("Mine", None)
    assert stored["targets"] == made["targets"]
    await world.client.settle()


async def test_saving_an_unchanged_form_changes_nothing(world: World, ada: Browser) -> None:
    made = await world.import_(
        (await world.share())["id"],
        settle=False,
        active=False,
        photos={"edge": 100},
        guard={
            "deletes": 3,
            "deleteShare": 0.07,
            "changes": 5,
            "changeShare": 0.125,
            "creates": 7,
            "createShare": 0.25,
        },
        schedule={"everyHours": 5},
        categoryColor=None,
        destination={"folder": None, "category": "Ours"},
        conflicts={"deleted": "respect", "edited": "keep"},
    )
    at = f"/imports/{made['id']}/edit"

    await ada.submit(await ada.open(at), at, do="save")

    stored = await only_import(world)
    assert {**stored, "changed": ""} == {**stored, **_given(made), "changed": ""}


def _given(made: Json) -> dict[str, Any]:
    names = ("targets", "photos", "guard", "schedule", "categoryColor", "destination", "conflicts")
    return {name: made[name] for name in (*names, "active", "name", "shareId")}


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "must be a number between 0 and 100"),
        ("de", "muss eine Zahl zwischen 0 und 100 sein"),
    ],
)
@pytest.mark.parametrize("typed", ["300", "-5", "many"])
async def test_invalid_percentage_is_refused(
    client: Client, world: World, language: str, said: str, typed: str
) -> None:
    made = await world.import_((await world.share())["id"])
    ada = await browser_of(client, world, language=language)
    page = await ada.open(f"/imports/{made['id']}/edit")

    shown = await press(ada, page, "save", delete_share=typed)

    assert shown.status == 422
    assert re.search(rf'id="delete_share-error">{said}<', shown.text)


async def test_negative_number_is_refused(world: World, ada: Browser) -> None:
    made = await world.import_((await world.share())["id"])

    shown = await press(ada, await ada.open(f"/imports/{made['id']}/edit"), "save", deletes="-5")

    assert 'id="deletes-error">must be at least 0<' in shown.text


async def test_targets_are_listed_in_one_sentence(world: World, ada: Browser) -> None:
    made = await world.import_((await world.share())["id"])

    page = await ada.open(f"/imports/{made['id']}")

    told = page.text.partition("Target mailboxes</dt>")[2].partition("</dd>")[0]
    names = [str(world.users[t]["displayName"]) for t in world.targets]
    # A block element would put each comma on its own line.
    assert told.count('<bdi class="cut">') == len(names)
    assert text_of(page).count(", ".join(names)) == 1


async def test_deletion_shows_its_effect_and_leads_to_the_removal_run(
    world: World, ada: Browser
) -> None:
    made = await world.import_((await world.share())["id"])
    at = f"/imports/{made['id']}/delete"

    asked = await ada.open(at)
    assert "are removed from 2 mailboxes. In total: 10 contacts." in text_of(asked)
    sent = await ada.submit(asked, at, follow=False)

    assert sent.headers["location"].startswith("/runs/")
    await world.client.settle()
    assert await world.api.all("/imports") == []
    assert (await ada.open(f"/imports/{made['id']}")).status == 404


async def test_reader_can_view_imports_but_not_change_them(client: Client, world: World) -> None:
    rita = await browser_of(client, world, "Reader")
    made = await world.import_((await world.share())["id"])
    at = f"/imports/{made['id']}"

    page = await rita.open(at)
    assert page.status == 200
    assert 'value="pause"' not in page.text
    assert f"{at}/edit" not in page.text
    for form in ("/imports/new", f"{at}/edit", f"{at}/delete", f"{at}/adopt", f"{at}/preview"):
        assert (await rita.open(form)).status == 403, form
    sent = await rita.open(at, "POST", [*page.form("/sign-out").fields, ("do", "pause")])
    assert sent.status == 403
    assert (await only_import(world))["active"] is True


async def test_foreign_and_unknown_imports_return_404(partner: World, ada: Browser) -> None:
    foreign = await partner.import_((await partner.share())["id"], name="Secret of others")

    for id_ in (foreign["id"], "0" * 32, "nonsense!"):
        for form in ("", "/edit", "/delete", "/adopt", "/preview"):
            page = await ada.open(f"/imports/{id_}{form}")
            assert page.status == 404, (id_, form)
            assert "Secret of others" not in page.text


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", BIDI, "W" * 200])
async def test_hostile_names_are_shown_as_text(world: World, ada: Browser, name: str) -> None:
    for target in world.targets:
        await world.change(target, displayName=name * 2)
    share = await world.share(name=name)
    made = await world.import_(share["id"], name=name, destination={"folder": name[:100]})
    at = f"/imports/{made['id']}"

    for path in ("/imports", at, f"{at}/edit", f"{at}/delete", "/imports/new"):
        page = await ada.open(path)
        assert page.status == 200, path
        assert "<script>alert" not in page.text
        assert html.escape(name) in page.text, path
        if name is BIDI:
            assert re.search(rf"<bdi[^>]*>[^<]*{name}", page.text), path


async def test_import_pages_are_in_german(world: World, ada: Browser) -> None:
    ada.language = "de"
    assert "Noch keine Importe" in (await ada.open("/imports")).text
    made = await world.import_((await world.share())["id"])

    page = await ada.open(f"/imports/{made['id']}")
    assert "Letzte Synchronisierungen" in page.text
    asks = "wenn mehr als 10 oder 20 % der Kontakte gelöscht würden"
    assert asks in text_of(page).replace("\xa0", " ")
    start = await ada.open("/imports/new")
    wrong = await ada.submit(start, "/imports/new", do="next", share="partner", partner="0" * 32)
    assert "Bitte prüfen Sie Ihre Eingaben" in wrong.text
