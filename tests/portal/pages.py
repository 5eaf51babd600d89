"""Every page of the portal, as something to look at: for screenshots, checks and measurements.

Whoever adds a page adds a `Look` to `PAGES`; all that goes over pages then goes over it too.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from playwright.async_api import Page, expect

from tests.local.client import Json
from tests.portal.signing_in import sign_in_as

type Ids = Mapping[str, str]
type Preparation = Callable[[Page, Ids], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Look:
    """A page: its name (in file names too), and its path, which may name ids in braces.

    Ids are `{share}`, `{import}`, `{run}`, `{mailbox}` (one that the import fills), `{person}`
    (one who is shared), `{tenant}` and `{account}` (the admin's object id). `prepare` does what a
    person would do on the page first; it changes nothing that another look shows.
    """

    name: str
    path: str
    signed_in: bool = True
    prepare: Preparation | None = None

    def at(self, ids: Ids) -> str:
        """The path with these ids."""
        return self.path.format_map(ids)

    async def open(self, page: Page, ids: Ids) -> None:
        """Show it."""
        await page.goto(self.at(ids))
        if self.prepare is not None:
            await self.prepare(page, ids)
        await expect(page.locator("h1").first).to_be_visible()


def ids_of(made: Json, *, tenant: str, mailbox: str, person: str, account: str) -> dict[str, str]:
    """The ids of a company that has made an import."""
    return {
        "share": made["shareId"],
        "import": made["id"],
        "run": made["firstRun"],
        "mailbox": mailbox,
        "person": person,
        "tenant": tenant,
        "account": account,
    }


async def _to_consent(page: Page, ids: Ids) -> None:
    await sign_in_as(page, ids["account"], at="/join")


async def _to_connected(page: Page, ids: Ids) -> None:
    await _to_consent(page, ids)
    await page.locator('form[action="/join/consent"] button').click()
    await page.locator(f'a[href*="chosen={ids["tenant"]}"]').click()
    await page.wait_for_url(re.compile("/join/consented[?]"))


PAGES: tuple[Look, ...] = (
    Look("join", "/join", signed_in=False),
    Look("join-consent", "/join", signed_in=False, prepare=_to_consent),
    Look("join-connected", "/join", signed_in=False, prepare=_to_connected),
)
