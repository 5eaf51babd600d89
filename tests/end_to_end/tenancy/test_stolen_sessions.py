"""What a stolen or outdated session, token or redirect can no longer do."""

import asyncio
import time
from uuid import uuid4

import pytest

from tests.end_to_end.browser import Browser
from tests.end_to_end.checks import problem
from tests.end_to_end.tenancy.test_sessions import know, later
from tests.local.client import Client
from tests.world import World


@pytest.fixture
async def ada(client: Client, world: World) -> Browser:
    """The browser of a signed-in admin of the world's tenant."""
    await know(client, world)
    browser = Browser(client)
    await browser.sign_in(f"ada-{world.tenant}")
    return browser


async def test_copied_cookie_is_useless_after_sign_out(world: World, ada: Browser) -> None:
    thief, page = ada.copy(), await ada.open("/")

    await ada.submit(page, "/sign-out")
    stolen = [await thief.open(path) for path in ("/", "/settings", "/settings/export.json")]
    again = await ada.sign_in(f"ada-{world.tenant}", "/settings")

    assert [shown.status for shown in stolen] == [401, 401, 401]
    assert not any(world.tenant in shown.text or "Ada" in shown.text for shown in stolen)
    assert again.status == 200


async def test_admin_and_operator_can_sign_everyone_out(
    client: Client, world: World, ada: Browser
) -> None:
    rita = Browser(client)
    await rita.sign_in(f"rita-{world.tenant}")
    thief = await client.api(world.tenant, oid=f"rita-{world.tenant}", roles=("Reader",))
    person, body = f"rita-{world.tenant}", {"booked": 1}

    await ada.submit(await ada.open("/settings/sign-out"), "/settings/sign-out", person=person)
    readers = [(await rita.open("/shares")).status, (await thief.send("GET", "/shares")).status]
    admins = [(await ada.open("/shares")).status, (await world.api.send("GET", "/shares")).status]
    operator = await client.operator()
    await operator.post(f"/operator/tenants/{world.tenant}/sign-out", {}, 200)
    all_ = [(await ada.open("/shares")).status, (await world.api.send("GET", "/shares")).status]
    await operator.patch(f"/operator/tenants/{world.tenant}", body, 200)

    await asyncio.sleep(1)  # a token says only in which second it was issued
    world.api = await client.api(world.tenant)
    entries = (await world.api.get("/ledger?action=sessions"))["items"]

    assert (readers, admins, all_) == ([401, 401], [200, 200], [401, 401])
    assert [e["subject"] for e in entries] == [world.tenant, person]
    assert [(e["origin"], e["actorTenant"]) for e in entries] == [
        ("operator", client.home_tenant),
        ("portal", ""),
    ]


async def test_call_under_way_shows_nothing_after_sign_out(
    client: Client, world: World, ada: Browser
) -> None:
    share, page, thief = await world.share(), await ada.open("/"), ada.copy()
    await client.fault("/groups", {"delay_ms": 2_000}, times=2, tenant=world.tenant)

    reading = asyncio.create_task(thief.open(f"/shares/{share['id']}?preview"))
    await asyncio.sleep(0.5)
    await ada.submit(page, "/sign-out")
    shown = await reading

    assert shown.status == 401
    assert not any(user["mail"] in shown.text for user in world.users.values())


async def test_role_taken_away_or_account_deleted_ends_session_within_an_hour(
    client: Client, world: World, ada: Browser
) -> None:
    bob = Browser(client)
    await bob.sign_in(f"bob-{world.tenant}")
    await client.know(world.tenant, "Contoso", {"oid": f"ada-{world.tenant}", "roles": []})
    await client.forget(world.tenant, f"bob-{world.tenant}")
    await later(client, minutes=40)
    early = await ada.open("/shares")
    form = await ada.open("/settings")
    await later(client, minutes=61)

    sent = await ada.submit(form, "/settings", do="rename", name="Theirs")
    shown = [await ada.open("/shares"), await bob.open("/shares")]

    assert early.status == 200
    assert sent.status == 401
    assert any("prompt=none" in url for url in shown[0].passed)
    assert [each.status for each in shown] == [403, 401]
    assert (await world.api.get("/tenant"))["name"] != "Theirs"


async def test_form_that_cannot_be_undone_needs_a_new_sign_in_and_is_kept(
    client: Client, world: World, ada: Browser
) -> None:
    share = await world.share()
    path = f"/shares/{share['id']}/withdraw"
    form = await ada.open(path)
    await later(client, minutes=11)

    kept = await ada.submit(form, path)
    signed_in = await ada.submit(kept, "/sign-in", follow=False)
    silent = signed_in.headers["location"].replace("prompt=login", "prompt=none")
    still_there = await world.api.get(f"/shares/{share['id']}")
    await ada.open(signed_in.headers["location"])
    done = await ada.submit(kept, path)

    assert kept.status == 401
    assert silent != signed_in.headers["location"]
    assert still_there["etag"] == share["etag"]
    assert (done.status, done.path) == (200, "/shares")
    assert (await world.api.send("GET", f"/shares/{share['id']}")).status == 404


async def acts_without_return(world: World) -> list[tuple[str, str, object]]:
    """Return calls that cannot be undone, for objects that exist."""
    await world.api.put("/licenses", {"booked": 2})
    share = await world.share()
    made = await world.import_(share["id"])
    shown = await world.api.delete("/tenant", 200)
    leave = f"/tenant?confirm={shown['confirm']}&tenant={world.tenant}"
    return [
        ("DELETE", f"/people/{world.people[0]}", None),
        ("DELETE", f"/imports/{made['id']}", None),
        ("DELETE", f"/shares/{share['id']}", None),
        ("PUT", "/licenses", {"booked": 1}),
        ("POST", f"/runs/{made['firstRun']}/approve", None),
        ("DELETE", leave, None),
    ]


@pytest.mark.parametrize("claim", ["iat", "auth_time"])
async def test_old_sign_in_cannot_do_what_cannot_be_undone(
    client: Client, world: World, claim: str
) -> None:
    old = await client.api(world.tenant, claims={claim: int(time.time()) - 700})

    replies = [await old.send(*act) for act in await acts_without_return(world)]

    for reply in replies:
        assert problem(reply, 401, "unauthenticated")["code"] == "sign_in_again"
        assert "max_age=600" in reply.headers["WWW-Authenticate"]
    assert (await old.send("PUT", "/licenses", {"booked": 3})).status == 200
    assert (await world.api.get("/tenant"))["status"] == "connected"


async def test_program_confirms_what_it_means(client: Client, world: World) -> None:
    claims = {"scp": None, "azp": str(uuid4()), "iat": int(time.time()) - 3000}
    program = await client.api(world.tenant, claims=claims)
    person, import_, share, licenses, *_ = await acts_without_return(world)
    before = await world.api.all("/ledger")

    asked = [(await program.send(*act)).expect(200).body for act in (person, import_, share)]
    refused = await program.send(*licenses)
    unchanged = await world.api.all("/ledger")
    wrong = await program.send("DELETE", f"{share[1]}?confirm={asked[0]['confirm']}")
    await world.api.patch(share[1], {"name": "Changed"})
    outdated = await program.send("DELETE", f"{share[1]}?confirm={asked[2]['confirm']}")
    effect = await program.post("/licenses/effect", {"booked": 1}, 200)
    await program.put(f"/licenses?confirm={effect['confirm']}", {"booked": 1}, 200)
    await program.delete(f"{import_[1]}?confirm={asked[1]['confirm']}", 202)
    await client.settle()

    assert [each["mailboxes"] for each in asked] == [None, 2, 2]
    assert problem(refused, 409, "conflict")["code"] == "confirmation_needed"
    assert unchanged == before
    assert problem(wrong, 409, "conflict")["code"] == "removal_changed"
    assert problem(outdated, 409, "conflict")["code"] == "removal_changed"
    assert (await world.api.get("/ledger?action=import.removed"))["items"][0]["client"] == (
        claims["azp"]
    )


async def test_redirect_of_a_sign_in_works_once_and_asks_entra_once(
    client: Client, world: World
) -> None:
    await know(client, world)
    oid = f"ada-{world.tenant}"
    browser = Browser(client)
    picker = await browser.submit(await browser.open("/"), "/sign-in")
    back = await browser.pick(picker, follow=False, login_hint=oid)
    started = browser.copy()
    first = await browser.submit(back, follow=False)
    before = await client.send("GET", f"{client.entra}/_sim/requests")

    replays = [await started.copy().submit(back) for _ in range(20)]
    guesses = [await started.copy().submit(back, state=f"{n}") for n in range(20)]
    after = await client.send("GET", f"{client.entra}/_sim/requests")

    assert first.status == 303
    assert {shown.status for shown in (*replays, *guesses)} == {403}
    assert after.body == before.body
