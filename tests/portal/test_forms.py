"""Forms that update parts while one types: input is kept, and keys do what they should."""

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, Route, expect

from tests.local.client import Client
from tests.portal.browser.person import Person
from tests.portal.browser.signing_in import start_signed_in
from tests.portal.conftest import NewPerson
from tests.world import World

AWAY = "Microsoft 365 isn't responding right now."
NO_ANSWER = "We couldn't reach the server. Your entries are kept"


@pytest.fixture
async def page(person: Person, world: World) -> Page:
    """The page of a signed-in admin of the world's tenant."""
    return await start_signed_in(person, world)


async def focused(page: Page) -> str:
    """Return the value (of a button) or the id of the focused element."""
    return str(await page.evaluate("document.activeElement.value || document.activeElement.id"))


async def instead_of_posts(
    page: Page, path: str, answer: Callable[[Route], Awaitable[None]]
) -> None:
    async def route(asked: Route) -> None:
        await (answer(asked) if asked.request.method == "POST" else asked.continue_())

    await page.route(f"**{path}", route)


async def search(page: Page, text: str) -> None:
    await page.locator("#search").fill(text)
    await expect(page.locator("#results button").first).to_be_visible()


async def test_search_without_microsoft_says_so_and_keeps_the_input(
    client: Client, world: World, page: Page
) -> None:
    await page.goto(f"/shares/{(await world.share())['id']}/edit")
    await page.locator("#name").fill("Typed")
    await client.fault(".*", {"status": 503}, times=1000, tenant=world.tenant)

    await page.locator("#search").fill("Ali")

    await expect(page.locator("#results")).to_contain_text(AWAY)
    await expect(page.locator("#name")).to_have_value("Typed")


@pytest.mark.parametrize("status", [429, 503, None], ids=["too fast", "unavailable", "no network"])
async def test_failed_search_is_reported_and_keeps_the_input(
    page: Page, person: Person, status: int | None
) -> None:
    person.expects(429, 503)
    await page.goto("/shares/new")
    await page.locator("#name").fill("Typed")

    async def refuse(route: Route) -> None:
        if status is None:
            await route.abort("internetdisconnected")
        else:
            await route.fulfill(status=status, body="<h1>no</h1>", content_type="text/html")

    await instead_of_posts(page, "/shares/new", refuse)
    await page.locator("#search").fill("Ali")

    await expect(page.locator("#results")).to_contain_text(NO_ANSWER)
    await expect(page.locator("#name")).to_have_value("Typed")
    await expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")
    person.troubles.clear()


async def test_focus_stays_on_the_button_that_updated_a_part(world: World, page: Page) -> None:
    await page.goto(f"/shares/{(await world.share())['id']}/edit")

    await page.get_by_role("button", name="Show the preview").press("Enter")
    await expect(page.locator("#preview")).to_contain_text("5 contacts")
    assert await focused(page) == "preview"
    everybody = page.locator("input[name=all_users]")
    await everybody.click()
    await expect(everybody).to_be_checked()

    await page.locator("#manual-contacts summary").click()
    await page.locator("#typed-displayName").fill("Hotline")
    await page.locator("#typed-businessPhone").fill("1")
    await page.get_by_role("button", name="Add this contact").press("Enter")
    await expect(page.locator("#manual-contacts .found")).to_contain_text("Hotline")
    assert await focused(page) == "add-contact"


async def test_focus_stays_near_a_removed_item(world: World, page: Page) -> None:
    await page.goto("/shares/new")
    await search(page, "Person 5")
    await page.locator(f"button[value='add-user:{world.targets[0]}']").click()

    await page.locator(".chip button").press("Enter")

    await expect(page.locator(".chip")).to_have_count(0)
    assert await focused(page) == "chosen"
    assert await page.locator(":focus-visible").count() == 1


async def test_people_added_in_quick_succession_are_all_added(world: World, page: Page) -> None:
    await page.goto("/shares/new")
    await search(page, "Person")

    for person in world.people[:3]:
        await page.locator(f"button[value='add-user:{person}']").click()

    await expect(page.locator(".chip")).to_have_count(3)


@pytest.mark.parametrize("script", ["script", "no script"])
async def test_enter_key_searches_in_search_fields_and_saves_in_others(
    new_person: NewPerson, world: World, script: str
) -> None:
    page = await start_signed_in(await new_person(java_script_enabled=script == "script"), world)
    share = await world.share()
    made = await world.import_(share["id"])

    await page.goto("/shares/new")
    await page.locator("#search").fill("Shared")
    await page.locator("#search").press("Enter")
    await expect(page.locator("#results")).to_contain_text("Shared")
    await expect(page.locator("[data-summary]")).to_have_count(0)
    await page.locator(f"button[value='add-group:{world.group}']").click()
    await expect(page.locator("#chosen input[name=group]")).to_be_attached()
    await page.locator("#name").fill("By the Enter key")
    await page.locator("#name").press("Enter")
    await page.wait_for_url(re.compile(r"/shares/[0-9a-f]+$"))

    await page.goto(f"/imports/{made['id']}/edit")
    await page.locator("#q").fill("Person 1")
    await page.locator("#q").press("Enter")
    await expect(page.locator("#results")).to_contain_text("Person 1")
    await page.locator("#name").fill("Renamed")
    await page.locator("#name").press("Enter")
    await page.wait_for_url(f"**/imports/{made['id']}")

    assert {each["name"] for each in await world.api.all("/shares")} == {
        "People",
        "By the Enter key",
    }
    assert (await world.api.get(f"/imports/{made['id']}"))["name"] == "Renamed"


@pytest.mark.parametrize("script", ["script", "no script"])
async def test_enter_key_searches_in_the_steps_of_a_new_import(
    new_person: NewPerson, world: World, script: str
) -> None:
    page = await start_signed_in(await new_person(java_script_enabled=script == "script"), world)
    share = await world.share()
    mailbox = str(world.users[world.targets[0]]["mail"])
    await page.goto(f"/imports/new?share={share['id']}")

    await page.locator("#q").fill(mailbox)
    await page.locator("#q").press("Enter")
    await page.locator(f"button[value='add:users:{world.targets[0]}']").click()
    await page.locator("button[value=next]").click()
    await page.locator("#name").press("Enter")
    await expect(page.locator("button[value=create]")).to_be_visible()
    await page.locator("#q").fill(mailbox)
    await page.locator("#q").press("Enter")

    await expect(page.locator(f"button[value='preview:users:{world.targets[0]}']")).to_be_visible()
    assert await world.api.all("/imports") == []


async def test_enter_key_adds_a_manual_contact_and_publishes_nothing(
    world: World, page: Page
) -> None:
    await page.goto("/shares/new")
    await page.locator("#name").fill("Help")
    await page.locator("#manual-contacts summary").click()
    await page.locator("#typed-businessPhone").fill("1")
    await page.locator("#typed-displayName").fill("Hotline")

    await page.locator("#typed-displayName").press("Enter")

    await expect(page.locator("#manual-contacts .found")).to_contain_text("Hotline")
    assert await focused(page) == "typed-displayName"
    assert await world.api.all("/shares") == []


async def test_share_preview_follows_the_selection(world: World, page: Page) -> None:
    preview = page.locator("#preview")
    await page.goto("/shares/new")

    await search(page, "Shared")
    await page.locator(f"button[value='add-group:{world.group}']").click()
    await expect(preview).to_contain_text("5 contacts")
    await search(page, "Person 1")
    await page.locator(f"button[value='leave-out:{world.people[1]}']").click()
    await expect(preview).to_contain_text("4 contacts")
    await expect(preview).to_contain_text("1 not included")
    await page.locator("input[name=all_users]").check()
    await expect(preview).to_have_attribute("aria-busy", "true")
    await expect(preview).to_contain_text("6 contacts")
    await expect(preview).not_to_have_attribute("aria-busy", "true")


@pytest.mark.parametrize("script", ["script", "no script"])
async def test_switching_the_language_keeps_the_input(
    new_person: NewPerson, world: World, script: str
) -> None:
    page = await start_signed_in(await new_person(java_script_enabled=script == "script"), world)
    share = await world.share()
    await page.goto(f"/imports/new?share={share['id']}")
    await page.locator("#q").fill("Shared")
    await page.locator("button[value=search]").click()
    await page.locator(f"button[value='add:groups:{world.group}']").click()
    await page.locator("button[value=next]").click()
    await page.locator("#name").fill("Typed, and not sent yet")

    await page.get_by_role("button", name="Deutsch").click()
    await expect(page.locator("html")).to_have_attribute("lang", "de")
    await expect(page.locator("#name")).to_have_value("Typed, and not sent yet")
    await page.locator("#name").press("Enter")
    await expect(page.locator("#name")).to_have_value("Typed, and not sent yet")
    await expect(page.locator("main")).to_contain_text("Shared")

    await page.goto(f"/shares/{share['id']}/edit")
    await page.locator("#name").fill("Anders")
    await page.get_by_role("button", name="English").click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await expect(page.locator("#name")).to_have_value("Anders")
    assert (await world.api.get(f"/shares/{share['id']}"))["name"] == share["name"]
    assert await world.api.all("/imports") == []


async def test_target_search_reads_no_members_of_chosen_groups(
    client: Client, world: World, page: Page
) -> None:
    share = await world.share()
    made = await world.import_(share["id"], targets={"groups": [world.group]})
    await page.goto(f"/imports/new?share={share['id']}")
    await page.locator("#q").fill("Shared")
    await page.locator(f"button[value='add:groups:{world.group}']").click()
    await expect(page.locator("#chosen")).to_contain_text("This import has 5 target mailboxes.")
    await client.reset_requests()

    await page.locator("#q").fill("Person 1")
    await expect(page.locator("#results")).to_contain_text("Person 1")
    await page.goto(f"/imports/{made['id']}/edit")
    await page.locator("#q").fill("Person 2")
    await expect(page.locator("#results")).to_contain_text("Person 2")
    await expect(page.locator("#chosen")).to_contain_text("Shared")

    asked = str((await client.requests())["tenants"][world.tenant])
    assert "/users" in asked
    assert "embers" not in asked


async def test_links_and_buttons_are_busy_until_the_next_page_loads(page: Page) -> None:
    async def nothing(route: Route) -> None:
        await route.fulfill(status=204)

    await page.goto("/find")
    await page.route("**/find?q=*", nothing)
    await page.route("**/runs", nothing)

    await page.locator("#q").fill("Person")
    await page.locator("#q").press("Enter")
    await expect(page.locator("main form button")).to_have_attribute("aria-busy", "true")
    await page.locator("nav a[href='/runs']").click()
    await expect(page.locator("nav a[href='/runs']")).to_have_attribute("aria-busy", "true")
    await page.goto("/licenses")
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)


async def test_download_has_a_file_name_and_its_link_is_busy_meanwhile(
    world: World, page: Page
) -> None:
    made = await world.import_((await world.share())["id"])
    await page.goto(f"/runs/{made['firstRun']}")

    async def later(route: Route) -> None:
        await page.wait_for_timeout(1_500)
        await route.continue_()

    await page.route("**/results.csv", later)
    link = page.get_by_role("link", name="Download as CSV")

    async with page.expect_download() as stored:
        await link.click()
        await expect(link).to_have_attribute("aria-busy", "true")

    assert (await stored.value).suggested_filename == "contact-sync-results.csv"
    await expect(link).not_to_have_attribute("aria-busy", "true")


async def test_mailboxes_of_a_person_load_after_the_page(world: World, page: Page) -> None:
    await world.import_((await world.share())["id"])

    await page.goto(f"/find/{world.people[0]}/everywhere")

    await expect(page.locator("#where")).to_contain_text("2 mailboxes")
    await expect(page.locator("#where")).not_to_have_attribute("aria-busy", "true")
