"""A browser without scripts that keeps cookies, follows redirects and submits forms.

It also posts the form that Entra ID's page sends by itself, and gives a form of another site no
cookies but those for other sites (`SameSite=None`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from typing import Self
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import aiohttp

from tests.local.client import Client


@dataclass(slots=True)
class Form:
    """A form on a page: its address, and the fields it sends if nothing is changed."""

    method: str
    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)


class Forms(HTMLParser):
    """Find the forms on a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._area: str | None = None
        self._select: str = ""

    @classmethod
    def of(cls, text: str) -> list[Form]:
        parser = cls()
        parser.feed(text)
        return parser.found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(given.get("method", "get"), given.get("action", "")))
        elif not self.found or ("name" not in given and tag != "option"):
            return
        elif tag == "input":
            ticked = given.get("type") not in {"checkbox", "radio"} or "checked" in given
            if ticked:
                self.found[-1].fields.append((given["name"], given.get("value", "")))
        elif tag == "textarea":
            self._area = given["name"]
            self.found[-1].fields.append((self._area, ""))
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option" and "selected" in given and self._select:
            self.found[-1].fields.append((self._select, given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = None
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            name, text = self.found[-1].fields[-1]
            self.found[-1].fields[-1] = (name, text + data)


@dataclass(slots=True)
class Shown:
    """The page shown after all redirects, and the addresses passed on the way."""

    url: str
    status: int
    text: str
    headers: dict[str, str]
    cookies: list[str]
    passed: list[str]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.url).query))

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def sends_itself(self) -> bool:
        """Whether the page's script sends its form at once, as Entra ID's response does."""
        return "document.forms[0].submit()" in self.text

    @property
    def title(self) -> str:
        """The page's title, as a tab of the browser shows it."""
        return unescape(self.text.partition("<title>")[2].partition("</title>")[0])

    def form(self, action: str = "") -> Form:
        """Return the first form with this action; by default, neither sign-out nor language."""
        for form in Forms.of(self.text):
            if form.action == action or (
                not action and form.action not in {"/sign-out", "/language"}
            ):
                return form
        message = f"{self.url} has no form {action}: {self.text}"
        raise AssertionError(message)


@dataclass(slots=True)
class Browser:
    """One person's browser. `cookies` holds the portal's cookies only.

    `crossing` names those of them that forms of other sites carry.
    """

    client: Client
    cookies: dict[str, str] = field(default_factory=dict)
    language: str = "en"
    crossing: set[str] = field(default_factory=set)

    @property
    def origin(self) -> str:
        return self.client.addresses["portal"]

    def copy(self) -> Self:
        """Return another browser with the same cookies."""
        return type(self)(self.client, dict(self.cookies), self.language, set(self.crossing))

    async def open(
        self,
        url: str,
        method: str = "GET",
        fields: list[tuple[str, str]] | str | None = None,
        *,
        follow: bool = True,
        headers: Mapping[str, str] | None = None,
        sender: str = "",
    ) -> Shown:
        """Open an address, or send a form to it. Relative addresses are the portal's.

        `sender` is the address of the page that the form is on.
        """
        at, passed = urljoin(self.origin, url), []
        async with aiohttp.ClientSession() as session:
            while True:
                passed.append(at)
                async with session.request(
                    method,
                    at,
                    headers=self._headers(at, method, sender) | dict(headers or {}),
                    data=_encoded(fields) if method == "POST" else None,
                    allow_redirects=False,
                    ssl=False,
                ) as answer:
                    text = await answer.text()
                    given = {name.lower(): value for name, value in answer.headers.items()}
                    cookies = answer.headers.getall("Set-Cookie", [])
                    if at.startswith(self.origin):
                        self._keep(cookies)
                    shown = Shown(at, answer.status, text, given, cookies, passed)
                    if follow and shown.sends_itself and not at.startswith(self.origin):
                        form = shown.form()
                        sender, at, method, fields = at, form.action, "POST", form.fields
                    elif follow and answer.status in {302, 303}:
                        at, method, fields = urljoin(at, given["location"]), "GET", None
                    else:
                        return shown

    async def send(self, path: str, body: str, headers: Mapping[str, str] | None = None) -> Shown:
        """Send a body to a path as it is, and do not follow redirects."""
        return await self.open(path, "POST", body, follow=False, headers=headers)

    async def submit(
        self, page: Shown, action: str = "", *, follow: bool = True, **values: str | list[str]
    ) -> Shown:
        """Send a form on a page, with some of its fields changed."""
        form = page.form(action)
        fields = [(name, value) for name, value in form.fields if name not in values]
        for name, value in values.items():
            many = value if isinstance(value, list) else [value]
            fields += [(name, each) for each in many]
        if form.method.lower() == "get":
            return await self.open(f"{form.action}?{urlencode(fields)}", follow=follow)
        return await self.open(
            form.action or page.url, "POST", fields, follow=follow, sender=page.url
        )

    async def pick(self, page: Shown, *, follow: bool = True, **choice: str) -> Shown:
        """Follow a link of an Entra page: the page's own address plus these parameters."""
        joiner = "&" if "?" in page.url else "?"
        return await self.open(f"{page.url}{joiner}{urlencode(choice)}", follow=follow)

    async def sign_in(self, oid: str, to: str = "/") -> Shown:
        """Sign in as a user that Entra ID knows, and open a page."""
        picker = await self.submit(await self.open("/"), "/sign-in", to=to)
        return await self.pick(picker, login_hint=oid)

    def _headers(self, at: str, method: str, sender: str) -> dict[str, str]:
        if not at.startswith(self.origin):
            return {}
        headers = {"Accept-Language": self.language}
        by = urlsplit(urljoin(self.origin, sender))
        foreign = method == "POST" and by.hostname != urlsplit(self.origin).hostname
        carried = {n: v for n, v in self.cookies.items() if not foreign or n in self.crossing}
        if carried:
            headers["Cookie"] = "; ".join(f"{n}={v}" for n, v in carried.items())
        if method == "POST":
            headers["Origin"] = f"{by.scheme}://{by.netloc}"
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return headers

    def _keep(self, cookies: list[str]) -> None:
        for cookie in cookies:
            name, _, rest = cookie.partition("=")
            value = rest.partition(";")[0]
            if value:
                self.cookies[name] = value
                self.crossing.discard(name)
                if "SameSite=None" in rest:
                    self.crossing.add(name)
            else:
                self.cookies.pop(name, None)


def _encoded(fields: list[tuple[str, str]] | str | None) -> str:
    return fields if isinstance(fields, str) else urlencode(fields or [])
