"""A browser without scripts: it keeps cookies, follows redirects, and sends a page's forms."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import aiohttp

from tests.local.client import Client


@dataclass(slots=True)
class Shown:
    """What the browser shows in the end: where, with which status, and every answer on the way."""

    url: str
    status: int
    text: str
    headers: dict[str, str]
    passed: list[str]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.url).query))


@dataclass(slots=True)
class Browser:
    """One person's browser; `cookies` are those of our own pages, which are all that it keeps."""

    client: Client
    cookies: dict[str, str] = field(default_factory=dict)

    async def open(self, url: str, method: str = "GET", *, follow: bool = True) -> Shown:
        """Open an address (below our own pages, if it is none whole)."""
        at = urljoin(self.client.addresses["portal"], url)
        passed: list[str] = []
        own = self.client.addresses["portal"]
        async with aiohttp.ClientSession() as session:
            while True:
                sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
                headers = {"Cookie": sent} if sent and at.startswith(own) else {}
                passed.append(at)
                async with session.request(
                    method, at, headers=headers, allow_redirects=False, ssl=False
                ) as answer:
                    text = await answer.text()
                    given = {name.lower(): value for name, value in answer.headers.items()}
                    self._keep(given.get("set-cookie", ""))
                    if not (follow and answer.status in {302, 303}):
                        return Shown(at, answer.status, text, given, passed)
                    at, method = urljoin(at, given["location"]), "GET"

    async def submit(self, page: Shown, *, follow: bool = True) -> Shown:
        """Send a page's form."""
        found = re.search(r'<form method="post" action="([^"]+)"', page.text)
        assert found is not None, page.text
        return await self.open(found[1], "POST", follow=follow)

    async def pick(self, page: Shown, **choice: str) -> Shown:
        """Choose one of the links by which Entra's pages lead back to themselves."""
        joiner = "&" if "?" in page.url else "?"
        return await self.open(f"{page.url}{joiner}{urlencode(choice)}")

    def _keep(self, cookie: str) -> None:
        name, _, rest = cookie.partition("=")
        value = rest.partition(";")[0]
        if name and value:
            self.cookies[name] = value
        elif name:
            self.cookies.pop(name, None)
