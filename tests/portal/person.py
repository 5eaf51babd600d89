"""A person in front of a browser: a page, and all that went wrong while it was looked at."""

from dataclasses import dataclass, field
from typing import Literal, TypedDict, Unpack
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    StorageState,
    ViewportSize,
    WebError,
)

from tests.local.cloud import LocalCloud

DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
PATIENCE = 10_000
"""Milliseconds after which what does not come counts as missing."""


class Habits(TypedDict, total=False):
    """How a person browses; as in Playwright's `Browser.new_context`.

    `locale` (en, de) is the browser's language; `storage_state` is that of another one's context,
    who is signed in.
    """

    locale: str
    color_scheme: Literal["light", "dark"]
    viewport: ViewportSize
    reduced_motion: Literal["reduce", "no-preference"]
    java_script_enabled: bool
    storage_state: StorageState


@dataclass
class Person:
    """`page` is open; `troubles` are found as they come, `requests` all that were sent.

    `portal` and `entra` are the only origins to which the browser may turn.
    """

    context: BrowserContext
    page: Page
    portal: str
    entra: str
    requests: list[Request] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    _tolerated: set[int] = field(default_factory=set)

    @classmethod
    async def sit_down(
        cls, browser: Browser, cloud: LocalCloud, **habits: Unpack[Habits]
    ) -> "Person":
        """Open a browser's window of one's own: no cookie is shared with anybody."""
        given: Habits = {"locale": "en", "viewport": DESKTOP, **habits}
        context = await browser.new_context(
            # The Entra simulator's certificate is of an authority that nobody knows.
            ignore_https_errors=True,
            base_url=cloud.addresses["portal"],
            **given,
        )
        context.set_default_timeout(PATIENCE)
        entra = urlsplit(cloud.environment["ENTRA_AUTHORITY"])
        page = await context.new_page()
        made = cls(context, page, cloud.addresses["portal"], f"{entra.scheme}://{entra.netloc}")
        context.on("console", made._heard)
        context.on("weberror", made._broke)
        context.on("request", made._asked)
        context.on("requestfailed", made._failed)
        return made

    def expects(self, *statuses: int) -> None:
        """From now on, pages of these statuses (such as 422) are wanted, not trouble."""
        self._tolerated.update(statuses)

    async def leave(self) -> None:
        """Close the window; raises `AssertionError` if anything went wrong meanwhile."""
        await self.context.close()
        assert not self.troubles, "\n".join(self.troubles)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        told = (
            f"Failed to load resource: the server responded with a status of {s}"
            for s in self._tolerated
        )
        if any(words in message.text for words in told):
            return
        at = message.location.get("url", "") if message.location else ""
        if at.startswith(self.entra):
            return
        self.troubles.append(f"console {message.type}: {message.text} ({at})")

    def _broke(self, error: WebError) -> None:
        self.troubles.append(f"script error: {error.error}")

    def _asked(self, request: Request) -> None:
        self.requests.append(request)
        parts = urlsplit(request.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin == self.portal or (origin == self.entra and request.is_navigation_request()):
            return
        self.troubles.append(f"request to elsewhere: {request.method} {request.url}")

    def _failed(self, request: Request) -> None:
        # A page that is left takes along what it was asking for; a download is no page.
        if request.failure != "net::ERR_ABORTED":
            self.troubles.append(f"failed: {request.method} {request.url} {request.failure}")
