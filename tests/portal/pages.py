"""Every page of the portal, for screenshots, checks and measurements.

A page needs a `Look` of its own only if it needs preparation or a query: every other route gets a
plain one, so whatever visits all pages visits new pages as well.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from playwright.async_api import Page, expect

from tests import app_functions
from tests.local.client import Json

type Ids = Mapping[str, str]
type Preparation = Callable[[Page, Ids], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Look:
    """A page to look at: its name (also used for files) and its path, with ids in braces.

    Ids are `{share}`, `{import}`, `{run}`, `{mailbox}` (a target of the import), `{person}`
    (a published one), `{tenant}`. The page answers with `status`. `prepare` first does what a
    person would do on the page (it may end as 422) and changes nothing that another look shows.
    """

    name: str
    path: str
    signed_in: bool = True
    status: int = 200
    prepare: Preparation | None = None

    def at(self, ids: Ids) -> str:
        """Return the path with these ids."""
        return self.path.format_map(ids)

    async def open(self, page: Page, ids: Ids) -> None:
        """Open the page and wait until it is shown."""
        answer = await page.goto(self.at(ids))
        assert answer is not None
        assert answer.status == self.status, self.path
        if self.prepare is not None:
            await self.prepare(page, ids)
        await expect(page.locator("h1").first).to_be_visible()


def ids_of(made: Json, *, tenant: str, mailbox: str, person: str) -> dict[str, str]:
    """Return the ids of a tenant that has an import."""
    return {
        "share": made["shareId"],
        "import": made["id"],
        "run": made["firstRun"],
        "mailbox": mailbox,
        "person": person,
        "tenant": tenant,
    }


async def _search_shares(page: Page, ids: Ids) -> None:
    del ids
    await page.locator("#search").fill("a")
    await expect(page.locator("#results li, #results p").first).to_be_visible()


async def _publish_nobody(page: Page, ids: Ids) -> None:
    del ids
    await page.locator("button[value=save]").click()
    await expect(page.locator("[data-summary]")).to_be_visible()


async def _book_none(page: Page, ids: Ids) -> None:
    del ids
    await (
        page.get_by_role("button", name="Show the effect")
        .or_(page.get_by_role("button", name="Auswirkungen anzeigen"))
        .click()
    )
    await expect(page.locator("#effect h2")).to_be_visible()


async def _press(page: Page, do: str) -> None:
    await page.locator(f"form.card button[name=do][value='{do}']").first.click()


async def _import_targets(page: Page, ids: Ids) -> None:
    del ids
    await page.locator("#q").fill("a")
    await expect(page.locator("#results li, #results p").first).to_be_visible()


async def _import_nobody(page: Page, ids: Ids) -> None:
    del ids
    await _press(page, "next")
    await expect(page.locator("[data-summary]")).to_be_visible()


async def _import_settings(page: Page, ids: Ids) -> None:
    await page.locator("#q").fill(ids["mailbox"])
    await page.locator("#results button").first.click()
    await expect(page.locator(".chip")).to_be_visible()
    await _press(page, "next")
    await page.locator("details.more > summary").click()
    await expect(page.locator("#photos")).to_be_visible()


async def _import_check(page: Page, ids: Ids) -> None:
    await _import_settings(page, ids)
    await page.locator("#name").fill("For the phones of sales")
    await page.locator("details.help > summary").first.click()
    await page.locator("#results button").first.click()
    await expect(page.locator("#results table")).to_be_visible()


async def _look_everywhere(page: Page, ids: Ids) -> None:
    del ids
    await expect(page.locator("#where .card").first).to_be_visible()


_CHOSEN: tuple[Look, ...] = (
    Look("start-signed-out", "/", signed_in=False),
    Look("start", "/"),
    Look("sign-in-needed", "/consented", signed_in=False, status=401),
    Look("problem", "/signed-in?code=x&state=y", signed_in=False, status=403),
    Look("signed-in-again", "/signed-in-again"),
    Look("consent", "/consent"),
    Look("shares", "/shares"),
    Look("shares-new", "/shares/new"),
    Look("share", "/shares/{share}"),
    Look("share-preview", "/shares/{share}?preview=now"),
    Look("share-edit", "/shares/{share}/edit"),
    Look("share-search", "/shares/new", prepare=_search_shares),
    Look("share-wrong", "/shares/new", prepare=_publish_nobody),
    Look("share-rotate", "/shares/{share}/rotate"),
    Look("share-withdraw", "/shares/{share}/withdraw"),
    Look("share-subscriber", "/shares/{share}/subscribers/{tenant}"),
    Look("runs", "/runs"),
    Look("runs-filtered", "/runs?status=failed"),
    Look("run", "/runs/{run}"),
    Look("run-decide", "/runs/{run}/decide"),
    Look("find", "/find"),
    Look("find-candidates", "/find?q=a"),
    Look("find-mailbox", "/find/{mailbox}"),
    Look("find-why", "/find/{mailbox}?person={person}"),
    Look("find-person", "/find/{person}/everywhere", prepare=_look_everywhere),
    Look("find-remove", "/find/{person}/remove"),
    Look("imports", "/imports"),
    Look("imports-none", "/imports?q=nothing-is-called-so"),
    Look("unknown", "/nothing/here", status=404),
    Look("import-new", "/imports/new"),
    Look("import-new-targets", "/imports/new?share={share}", prepare=_import_targets),
    Look("import-new-nobody", "/imports/new?share={share}", prepare=_import_nobody),
    Look("import-new-settings", "/imports/new?share={share}", prepare=_import_settings),
    Look("import-new-check", "/imports/new?share={share}", prepare=_import_check),
    Look("import", "/imports/{import}"),
    Look("import-edit", "/imports/{import}/edit"),
    Look("import-delete", "/imports/{import}/delete"),
    Look("import-preview", "/imports/{import}/preview?mailbox={mailbox}"),
    Look("import-adopt", "/imports/{import}/adopt?mailbox={mailbox}"),
    Look("licenses", "/licenses"),
    Look("licenses-book", "/licenses/book"),
    Look("licenses-effect", "/licenses/book", prepare=_book_none),
    Look("settings", "/settings"),
    Look("audit", "/settings/audit"),
    Look("export", "/settings/export"),
    Look("leave", "/settings/leave"),
)

_IDS = {"shares": "share", "imports": "import", "runs": "run", "find": "mailbox"}
"""What `{id}` is below each area."""
_NO_PAGES = {
    "consented",
    "signed-in",
    "runs/{id}/results.csv",
    "settings/audit.csv",
    "settings/export.json",
    "{*unknown}",
    "help/{tenant}/{key}",
}
"""Redirects of Entra ID, and files."""


def _path(route: str) -> str:
    """The path of a look at a route."""
    if route.startswith("{nothing"):
        return "/"
    return "/" + route.replace("{id}", "{" + _IDS.get(route.split("/", maxsplit=1)[0], "id") + "}")


def _others() -> tuple[Look, ...]:
    """Plain looks at the pages that no chosen look shows."""
    shown = {re.sub(r"\{\w+\}", "{}", look.path.partition("?")[0]) for look in _CHOSEN}
    pages = {r.path for r in app_functions.PAGES if r.method == "GET"} - _NO_PAGES
    paths = {_path(route): route for route in sorted(pages)}
    return tuple(
        Look(re.sub(r"\W+", "-", route).strip("-"), path)
        for path, route in paths.items()
        if re.sub(r"\{\w+\}", "{}", path) not in shown
    )


PAGES: tuple[Look, ...] = (*_CHOSEN, *_others())
