"""Entra ID's response to a sign-in: a form that its page posts."""

from urllib.parse import urlencode

import pytest

from tests.end_to_end.browser import Browser
from tests.end_to_end.tenancy.test_joining import admin_of, sign_in
from tests.local.client import Client
from tests.world import World


@pytest.fixture
async def company(client: Client) -> World:
    """A company that has not consented, with an admin who can sign in."""
    world = await World.create(client)
    await client.consent(world.tenant, granted=False)
    await admin_of(client, world.tenant, "ada")
    return world


async def test_response_in_a_query_completes_nothing(client: Client, company: World) -> None:
    browser = Browser(client)
    picker = await browser.submit(await browser.open("/"), "/sign-in")
    response = await browser.pick(picker, login_hint=f"ada-{company.tenant}", follow=False)
    fields = dict(response.form().fields)

    in_query = await browser.open(f"/signed-in?{urlencode({**fields, 'code': 'x'})}")
    bare = await browser.open("/signed-in")
    posted = await browser.submit(response)

    assert (in_query.status, bare.status, bare.path) == (403, 200, "/")
    assert (posted.status, "signed in as Ada" in posted.text) == (200, True)


async def test_error_of_entra_is_explained_in_the_language_of_the_page(client: Client) -> None:
    browser = Browser(client)
    german = await browser.submit(await browser.open("/"), "/language", language="de")
    picker = await browser.submit(german, "/sign-in")
    back = {
        "error": "access_denied",
        "error_description": "AADSTS65004: " + "The user declined to consent. " * 100,
        "state": picker.query["state"],
    }

    refused = await browser.open("/signed-in", "POST", list(back.items()), sender=picker.url)

    assert refused.status == 403
    assert "AADSTS" not in refused.text
    assert '<html lang="de"' in refused.text


async def test_only_the_cookie_of_the_sign_in_comes_with_the_response(
    client: Client, company: World
) -> None:
    browser = Browser(client)
    await sign_in(browser, company)
    page = await browser.submit(await browser.open("/consent"), "/consent")
    await browser.pick(page, answer="cancel", chosen=company.tenant)
    to = "/consent?x=" + "a" * 1_900
    picker = await browser.open("/sign-in", "POST", [("to", to)])
    kept = dict(browser.cookies)
    response = await browser.pick(picker, login_hint=f"ada-{company.tenant}", follow=False)

    shown = await browser.submit(response)

    assert browser.crossing == {"__Host-sign-in"}
    assert {"__Host-session", "__Host-consent"} <= set(kept)
    assert len(kept["__Host-sign-in"]) < 4_000
    assert shown.url == f"{browser.origin}{to}"


async def test_authorization_code_is_in_no_address(client: Client, company: World) -> None:
    browser = Browser(client)

    shown = await sign_in(browser, company, to="/consent")

    assert f"{browser.origin}/signed-in" in shown.passed
    assert not any("code=" in url for url in shown.passed)
    assert (shown.path, shown.query) == ("/consent", {})


async def test_authorization_code_works_once(client: Client, company: World) -> None:
    browser = Browser(client)
    picker = await browser.submit(await browser.open("/"), "/sign-in")
    kept = browser.copy()
    redirect = await browser.pick(picker, login_hint=f"ada-{company.tenant}", follow=False)
    first = await browser.submit(redirect)

    again = await kept.submit(redirect)

    assert first.status == 200
    assert again.status == 403
