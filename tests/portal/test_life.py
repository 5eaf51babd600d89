"""An admin's work in a real browser: in German, by keyboard, and without scripts.

WALK_LANGUAGES sets the languages of the whole walk.
"""

import os
import re
from uuid import uuid4

import pytest
from playwright.async_api import Locator, Page, expect

from tests.local.client import Client
from tests.portal.browser.person import Person
from tests.portal.browser.signing_in import sign_in, start_signed_in
from tests.portal.conftest import NewPerson
from tests.world import World

LANGUAGES = os.environ.get("WALK_LANGUAGES", "de").split()
GLOBAL_ADMIN = "62e90394-69f5-4237-9190-012177145e10"
SAID = {
    "en": {
        "connected": "Your organization is connected",
        "published": "The share is published",
        "preview": "3 contacts",
        "created": "The import is created",
        "booked": "2 licenses are booked",
        "succeeded": "succeeded",
        "seat": "license assigned",
        "renamed": "Partners see the new name",
        "out": "Know who is calling",
    },
    "de": {
        "connected": "Ihre Organisation ist verbunden",
        "published": "Die Freigabe ist veröffentlicht",
        "preview": "3 Kontakte",
        "created": "Der Import ist erstellt",
        "booked": "2 Lizenzen sind gebucht",
        "succeeded": "erfolgreich",
        "seat": "Lizenz zugewiesen",
        "renamed": "Partner sehen ab jetzt den neuen Namen",
        "out": "Wissen, wer anruft",
    },
}


async def new_tenant(client: Client) -> World:
    """Return a tenant that has not joined, with an admin that Entra ID knows."""
    world = await World.create(client, people=3, targets=2)
    await client.consent(world.tenant, granted=False)
    ada = {"oid": f"ada-{world.tenant}", "name": "Ada Admin", "wids": [GLOBAL_ADMIN]}
    await client.know(world.tenant, "Contoso", ada)
    return world


def button(page: Page, do: str) -> Locator:
    return page.locator(f"main button[name=do][value='{do}']").first


async def join(page: Page, world: World) -> None:
    await page.goto("/")
    await page.locator("form[action='/sign-in'] button").click()
    await page.locator(f"a[href*='login_hint=ada-{world.tenant}']").click()
    await page.locator("form[action='/consent'] button").click()
    await page.get_by_role("link", name=re.compile("Accept")).click()


async def publish(page: Page, world: World, preview: str) -> None:
    await page.locator("main a[href='/shares/new']").click()
    await page.locator("#name").fill("Our people")
    await page.locator("#search").fill("Shar")
    await button(page, f"add-group:{world.group}").click()
    await expect(page.locator(f"#chosen input[value='{world.group}']")).to_be_attached()
    await page.locator("#preview button").click()
    await expect(page.locator("#preview")).to_contain_text(preview)
    await page.locator("button.main[value=save]").click()


async def create_import(page: Page, world: World) -> None:
    await page.locator("main a[href*='/imports/new']").first.click()
    for number, target in enumerate(world.targets, 1):
        await page.locator("#q").fill(str(world.users[target]["mail"]))
        await page.locator(f"#results button[value*='{target}']").first.click()
        await expect(page.locator(".chip")).to_have_count(number)
    await button(page, "next").click()
    await page.locator("#name").fill("For the phones")
    await button(page, "create").click()


async def book(page: Page, seats: int) -> None:
    await page.goto("/licenses/book")
    await page.locator("#booked").fill(str(seats))
    await expect(page.locator("#effect h2")).to_be_visible()
    await button(page, "book").click()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_admin_joins_publishes_imports_books_and_deletes(
    client: Client, new_person: NewPerson, language: str
) -> None:
    said, world = SAID[language], await new_tenant(client)
    page = (await new_person(locale=language)).page
    main = page.locator("main")

    await join(page, world)
    await expect(main).to_contain_text(said["connected"])
    await publish(page, world, said["preview"])
    await expect(main).to_contain_text(said["published"])
    await expect(page.locator("button[data-copy]")).to_have_count(2)
    await create_import(page, world)
    await expect(main).to_contain_text(said["created"])
    (made,) = await world.api.all("/imports")

    await page.goto("/runs")
    await page.locator("tbody th a").first.click()
    await expect(page.locator("#progress")).to_contain_text(said["succeeded"], timeout=30_000)
    await expect(page.locator("#results tbody tr")).to_have_count(2)
    await client.settle()
    assert await world.names(world.targets[0]) == world.expected()

    await book(page, 2)
    await expect(main).to_contain_text(said["booked"])
    await page.locator(f"main a[href='/find/{world.targets[0]}']").click()
    await expect(main).to_contain_text(said["seat"])
    await page.goto("/settings")
    await page.locator("#name").fill("Contoso & Söhne")
    await button(page, "rename").click()
    await expect(main).to_contain_text(said["renamed"])
    await expect(page.locator(".company")).to_have_text("Contoso & Söhne")

    for path in (f"/shares/{made['shareId']}/withdraw", f"/imports/{made['id']}/delete"):
        await page.goto(path)
        await page.locator("main form button.danger").first.click()
        await expect(page.locator("main [role=status]")).to_be_visible()
    await client.settle()
    assert await world.names(world.targets[0]) == []
    await page.locator("form[action='/sign-out'] button").click()
    await expect(page.locator("h1")).to_have_text(said["out"])


async def press_to(page: Page, selector: str, key: str = "Enter") -> None:
    """Tab to an element, check that its focus is visible, and press a key."""
    for _ in range(80):
        await page.keyboard.press("Tab")
        if await page.evaluate("s => document.activeElement?.matches(s) ?? false", selector):
            break
    focused = page.locator(selector).and_(page.locator(":focus-visible"))
    await expect(focused.first).to_be_visible()
    assert await focused.first.evaluate("e => getComputedStyle(e).outlineStyle") != "none"
    await page.keyboard.press(key)


async def test_share_is_published_by_keyboard_only(world: World, person: Person) -> None:
    page = person.page
    await sign_in(page, world)

    await press_to(page, "a.skip")
    await press_to(page, "main a[href='/shares/new']")
    await page.wait_for_url("**/shares/new")
    await press_to(page, "#name", "K")
    await page.keyboard.type("eyboard")
    await press_to(page, "#search", "S")
    await page.keyboard.type("hared")
    await expect(page.locator("#results button").first).to_be_visible()
    await press_to(page, f"button[value='add-group:{world.group}']")
    await expect(page.locator(f"#chosen input[value='{world.group}']")).to_be_attached()
    await press_to(page, "button.main[value=save]")
    await page.wait_for_url(re.compile(r"/shares/[0-9a-f]+$"))

    (share,) = await world.api.all("/shares")
    assert share["name"] == "Keyboard"


async def test_import_approval_and_booking_work_by_keyboard_only(
    client: Client, world: World, person: Person
) -> None:
    await world.share()
    page = await start_signed_in(person, world)
    await page.goto("/")

    await press_to(page, "main a[href='/imports/new']")
    await page.wait_for_url("**/imports/new")
    await press_to(page, "button[value^='pick:']")
    await expect(page.locator("#q")).to_be_visible()
    await press_to(page, "#q", "S")
    await page.keyboard.type("hared")
    await page.keyboard.press("Enter")
    await expect(page.locator("#results button").first).to_be_visible()
    await press_to(page, f"button[value='add:groups:{world.group}']")
    await expect(page.locator(".chip")).to_have_count(1)
    await press_to(page, "button[value=next]")
    await expect(page.locator("#folder")).to_be_visible()
    await press_to(page, "#folder", "End")
    await page.keyboard.press("Enter")
    await expect(page.locator("button[value=create]")).to_be_visible()
    await press_to(page, "button[value=create]")
    await page.wait_for_url(re.compile(r"/runs/[0-9a-f-]+$"))
    await page.goto("/imports")
    await client.settle()
    (made,) = await world.api.all("/imports")
    assert await world.names(world.people[0]) == world.expected()

    guard = {"guard": {"deletes": 0, "deleteShare": 0}, "targets": {"users": world.targets}}
    await world.api.patch(f"/imports/{made['id']}", guard)
    await world.next_day()
    await world.members(world.people[:3])
    await world.next_day()
    await page.context.clear_cookies(name="__Host-session")
    await sign_in(page, world)
    await press_to(page, "main a[href$='/decide']")
    await page.wait_for_url("**/decide")
    await press_to(page, "main button[value=approve]")
    await expect(page.locator("main")).to_contain_text("Approved. The sync continues.")
    await client.settle()
    assert await world.names(world.targets[0]) == world.expected()

    await press_to(page, "nav a[href='/licenses']")
    await page.wait_for_url("**/licenses")
    await press_to(page, "main a[href='/licenses/book']")
    await page.wait_for_url("**/licenses/book")
    await press_to(page, "#booked", "ControlOrMeta+A")
    await page.keyboard.type("2")
    await page.keyboard.press("Enter")
    await expect(page.locator("#effect h2")).to_be_visible()
    assert (await world.api.get("/licenses"))["booked"] == 0
    await press_to(page, "button[value=book]")
    await expect(page.locator("main")).to_contain_text("2 licenses are booked")
    assert (await world.api.get("/licenses"))["booked"] == 2


async def test_share_is_published_without_scripts(new_person: NewPerson, world: World) -> None:
    ada = await new_person(java_script_enabled=False)
    page = await start_signed_in(ada, world)

    await page.goto("/shares/new")
    await page.locator("#name").fill("Plain")
    await page.locator("#search").fill("Shared")
    await button(page, "search").click()
    await button(page, f"add-group:{world.group}").click()
    await page.locator("button.main[value=save]").click()

    (share,) = await world.api.all("/shares")
    assert share["name"] == "Plain"


async def test_enter_key_shows_the_effect_of_a_booking_and_books_nothing(
    new_person: NewPerson, world: World
) -> None:
    page = await start_signed_in(await new_person(java_script_enabled=False), world)

    await page.goto("/licenses/book")
    await page.locator("#booked").fill("3")
    await page.locator("#booked").press("Enter")

    await expect(page.locator("#effect h2")).to_be_visible()
    assert (await world.api.get("/licenses"))["booked"] == 0


async def test_run_page_updates_by_itself(client: Client, world: World, person: Person) -> None:
    path = f"/users/{world.targets[0]}"
    await client.fault(path, {"status": 503}, times=1000)
    run = (await world.import_((await world.share())["id"], settle=False))["firstRun"]
    await start_signed_in(person, world)
    await person.page.goto(f"/runs/{run}")
    await expect(person.page.locator("progress")).to_be_visible(timeout=20_000)

    await client.clear_faults()

    await expect(person.page.locator("#progress")).to_contain_text("succeeded", timeout=60_000)
    await expect(person.page.locator("#progress[data-live]")).to_have_count(0)


async def test_input_survives_the_end_of_a_session(world: World, person: Person) -> None:
    page = await start_signed_in(person, world)
    await page.goto("/settings")
    await page.locator("#name").fill(f"Typed {uuid4().hex}")
    typed = await page.locator("#name").input_value()
    await person.context.clear_cookies(name="__Host-session")
    person.expects(401)

    await button(page, "rename").click()
    async with person.context.expect_page() as opened:
        await page.locator("form[action='/sign-in'] button").click()
    other = await opened.value
    await other.locator(f"a[href*='{world.tenant}']").first.click()
    await expect(other.locator("h1")).to_have_text("You are signed in again")
    await page.locator("form[action='/settings'] button").click()

    await expect(page.locator(".company")).to_have_text(typed)
    assert (await world.api.get("/tenant"))["name"] == typed
