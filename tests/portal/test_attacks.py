"""Attacks by another site that is open in the same browser as a signed-in session."""

import asyncio

from tests.local.client import Client
from tests.portal.browser.person import Person
from tests.portal.browser.signing_in import sign_in
from tests.world import World


async def at_another_site(person: Person, client: Client, content: str) -> None:
    """Open a page of another site, which is another host name of this machine."""
    elsewhere = f"{client.graph.replace('127.0.0.1', 'localhost')}/page"

    async def serve(route: object) -> None:
        await route.fulfill(content_type="text/html", body=content)  # type: ignore[attr-defined]

    # The local cloud stands for servers on the internet, which any site may call.
    await person.context.grant_permissions(["local-network-access"])
    await person.context.route(elsewhere, serve)
    await person.page.goto(elsewhere)


async def cookies(person: Person) -> set[str]:
    return {str(cookie.get("name")) for cookie in await person.context.cookies(person.portal)}


async def test_form_on_another_site_cannot_sign_out(
    person: Person, client: Client, world: World
) -> None:
    await sign_in(person.page, world)
    form = f'<form method="post" action="{person.portal}/sign-out"><button>Win!</button></form>'
    await at_another_site(person, client, form)

    async with person.page.expect_response("**/sign-out") as answered:
        await person.page.get_by_role("button").click()

    assert (await answered.value).status == 403
    assert "cookie" not in await (await answered.value).request.all_headers()
    assert "__Host-session" in await cookies(person)
    person.troubles.clear()


async def test_another_site_cannot_show_a_page_in_a_frame(
    person: Person, client: Client, world: World
) -> None:
    await sign_in(person.page, world)
    await at_another_site(person, client, f'<iframe src="{person.portal}/"></iframe>')
    # The browser reports it step by step: in the frame, in the console, and for the request.
    for _ in range(100):
        told = "".join(person.troubles)
        if person.page.frames[1].url and "frame-ancestors" in told and "failed: " in told:
            break
        await asyncio.sleep(0.1)

    assert person.page.frames[1].url == "chrome-error://chromewebdata/"
    assert any("frame-ancestors" in trouble for trouble in person.troubles), person.troubles
    person.troubles.clear()


async def test_another_site_cannot_control_a_window_that_it_opens(
    person: Person, client: Client, world: World
) -> None:
    await sign_in(person.page, world)
    await at_another_site(
        person, client, f"<button onclick=\"w = window.open('{person.portal}/')\">Open</button>"
    )

    async with person.context.expect_page() as opened:
        await person.page.get_by_role("button").click()
    window = await opened.value
    await window.wait_for_load_state()

    assert await window.evaluate("window.opener") is None
    assert await person.page.evaluate("w.closed") is True
    person.troubles.clear()
