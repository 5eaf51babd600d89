"""Forms that are sent twice, after going back, or after somebody else: nothing typed is lost."""

import asyncio

import pytest

from tests.end_to_end.browser import Browser, Shown
from tests.end_to_end.portal.test_portal_new_import import go_through
from tests.end_to_end.signed_in import browser_of, press, text_of
from tests.local.client import Client
from tests.world import World

USED = {
    "en": ("You already published a share", "You already created an import"),
    "de": ("Sie haben mit diesem Formular bereits", "Sie haben mit diesem Formular bereits"),
}
CHANGED = {
    "en": "Someone else changed this in the meantime.",
    "de": "Jemand anderes hat dies zwischenzeitlich geändert.",
}


def key_of(page: Shown, action: str) -> str:
    return dict(page.form(action).fields)["key"]


@pytest.mark.parametrize("language", ["en", "de"])
async def test_form_of_a_published_share_publishes_another_after_a_warning(
    client: Client, world: World, language: str
) -> None:
    ada = await browser_of(client, world, language=language)
    page = await ada.open("/shares/new")
    await press(ada, page, "save", name="First", all_users="yes")

    # Back in the browser: the page as it was, with another name.
    told = await press(ada, page, "save", name="Second", all_users="yes")
    assert told.status == 422
    assert USED[language][0] in text_of(told)
    assert "Idempotency" not in told.text
    assert ("name", "Second") in told.form("/shares/new").fields
    assert ("all_users", "yes") in told.form("/shares/new").fields
    assert key_of(told, "/shares/new") != key_of(page, "/shares/new")
    saved = await press(ada, told, "save")

    assert saved.path.startswith("/shares/")
    assert {s["name"] for s in await world.api.all("/shares")} == {"First", "Second"}


@pytest.mark.parametrize("language", ["en", "de"])
async def test_form_of_a_created_import_creates_another_after_a_warning(
    client: Client, world: World, language: str
) -> None:
    share = await world.share()
    ada = await browser_of(client, world)
    last = await go_through(ada, world, share=share["id"])
    await ada.submit(last, "/imports/new", do="create")
    ada.language = language

    told = await ada.submit(last, "/imports/new", do="create", name="Second")
    assert told.status == 422
    assert USED[language][1] in text_of(told)
    assert "Idempotency" not in told.text
    assert ("name", "Second") in told.form("/imports/new").fields
    saved = await ada.submit(told, "/imports/new", do="create")

    assert saved.path.startswith("/runs/")
    assert {i["name"] for i in await world.api.all("/imports")} == {"For the phones", "Second"}


async def test_form_of_a_withdrawn_share_publishes_it_again_after_a_warning(
    world: World, ada: Browser
) -> None:
    page = await ada.open("/shares/new")
    await press(ada, page, "save", name="First", all_users="yes")
    (share,) = await world.api.all("/shares")
    await world.api.delete(f"/shares/{share['id']}")

    told = await press(ada, page, "save", name="First", all_users="yes")
    assert USED["en"][0] in text_of(told)
    await press(ada, told, "save")

    (now,) = await world.api.all("/shares")
    assert (now["name"], now["id"] != share["id"]) == ("First", True)


async def test_form_that_is_sent_twice_at_once_creates_once(world: World, ada: Browser) -> None:
    share = await ada.open("/shares/new")
    await asyncio.gather(
        *(press(ada.copy(), share, "save", name="Once", all_users="yes") for _ in range(2))
    )
    (made,) = await world.api.all("/shares")
    last = await go_through(ada, world, share=made["id"])

    ended = await asyncio.gather(
        *(ada.copy().submit(last, "/imports/new", do="create") for _ in range(2))
    )

    assert len({page.path for page in ended}) == 1
    assert len(await world.api.all("/imports")) == 1


async def test_each_page_of_a_form_has_a_key_of_its_own(world: World, ada: Browser) -> None:
    pages = [await ada.open("/shares/new") for _ in range(2)]
    pages.append(await press(ada, pages[0], "save", name=" "))

    assert len({key_of(page, "/shares/new") for page in pages}) == 3
    assert await world.api.all("/shares") == []


@pytest.mark.parametrize("language", ["en", "de"])
async def test_change_by_somebody_else_is_shown_and_overwritten_by_saving_again(
    client: Client, world: World, language: str
) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    ada = await browser_of(client, world, language=language)
    paths = (f"/shares/{share['id']}", f"/imports/{made['id']}")
    pages = [await ada.open(f"{path}/edit") for path in paths]
    for path in paths:
        await world.api.patch(path, {"name": "Theirs"})

    for path, page in zip(paths, pages, strict=True):
        told = await press(ada, page, "save", name="Mine")
        assert told.status == 422, path
        assert CHANGED[language] in text_of(told)
        assert "Theirs" in text_of(told)
        assert ("name", "Mine") in told.form(page.path).fields
        assert (await world.api.get(path))["name"] == "Theirs"
        await press(ada, told, "save")
        assert (await world.api.get(path))["name"] == "Mine"


async def test_name_of_the_company_is_kept_when_somebody_else_changes_it(
    world: World, ada: Browser
) -> None:
    page = await ada.open("/settings")
    await world.api.patch("/tenant", {"name": "Theirs"})

    told = await press(ada, page, "rename", name="Mine")
    assert told.status == 422
    assert CHANGED["en"] in text_of(told)
    assert "Theirs" in text_of(told)
    assert ("name", "Mine") in told.form("/settings").fields
    await press(ada, told, "rename")

    assert (await world.api.get("/tenant"))["name"] == "Mine"


async def test_booking_shows_what_it_changes_after_somebody_else_has_booked(
    world: World, ada: Browser
) -> None:
    page = await press(ada, await ada.open("/licenses/book"), "show", booked="2")
    await world.api.put("/licenses", {"booked": 7})

    told = await press(ada, page, "book")
    assert told.status == 422
    assert CHANGED["en"] in text_of(told)
    assert ("booked", "2") in told.form("/licenses/book").fields
    assert "Cancel 5 licenses" in told.text
    await press(ada, told, "book")

    assert (await world.api.get("/licenses"))["booked"] == 2


async def test_share_that_changed_meanwhile_is_withdrawn_after_a_second_look(
    world: World, ada: Browser
) -> None:
    share = await world.share()
    at = f"/shares/{share['id']}/withdraw"
    page = await ada.open(at)
    await world.api.patch(f"/shares/{share['id']}", {"name": "Theirs"})

    told = await ada.submit(page, at)
    assert told.status == 422
    assert CHANGED["en"] in text_of(told)
    await ada.submit(told, at)

    assert await world.api.all("/shares") == []
