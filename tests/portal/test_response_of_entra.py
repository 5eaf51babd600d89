"""Entra ID's page, which is another site to the browser, posts its response to the portal."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import Request, Route, expect

from tests.local.client import Client
from tests.portal.browser.person import Person
from tests.portal.browser.signing_in import BUTTON, account, sign_in
from tests.world import World


async def posted(person: Person) -> Request:
    """The last response that the browser posted."""
    found = [r for r in person.requests if r.method == "POST" and r.url.endswith("/signed-in")]
    return found[-1]


async def test_response_brings_a_long_code_and_one_cookie(
    person: Person, client: Client, world: World
) -> None:
    await sign_in(person.page, world, at="/consent")
    sent = await posted(person)
    headers = await sent.all_headers()
    await client.clock((datetime.now(UTC) + timedelta(minutes=50)).isoformat())

    await person.page.goto("/shares")
    confirmed = await posted(person)
    confirmed_headers = await confirmed.all_headers()
    await person.page.go_back()

    assert urlsplit(person.entra).hostname != urlsplit(person.portal).hostname
    assert len(parse_qs(sent.post_data or "")["code"][0]) == 2_500
    assert confirmed is not sent
    for given in (headers, confirmed_headers):
        assert given["sec-fetch-site"] == "cross-site"
        assert [each.partition("=")[0] for each in given["cookie"].split("; ")] == [
            "__Host-sign-in"
        ]
    assert person.page.url == f"{person.portal}/consent"


async def test_sign_in_would_fail_if_its_cookie_were_lax(person: Person, world: World) -> None:
    """Otherwise the test above proves nothing."""
    oid = await account(world.client, world.tenant)

    async def weaken(route: Route) -> None:
        answer = await route.fetch(max_redirects=0)
        cookie = answer.headers["set-cookie"].replace("SameSite=None", "SameSite=Lax")
        await route.fulfill(response=answer, headers={**answer.headers, "set-cookie": cookie})

    await person.page.route("**/sign-in", weaken)
    person.expects(403)
    await person.page.goto("/")
    await person.page.get_by_role("button", name=BUTTON).first.click()
    await person.page.locator(f'a[href*="login_hint={oid}"]').first.click()

    await expect(person.page.locator("h1")).to_have_text("Sign-in failed")
    assert "cookie" not in await (await posted(person)).all_headers()
