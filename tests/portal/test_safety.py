"""What every page must have: these tests visit every page function that is registered."""

import itertools
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.app_functions import PAGES, Route
from tests.end_to_end.browser import Browser, Shown
from tests.end_to_end.checks import UNKNOWN
from tests.local.cloud import LocalCloud
from tests.portal.browser.signing_in import account
from tests.world import World

GETS = [route for route in PAGES if route.method == "GET"]
POSTS = [route for route in PAGES if route.method == "POST"]
OPEN = {"sign-in", "sign-out", "language"}
"""Forms that need no sign-in. They change only this browser's cookies."""
OPEN_ROUTES = [route for route in POSTS if route.path in OPEN]
CLOSED = [route for route in POSTS if route.path not in {*OPEN, "signed-in"}]
"""All other forms, except for Entra ID's response, which comes from another site."""
BUTTONS = ("save", "create", "book", "rename", "remove", "block", "pause", "approve", "enter")


@dataclass(slots=True)
class Company:
    """A tenant with data, and two of its admins who are signed in."""

    world: World
    ids: dict[str, str]
    admin: Browser
    colleague: Browser
    visits: dict[Route, Shown] = field(default_factory=dict)

    async def visit(self, route: Route) -> Shown:
        """Return the page as the admin sees it. Each page is opened once."""
        if route not in self.visits:
            self.visits[route] = await self.admin.copy().open(self.path(route), follow=False)
        return self.visits[route]

    def path(self, route: Route) -> str:
        """Return a route's path with ids of existing items."""
        path = re.sub(r"\{\w+:maxlength\(0\)\?\}", "", route.path)
        known = self.ids.get(path.split("/", maxsplit=1)[0], UNKNOWN)
        path = path.replace("{id}", known)
        path = path.replace("{mailbox}", self.world.targets[0])
        return "/" + re.sub(r"\{[^}]+\}", UNKNOWN, path)

    async def state(self) -> list[Any]:
        """Return everything that a form could change."""
        lists = ("/ledger", "/shares", "/imports", "/runs", "/licenses/assignments")
        return [await self.world.api.all(each) for each in lists] + [
            await self.world.api.get("/licenses"),
            await self.world.api.get("/tenant"),
        ]

    async def token(self, browser: Browser) -> str:
        """Return the token that the person's forms carry."""
        shown = await browser.open("/")
        return dict(shown.form("/sign-out").fields)["token"]


@pytest.fixture(scope="module")
async def company(cloud: LocalCloud) -> AsyncIterator[Company]:
    world = await World.create(cloud.client)
    share = await world.share()
    made = await world.import_(share["id"])
    people = []
    for name in ("Ada Admin", "Bob Admin"):
        browser = Browser(cloud.client)
        await browser.sign_in(await account(cloud.client, world.tenant, name))
        people.append(browser)
    ids = {"shares": share["id"], "imports": made["id"], "runs": made["firstRun"]}
    yield Company(world, ids, admin=people[0], colleague=people[1])
    await world.drop_imports()


@pytest.mark.parametrize("route", GETS, ids=str)
@pytest.mark.parametrize("signed_in", [False, True], ids=["stranger", "admin"])
async def test_page_has_security_headers_and_cannot_be_framed(
    company: Company, route: Route, *, signed_in: bool
) -> None:
    if signed_in:
        shown = await company.visit(route)
    else:
        shown = await Browser(company.world.client).open(company.path(route), follow=False)

    directives = [part.split() for part in shown.headers["content-security-policy"].split(";")]
    policy = {name: set(values) for name, *values in directives}
    assert shown.status < 500
    assert policy["default-src"] == {"'none'"}
    assert policy["frame-ancestors"] == {"'none'"}
    assert policy["base-uri"] == {"'none'"}
    for kind in ("script-src", "style-src", "img-src", "connect-src"):
        assert policy.get(kind, {"'self'"}) == {"'self'"}, kind
    entra = {origin for origin in policy["form-action"] if origin != "'self'"}
    assert len(entra) == 1
    assert not any("unsafe" in value or "*" in value for each in policy.values() for value in each)
    assert shown.headers["x-frame-options"] == "DENY"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["cross-origin-opener-policy"] == "same-origin"
    assert "referrer-policy" in shown.headers


@pytest.mark.parametrize("route", GETS, ids=str)
async def test_page_has_no_inline_script_or_style(company: Company, route: Route) -> None:
    shown = await company.visit(route)

    assert not re.search(r"<script(?![^>]*\ssrc=)", shown.text)
    assert not re.search(r"<style|<[^>]+\s(style|on\w+)=", shown.text)
    for link in re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]*)"', shown.text):
        assert urlsplit(link).netloc == "", link


@pytest.mark.parametrize("route", PAGES, ids=str)
async def test_every_cookie_is_secure_and_for_our_host_only(company: Company, route: Route) -> None:
    if route.method == "GET":
        shown = await company.visit(route)
    else:
        shown = await company.admin.copy().open(
            company.path(route), "POST", [("token", "none")], follow=False
        )

    for cookie in shown.cookies:
        name, *attributes = [part.strip() for part in cookie.split(";")]
        given = {attribute.lower() for attribute in attributes}
        assert name.startswith("__Host-")
        assert {"path=/", "secure", "httponly"} <= given
        foreign = "samesite=none" if name.startswith("__Host-sign-in=") else "samesite=lax"
        assert foreign in given
        assert not any(attribute.startswith("domain") for attribute in given)


async def test_sign_in_creates_a_new_session_with_a_secure_cookie(
    company: Company,
) -> None:
    """Session fixation: the browser's earlier cookie is not used as a session."""
    oid = await account(company.world.client, company.world.tenant)
    browser = Browser(company.world.client, {"__Host-session": "chosen by somebody else"})
    picker = await browser.submit(await browser.open("/"), "/sign-in", to="/")
    redirect = await browser.pick(picker, follow=False, login_hint=oid)
    back = await browser.submit(redirect, follow=False)

    (session,) = (cookie for cookie in back.cookies if cookie.startswith("__Host-session="))

    assert browser.cookies["__Host-session"] not in {"", "chosen by somebody else"}
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert f"; {attribute}" in session
    assert "Domain" not in session


FORGED: dict[str, tuple[str, dict[str, str]]] = {
    "without a token": ("", {}),
    "with a made-up token": ("made-up", {}),
    "with a colleague's token": ("colleague", {}),
    "from another site": ("own", {"Origin": "https://evil.example"}),
    "from a site with our name in front": ("own", {"Origin": "{origin}.evil.example"}),
    "from nowhere": ("own", {"Origin": "null"}),
    "without an origin": ("own", {"Origin": "", "Sec-Fetch-Site": "cross-site"}),
}


async def test_forged_form_changes_nothing(company: Company) -> None:
    browser = company.admin.copy()
    tokens = {
        "own": await company.token(browser),
        "colleague": await company.token(company.colleague),
        "made-up": "made-up",
        "": "",
    }
    before = await company.state()

    answers = {
        (str(route), way): await browser.open(
            company.path(route),
            "POST",
            [("token", tokens[token])],
            follow=False,
            headers={n: v.replace("{origin}", browser.origin) for n, v in headers.items()},
        )
        for route in CLOSED
        for way, (token, headers) in FORGED.items()
    }

    assert {case: shown.status for case, shown in answers.items() if shown.status != 403} == {}
    assert len(answers) == len(CLOSED) * len(FORGED)
    assert await company.state() == before


async def test_form_that_only_switches_the_language_changes_nothing(company: Company) -> None:
    typed = {"name": "Typed", "booked": "9", "seen": "9", "tenant": company.world.tenant}
    token = await company.token(company.admin.copy())
    before = await company.state()

    for route, do in itertools.product(CLOSED, BUTTONS):
        browser = company.admin.copy()
        fields = {"token": token, "language": "de", "do": do, **typed}
        shown = await browser.open(company.path(route), "POST", list(fields.items()), follow=False)
        assert browser.cookies["__Host-language"] == "de", (route, do)
        assert shown.status in {200, 303, 404, 422}, (route, do)

    assert await company.state() == before


async def test_form_sent_without_sign_in_returns_401(company: Company) -> None:
    token = await company.token(company.admin.copy())
    before = await company.state()

    answers = {
        route: await Browser(company.world.client).open(
            company.path(route), "POST", [("token", token)], follow=False
        )
        for route in CLOSED
    }

    assert {route: shown.status for route, shown in answers.items()} == dict.fromkeys(CLOSED, 401)
    assert await company.state() == before


@pytest.mark.parametrize("route", [r for r in POSTS if r.path in OPEN], ids=str)
async def test_form_without_sign_in_is_refused_from_another_site(
    company: Company, route: Route
) -> None:
    browser = Browser(company.world.client)

    shown = await browser.open(
        company.path(route),
        "POST",
        [("language", "de"), ("to", "/")],
        follow=False,
        headers={"Origin": "https://evil.example"},
    )

    assert shown.status == 403
    assert shown.cookies == []


FLOOD = "a=&" * 340_000
"""Nearly one mebibyte of a form with as many fields as possible."""


async def test_flood_of_form_fields_is_refused_before_it_is_parsed(company: Company) -> None:
    token = await company.token(company.admin.copy())
    floods = {
        "no token": FLOOD,
        "made-up token": f"token={'x' * 2_000}&{FLOOD}",
        "token at the end": f"{FLOOD}token={token}",
        "signed in": f"token={token}&{FLOOD}",
    }
    for (name, body), route in itertools.product(floods.items(), CLOSED[:3] + OPEN_ROUTES):
        browser = company.admin.copy() if name == "signed in" else Browser(company.world.client)
        began = time.monotonic()
        shown = await browser.send(company.path(route), body)
        assert shown.status in {401, 413}, (name, route)
        assert len(shown.text) < 20_000
        assert time.monotonic() - began < 1.5  # parsing it alone takes longer


async def test_other_content_types_and_foreign_origins_are_refused(company: Company) -> None:
    part = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    for kind, origin, status in (
        ("multipart/form-data; boundary=x", None, 400),
        ("application/json", None, 400),
        ("application/x-www-form-urlencoded", "https://evil.example", 403),
    ):
        browser = Browser(company.world.client)
        headers = {"Content-Type": kind} | ({"Origin": origin} if origin else {})
        shown = await browser.send("/settings", part * 15_000, headers)
        assert shown.status == status
        assert len(shown.text) < 20_000


async def test_form_of_a_stranger_is_not_sent_back(company: Company) -> None:
    shown = await Browser(company.world.client).send("/settings", "token=x&name=Reflected")
    long_path = await Browser(company.world.client).open("/shares?q=" + "'" * 2_000)

    assert (shown.status, long_path.status) == (401, 401)
    assert "Reflected" not in shown.text
    assert len(long_path.text) < 20_000


ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "https://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "HTTPS://evil.example",
    "javascript:alert(1)",
    "data:text/html,hello",
    "%2f%2fevil.example",
    "/%09/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/\n/evil.example",
    "/\r\nLocation: https://evil.example",
    "/\x00/evil.example",
    "evil.example",
    ".evil.example",
    "@evil.example",
    "?//evil.example",
    "",
    "/" + "a" * 5_000,
]


@pytest.mark.parametrize("to", ELSEWHERE, ids=[quote(to[:40], safe="") for to in ELSEWHERE])
@pytest.mark.parametrize("form", ["sign-in", "language"])
async def test_forms_never_redirect_to_another_site(company: Company, form: str, to: str) -> None:
    browser = Browser(company.world.client)
    if form == "language":
        fields = [("language", "de"), ("to", to)]
        shown = await browser.open("/language", "POST", fields, follow=False)
    else:
        oid = await account(company.world.client, company.world.tenant)
        page = await browser.open("/")
        picker = await browser.submit(page, "/sign-in", to=to)
        redirect = await browser.pick(picker, follow=False, login_hint=oid)
        shown = await browser.submit(redirect, follow=False)

    target = shown.headers["location"]

    assert shown.status == 303
    assert re.fullmatch(r"/(?![/\\])[!-~]*", target), target
    assert ":" not in target.split("/")[1]
    assert len(target) < 2_000
