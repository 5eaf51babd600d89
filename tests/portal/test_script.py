"""The portal's script, on small pages of these tests that load the real one."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Dialog, Page, Route, expect

from shared.portal import rendering
from tests.portal.browser.person import Person
from tests.portal.conftest import NewPerson

PATH = "/live"
LIVE = '<section id="progress" data-live="0.05">{}</section>'
ENDED = '<section id="progress">ended</section>'


def document(body: str) -> str:
    return (
        '<!doctype html><html lang="en"><title>Test</title><link rel="icon" href="data:,">'
        f'<script src="{rendering.asset("portal.js")}" defer></script><body>{body}'
    )


async def answers(page: Page, *told: tuple[int, str]) -> None:
    """Answer requests for the page with these in turn, then with the last."""
    waiting: Iterator[tuple[int, str]] = iter(told)
    last = told[-1]

    async def answer(route: Route) -> None:
        status, body = next(waiting, last)
        await route.fulfill(status=status, body=document(body), content_type="text/html")

    await page.route(f"**{PATH}", answer)


async def test_live_part_is_updated_until_it_ends(person: Person) -> None:
    await answers(
        person.page,
        (200, LIVE.format("1 of 2")),
        (200, LIVE.format("2 of 2")),
        (200, ENDED),
    )

    await person.page.goto(PATH)

    await expect(person.page.locator("#progress")).to_have_text("ended")


async def test_input_on_a_live_page_is_kept(person: Person) -> None:
    field = '<div id="list"><input id="q"></div>'
    going = '<section id="progress" data-live="0.05" data-with="list">{}</section>' + field
    await answers(
        person.page, (200, going.format("1 of 2")), (200, going.format("2 of 2")), (200, ENDED)
    )

    await person.page.goto(PATH)
    await person.page.locator("#q").press_sequentially("person4")

    await expect(person.page.locator("#progress")).to_have_text("ended")
    await expect(person.page.locator("#q")).to_have_value("person4")
    await expect(person.page.locator("#q")).to_be_focused()


async def test_title_of_a_live_page_is_updated(person: Person) -> None:
    await answers(person.page, (200, LIVE.format("1 of 2")), (200, ENDED))
    # Before the page asks for news: a busy machine may be late with anything after that.
    older = "addEventListener('DOMContentLoaded', () => { document.title = 'older' })"
    await person.page.add_init_script(older)
    await person.page.goto(PATH)

    await expect(person.page).to_have_title("Test")


async def test_live_updates_continue_after_a_failed_answer(person: Person) -> None:
    person.expects(503)
    await answers(person.page, (200, LIVE.format("1 of 2")), (503, "unavailable"), (200, ENDED))

    await person.page.goto(PATH)

    await expect(person.page.locator("#progress")).to_have_text("ended")


async def test_live_page_asks_to_sign_in_after_sign_out(person: Person) -> None:
    person.expects(401)
    await answers(person.page, (200, LIVE.format("1 of 2")), (401, "<h1>Sign in</h1>"))

    await person.page.goto(PATH)

    await expect(person.page.get_by_role("heading")).to_have_text("Sign in")


@pytest.mark.parametrize(
    ("language", "shown"), [("en", "24 Nov 2026, 15:04"), ("de", "24.11.2026, 15:04")]
)
async def test_times_are_formatted_as_the_server_formats_them(
    person: Person, language: str, shown: str
) -> None:
    body = '<time datetime="2026-11-24T15:04:00">on the server</time>'
    page = document(body).replace('lang="en"', f'lang="{language}"')
    await person.page.route(
        f"**{PATH}", lambda route: route.fulfill(body=page, content_type="text/html")
    )

    await person.page.goto(PATH)

    await expect(person.page.locator("time")).to_have_text(shown)
    await expect(person.page.locator("time")).to_have_attribute("title", "on the server")


@pytest.mark.parametrize("script", ["script", "no script"])
async def test_menu_opens_on_a_phone_and_is_always_open_on_a_desktop(
    new_person: NewPerson, script: str
) -> None:
    person = await new_person(
        java_script_enabled=script == "script", viewport={"width": 360, "height": 740}
    )
    await person.page.route(
        f"**{PATH}", lambda route: route.fulfill(body=inside(), content_type="text/html")
    )
    await person.page.goto(PATH)
    shares = person.page.get_by_role("link", name="Shares", exact=True)

    await expect(shares).to_be_hidden()
    await person.page.locator("summary", has_text="Menu").click()
    await expect(shares).to_be_visible()
    await person.page.reload()
    await person.page.set_viewport_size({"width": 1280, "height": 800})
    await expect(shares).to_be_visible()


async def test_slash_leads_to_the_box_that_finds_everything(new_person: NewPerson) -> None:
    person = await new_person(viewport={"width": 360, "height": 740})
    await person.page.route(
        f"**{PATH}", lambda route: route.fulfill(body=inside(), content_type="text/html")
    )
    await person.page.goto(PATH)

    await person.page.keyboard.press("/")

    await expect(person.page.locator("#everywhere")).to_be_focused()
    await person.page.keyboard.type("1/2")
    await expect(person.page.locator("#everywhere")).to_have_value("1/2")


async def test_browser_asks_before_typed_text_is_left(person: Person) -> None:
    page = person.page
    asked: list[str] = []

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    form = (
        '<form method="post" data-guard><input name="name" value="before"><button>Save</button>'
        "</form>"
    )
    await answers(page, (200, form))
    page.on("dialog", stay)
    await page.goto(PATH)
    await page.reload()

    await page.locator("input").fill("after")
    await page.evaluate("location.reload()")
    await expect(page.locator("input")).to_have_value("after")
    await page.get_by_role("button").click()
    await expect(page.locator("input")).to_have_value("before")

    assert asked == ["beforeunload"]


def inside() -> str:
    """Return a page as a signed-in person sees it."""
    page = {
        "language": "en",
        "path": "/",
        "area": "",
        "caller": {"name": "Ada", "oid": "o", "tenant": "t"},
        "may_write": True,
        "company": "Contoso",
        "token": "",
        "notice": None,
        "support": "",
    }
    return rendering.render("sign_in/needed", "en", page=page, to="/")
