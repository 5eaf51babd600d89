"""A person who uses a browser: the open page, and everything that went wrong on it."""

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
TIMEOUT = 10_000
"""Milliseconds after which an expected element counts as missing."""


class Habits(TypedDict, total=False):
    """How a person browses; as in Playwright's `Browser.new_context`.

    `locale` (en, de) is the browser's language; `storage_state` comes from the context of another
    person, who is signed in.
    """

    locale: str
    color_scheme: Literal["light", "dark"]
    viewport: ViewportSize
    reduced_motion: Literal["reduce", "no-preference"]
    java_script_enabled: bool
    storage_state: StorageState


@dataclass
class Person:
    """An open `page`, the `troubles` found so far, and all `requests` sent.

    `portal` and `entra` are the only origins that the browser may call.
    """

    context: BrowserContext
    page: Page
    portal: str
    entra: str
    requests: list[Request] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    _tolerated: set[int] = field(default_factory=set)

    @classmethod
    async def open_window(
        cls, browser: Browser, cloud: LocalCloud, **habits: Unpack[Habits]
    ) -> "Person":
        """Open a new window, which shares no cookies with other people."""
        given: Habits = {"locale": "en", "viewport": DESKTOP, **habits}
        context = await browser.new_context(
            # The Entra simulator's certificate comes from an unknown authority.
            ignore_https_errors=True,
            base_url=cloud.addresses["portal"],
            **given,
        )
        context.set_default_timeout(TIMEOUT)
        entra = urlsplit(cloud.environment["ENTRA_AUTHORITY"])
        page = await context.new_page()
        made = cls(context, page, cloud.addresses["portal"], f"{entra.scheme}://{entra.netloc}")
        context.on("console", made._on_console)
        context.on("weberror", made._on_script_error)
        context.on("request", made._on_request)
        context.on("requestfailed", made._on_request_failed)
        return made

    def expects(self, *statuses: int) -> None:
        """Accept pages with these statuses (such as 422) from now on."""
        self._tolerated.update(statuses)

    async def leave(self) -> None:
        """Close the window. Raises `AssertionError` if anything went wrong."""
        await self.context.close()
        assert not self.troubles, "\n".join(self.troubles)

    def _on_console(self, message: ConsoleMessage) -> None:
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

    def _on_script_error(self, error: WebError) -> None:
        self.troubles.append(f"script error: {error.error}")

    def _on_request(self, request: Request) -> None:
        self.requests.append(request)
        # A script's own worker has an address of the page that made it.
        parts = urlsplit(request.url.removeprefix("blob:"))
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin == self.portal or (origin == self.entra and request.is_navigation_request()):
            return
        self.troubles.append(f"request to elsewhere: {request.method} {request.url}")

    def _on_request_failed(self, request: Request) -> None:
        # Leaving a page aborts its requests, and so does turning a page into a download.
        if request.failure != "net::ERR_ABORTED":
            self.troubles.append(f"failed: {request.method} {request.url} {request.failure}")
