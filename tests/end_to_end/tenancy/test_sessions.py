"""Browser sessions: who is signed in, for how long, and forms sent after the session ended."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.browser import Browser
from tests.local.client import Api, Client
from tests.local.cloud import LocalCloud
from tests.world import World


@pytest.fixture
async def ada(client: Client, world: World) -> Browser:
    """The browser of a signed-in admin of the world's tenant."""
    await know(client, world)
    browser = Browser(client)
    await browser.sign_in(f"ada-{world.tenant}")
    return browser


async def know(client: Client, world: World) -> None:
    """Ada and Bob are admins, Rita is a reader, Nils has no role."""
    people: dict[str, list[str]] = {
        "ada": ["Admin"],
        "bob": ["Admin"],
        "rita": ["Reader"],
        "nils": [],
    }
    users = [
        {"oid": f"{name}-{world.tenant}", "name": name.title(), "roles": roles}
        for name, roles in people.items()
    ]
    await client.know(world.tenant, "Contoso", *users)


async def later(client: Client, **more: float) -> None:
    await client.clock((datetime.now(UTC) + timedelta(**more)).isoformat())


async def test_session_continues_while_pages_are_opened(client: Client, ada: Browser) -> None:
    for minutes in (50, 100, 150):
        await later(client, minutes=minutes)
        assert (await ada.open("/settings")).status == 200


async def test_session_ends_an_hour_after_the_last_page(client: Client, ada: Browser) -> None:
    await later(client, minutes=61)

    assert (await ada.open("/settings")).status == 401


async def test_session_ends_eight_hours_after_sign_in_despite_activity(
    client: Client, ada: Browser
) -> None:
    for minutes in range(50, 480, 50):
        await later(client, minutes=minutes)
        assert (await ada.open("/settings")).status == 200
    await later(client, hours=8, minutes=1)

    assert (await ada.open("/settings")).status == 401


async def test_sign_in_leads_to_the_requested_page(client: Client, world: World) -> None:
    await know(client, world)
    browser = Browser(client)
    asked = await browser.open("/settings/audit?action=share")

    picker = await browser.submit(asked, "/sign-in")
    shown = await browser.pick(picker, login_hint=f"ada-{world.tenant}")

    assert asked.status == 401
    assert (shown.status, shown.path, shown.query) == (200, "/settings/audit", {"action": "share"})


async def test_form_can_be_sent_again_after_new_sign_in(
    client: Client, world: World, ada: Browser
) -> None:
    form = await ada.open("/settings")
    await later(client, hours=2)
    kept = await ada.submit(form, "/settings", do="rename", name="Contoso & <Söhne>")

    assert kept.status == 401
    assert (await world.api.get("/tenant"))["name"] != "Contoso & <Söhne>"

    await ada.sign_in(f"ada-{world.tenant}")
    shown = await ada.submit(kept, "/settings")

    assert (shown.status, shown.path) == (200, "/settings")
    assert (await world.api.get("/tenant"))["name"] == "Contoso & <Söhne>"


async def test_kept_form_cannot_be_sent_by_another_user(
    client: Client, world: World, ada: Browser
) -> None:
    form = await ada.open("/settings")
    await later(client, hours=2)
    kept = await ada.submit(form, "/settings", do="rename", name="Theirs")
    ada.cookies.clear()
    await ada.sign_in(f"bob-{world.tenant}")

    refused = await ada.submit(kept, "/settings")

    assert refused.status == 403
    assert (await world.api.get("/tenant"))["name"] != "Theirs"


@pytest.mark.parametrize("token", ["", "forged", "the session's own cookie"])
async def test_form_without_csrf_token_changes_nothing(
    world: World, ada: Browser, token: str
) -> None:
    given = ada.cookies["__Host-session"] if " " in token else token
    fields = [("token", given), ("do", "rename"), ("name", "Theirs")]

    refused = await ada.open("/settings", "POST", fields)

    assert refused.status == 403
    assert (await world.api.get("/tenant"))["name"] != "Theirs"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://127.0.0.1:1"])
async def test_form_from_another_origin_changes_nothing(
    world: World, ada: Browser, origin: str
) -> None:
    fields = (await ada.open("/settings")).form("/settings").fields
    mine = [(n, v) for n, v in fields if n != "name"] + [("name", "Theirs"), ("do", "rename")]

    refused = await ada.open("/settings", "POST", mine, headers={"Origin": origin})

    assert refused.status == 403
    assert (await world.api.get("/tenant"))["name"] != "Theirs"


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "https:evil.example",
        "\t//evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "evil.example",
        "",
    ],
)
async def test_sign_in_never_redirects_to_another_site(
    client: Client, world: World, to: str
) -> None:
    await know(client, world)

    shown = await Browser(client).sign_in(f"ada-{world.tenant}", to)

    assert shown.url.startswith(client.addresses["portal"])
    assert (shown.path, "evil" in shown.url) == ("/", False)


async def test_sign_out_ends_session_here_and_at_entra(ada: Browser) -> None:
    out = await ada.submit(await ada.open("/"), "/sign-out")

    assert any("/oauth2/v2.0/logout" in url for url in out.passed)
    assert urlsplit(out.url).path == "/"
    assert "Sign in with Microsoft" in out.text
    assert (await ada.open("/settings")).status == 401


async def test_sign_out_works_after_session_has_ended(client: Client, ada: Browser) -> None:
    page = await ada.open("/")
    await later(client, hours=2)

    out = await ada.submit(page, "/sign-out")

    assert any("/oauth2/v2.0/logout" in url for url in out.passed)
    assert "__Host-session" not in ada.cookies
    assert "Sign in with Microsoft" in out.text


async def test_user_without_role_sees_only_how_to_get_one(client: Client, world: World) -> None:
    await know(client, world)
    browser = Browser(client)

    start = await browser.sign_in(f"nils-{world.tenant}")
    settings = await browser.open("/settings")

    assert (start.status, settings.status) == (403, 403)
    assert "Admin" in start.text
    assert world.tenant not in start.text


async def test_reader_can_view_but_not_change(client: Client, world: World) -> None:
    await know(client, world)
    browser = Browser(client)
    await browser.sign_in(f"rita-{world.tenant}")
    page = await browser.open("/settings")
    token = page.form("/sign-out").fields

    refused = await browser.open("/settings", "POST", [*token, ("do", "rename"), ("name", "Mine")])

    assert page.status == 200
    assert refused.status == 403
    assert (await world.api.get("/tenant"))["name"] != "Mine"


async def test_session_shows_only_own_tenant(world: World, partner: World, ada: Browser) -> None:
    shown = await ada.open("/settings")

    assert world.tenant in shown.text
    assert partner.tenant not in shown.text


async def test_language_follows_browser_and_can_be_switched(client: Client) -> None:
    german = Browser(client, language="de-AT,de;q=0.9,en;q=0.5")
    first = await german.open("/")
    switched = await german.submit(first, "/language", language="en")

    assert '<html lang="de"' in first.text
    assert '<html lang="en"' in switched.text
    assert '<html lang="en"' in (await german.open("/consent")).text


async def test_kept_form_survives_language_switch(
    client: Client, world: World, ada: Browser
) -> None:
    form = await ada.open("/settings")
    await later(client, hours=2)
    kept = await ada.submit(form, "/settings", do="rename", name="Typed")

    german = await ada.submit(kept, "/settings", language="de")
    await ada.sign_in(f"ada-{world.tenant}")
    shown = await ada.submit(german, "/settings")

    assert german.status == 401
    assert '<html lang="de"' in german.text
    assert '<html lang="de"' in shown.text
    assert (await world.api.get("/tenant"))["name"] == "Typed"


async def test_rate_limited_form_is_kept_for_resubmission(tmp_path: Path) -> None:
    few = {"CALLS_PER_MINUTE": "50", "ANONYMOUS_CALLS_PER_MINUTE": "100"}
    async with LocalCloud(build=tmp_path, settings=few) as cloud:
        world = await World.create(cloud.client)
        await know(cloud.client, world)
        share = await world.share(access={"rule": "tenant"})
        await assert_insiders_lock_nobody_out(cloud.client, world, share["id"])
        ada = Browser(cloud.client)
        await ada.sign_in(f"ada-{world.tenant}")
        form = await ada.open("/settings")
        for _ in range(3):
            await asyncio.gather(*(world.api.send("GET", "/tenant") for _ in range(50)))

        refused = await ada.submit(form, "/settings", do="rename", name="Typed")

        floods = [await Browser(cloud.client).open("/shares") for _ in range(110)]
        calls = [await Api(cloud.client, "x").send("GET", "/shares") for _ in range(10)]
        health = await Browser(cloud.client).open("/api/health")
        still = await ada.open("/signed-in-again")

    assert refused.status == 429
    assert {("name", "Typed"), ("do", "rename")} <= set(refused.form("/settings").fields)
    assert "Send again" in refused.text
    assert [floods[-1].status, *(call.status for call in calls), health.status] == [429] * 12
    assert floods[0].status == 401
    assert still.status == 200


async def assert_insiders_lock_nobody_out(client: Client, world: World, share: str) -> None:
    """A colleague without a role and a Reader use up what they can; the admin notices nothing."""
    nobody = await client.api(world.tenant, oid=f"nils-{world.tenant}", roles=())
    reader = await client.api(world.tenant, oid=f"rita-{world.tenant}", roles=("Reader",))
    wrong = [f"/publications/{n:032x}" for n in range(100)]
    for api in (nobody, reader):
        replies = await asyncio.gather(*(api.send("GET", path) for path in wrong))
        assert {reply.status for reply in replies} >= {429}
    made = await world.api.send(
        "POST",
        "/imports",
        {"name": "Own", "shareId": share, "targets": {"users": world.targets}},
    )
    assert made.status == 201, made.body
