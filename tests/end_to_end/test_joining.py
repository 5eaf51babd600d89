"""Joining in a browser: signing in, granting consent, and all who try to get in the way."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import pytest

from tests.end_to_end.browser import Browser, Shown
from tests.local.client import Client, Json
from tests.local.cloud import LocalCloud
from tests.world import World

GLOBAL_ADMIN = "62e90394-69f5-4237-9190-012177145e10"


@pytest.fixture
async def company(client: Client) -> World:
    """A company that has not consented, with an admin who can sign in."""
    world = await World.create(client)
    await client.consent(world.tenant, granted=False)
    await admin_of(client, world.tenant, "ada")
    return world


async def admin_of(client: Client, tenant: str, name: str, **more: Any) -> None:
    user = {"oid": f"{name}-{tenant}", "name": name.title(), "username": f"{name}@{tenant}"}
    body = {"tenant": tenant, "name": "Contoso", "users": [{**user, **more}]}
    (await client.send("POST", f"{client.entra}/_sim/tenants", body)).expect(200)


async def sign_in(browser: Browser, world: World, name: str = "ada") -> Shown:
    picker = await browser.submit(await browser.open("/join"))
    assert "Pick an account" in picker.text
    return await browser.pick(picker, login_hint=f"{name}-{world.tenant}")


async def consent_page(browser: Browser, world: World) -> Shown:
    return await browser.submit(await sign_in(browser, world))


async def test_an_admin_signs_in_grants_the_consent_and_the_company_is_connected(
    client: Client, company: World
) -> None:
    browser = Browser(client)
    start = await browser.open("/join")
    asked = await sign_in(browser, company)
    page = await browser.submit(asked)

    done = await browser.pick(page, answer="accept", chosen=company.tenant)

    assert "Sign in with Microsoft" in start.text
    for permission in ("User.Read.All", "Contacts.ReadWrite", "never touched"):
        assert permission in start.text
        assert permission in asked.text
    assert "signed in as Ada" in asked.text
    assert (done.status, urlsplit(done.url).path) == (200, "/join/consented")
    assert company.tenant in done.text
    assert "westeurope" in done.text
    assert "app role" in done.text
    seen = await company.api.get("/tenant")
    assert (seen["status"], seen["region"]) == ("connected", "westeurope")
    assert "Contacts.ReadWrite" in seen["permissions"]
    (joined,) = await company.api.all("/ledger?action=tenant.joined")
    assert (joined["actorName"], joined["origin"]) == ("Ada", "portal")
    assert browser.cookies == {}


async def test_whoever_consents_is_told_first_that_it_opens_every_mailbox_anew(
    client: Client, company: World
) -> None:
    browser = Browser(client)

    for shown in (await browser.open("/join"), await sign_in(browser, company)):
        assert "Each new consent, also by joining again" in shown.text
        assert "exchange-rbac.ps1" in shown.text


async def test_a_disconnected_company_comes_back_by_joining_again(
    client: Client, world: World
) -> None:
    await world.import_((await world.share())["id"])
    await client.consent(world.tenant, granted=False)
    await client.fault(".*", {"status": 403}, times=1000, tenant=world.tenant)
    await world.next_day()
    await client.clear_faults()
    assert (await world.api.get("/tenant"))["status"] == "disconnected"
    await admin_of(client, world.tenant, "ada")
    browser = Browser(client)

    page = await consent_page(browser, world)
    await browser.pick(page, answer="accept", chosen=world.tenant)

    assert (await world.api.get("/tenant"))["status"] == "connected"


async def test_a_declined_consent_is_told_and_connects_nobody(
    client: Client, company: World
) -> None:
    browser = Browser(client)
    page = await consent_page(browser, company)

    refused = await browser.pick(page, answer="cancel", chosen=company.tenant)

    assert refused.query["admin_consent"] == "True"
    assert refused.status == 403
    assert "declined" in refused.text
    assert "AADSTS" not in refused.text
    assert (await company.api.send("GET", "/shares")).status == 403


async def test_an_error_counts_though_the_consent_was_granted_before(
    client: Client, company: World
) -> None:
    browser = Browser(client)
    page = await consent_page(browser, company)
    await client.consent(company.tenant)
    state = page.query["state"]

    back = {"admin_consent": "True", "error": "server_error", "state": state}
    refused = await browser.open(f"/join/consented?{urlencode(back)}")

    assert refused.status == 403
    assert "did not grant" in refused.text


async def test_the_tenant_that_a_redirect_names_is_not_believed(
    client: Client, company: World, partner: World
) -> None:
    """The partner consented long ago; the company's admin claims to come back for it."""
    browser = Browser(client)
    page = await consent_page(browser, company)

    claim = {"admin_consent": "True", "tenant": partner.tenant, "state": page.query["state"]}
    answer = await browser.open(f"/join/consented?{urlencode(claim)}")

    assert answer.status == 403
    assert partner.tenant not in answer.text
    assert (await company.api.send("GET", "/shares")).status == 403
    assert await partner.api.all("/ledger?action=tenant.reconnected") == []


@pytest.mark.parametrize("state", ["", "guessed", "of another"])
async def test_a_state_that_is_not_this_browsers_is_refused(
    client: Client, company: World, state: str
) -> None:
    browser, other = Browser(client), Browser(client)
    await consent_page(browser, company)
    theirs = await consent_page(other, company)
    await client.consent(company.tenant)

    given = theirs.query["state"] if state == "of another" else state
    back = {"admin_consent": "True", "tenant": company.tenant, "state": given}
    refused = await browser.open(f"/join/consented?{urlencode(back)}")

    assert refused.status == 403
    assert "not the one that was begun in this browser" in refused.text


async def test_without_the_cookie_no_redirect_leads_anywhere(
    client: Client, company: World
) -> None:
    browser = Browser(client)
    page = await consent_page(browser, company)
    await client.consent(company.tenant)
    back = urlencode({"admin_consent": "True", "state": page.query["state"]})

    for refused in (
        await Browser(client).open(f"/join/consented?{back}"),
        await Browser(client).open("/join/signed-in?code=x&state=y"),
        await Browser(client).open("/join/consent", "POST"),
        await Browser(client, {"__Host-join": "forged"}).open(f"/join/consented?{back}"),
    ):
        assert refused.status == 403
        assert "another browser" in refused.text


async def test_somebody_elses_sign_in_cannot_be_slipped_under_a_browser(
    client: Client, company: World
) -> None:
    """Session fixation: the attacker's code and state, opened in the victim's browser."""
    attacker, victim = Browser(client), Browser(client)
    picker = await attacker.submit(await attacker.open("/join"))
    hint = urlencode({"login_hint": f"ada-{company.tenant}"})
    redirect = await attacker.open(f"{picker.url}&{hint}", follow=False)
    await victim.submit(await victim.open("/join"))

    refused = await victim.open(redirect.headers["location"])

    assert refused.status == 403
    assert "not the one that was begun here" in refused.text


async def test_a_code_is_good_once(client: Client, company: World) -> None:
    browser = Browser(client)
    picker = await browser.submit(await browser.open("/join"))
    kept = dict(browser.cookies)
    hint = urlencode({"login_hint": f"ada-{company.tenant}"})
    redirect = await browser.open(f"{picker.url}&{hint}", follow=False)
    first = await browser.open(redirect.headers["location"])

    again = await Browser(client, kept).open(redirect.headers["location"])

    assert first.status == 200
    assert again.status == 403


async def test_a_cookie_of_one_step_does_not_open_another(client: Client) -> None:
    browser = Browser(client)
    await browser.submit(await browser.open("/join"))

    refused = await browser.open("/join/consent", "POST")

    assert refused.status == 403


async def test_what_takes_too_long_begins_anew(client: Client, company: World) -> None:
    browser = Browser(client)
    page = await consent_page(browser, company)
    await client.clock("2099-01-01T00:00:00Z")
    await client.consent(company.tenant)

    late = await browser.open(f"/join/consented?{urlencode({'state': page.query['state']})}")

    assert late.status == 403
    assert "too long ago" in late.text


async def test_a_permission_that_was_not_granted_is_named(client: Client, company: World) -> None:
    browser = Browser(client)
    page = await consent_page(browser, company)
    body: Json = {"tenant": company.tenant, "granted": True, "roles": ["User.Read.All"]}
    (await client.send("POST", f"{client.entra}/_sim/consent", body)).expect(200)
    back = {"admin_consent": "True", "state": page.query["state"]}

    refused = await browser.open(f"/join/consented?{urlencode(back)}")

    assert refused.status == 403
    assert "GroupMember.Read.All" in refused.text
    assert "Contacts.ReadWrite" not in refused.text


async def test_mailboxes_opened_by_exchange_are_enough(client: Client, company: World) -> None:
    browser = Browser(client)
    page = await consent_page(browser, company)
    roles = ["User.Read.All", "GroupMember.Read.All", "OrgContact.Read.All"]
    body: Json = {"tenant": company.tenant, "granted": True, "roles": roles}
    (await client.send("POST", f"{client.entra}/_sim/consent", body)).expect(200)
    back = {"admin_consent": "True", "state": page.query["state"]}

    done = await browser.open(f"/join/consented?{urlencode(back)}")

    assert done.status == 200
    assert "RBAC for Applications" in done.text


async def test_the_way_to_entra_has_what_openid_connect_wants(client: Client) -> None:
    browser = Browser(client)

    step = await browser.submit(await browser.open("/join"), follow=False)

    target = urlsplit(step.headers["location"])
    query = dict(parse_qsl(target.query))
    assert (step.status, target.path) == (303, "/organizations/oauth2/v2.0/authorize")
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == 43
    assert len(query["state"]) >= 16
    assert len(query["nonce"]) >= 16
    assert set(query["scope"].split()) == {"openid", "profile"}
    assert query["redirect_uri"] == f"{client.addresses['portal']}/join/signed-in"


async def test_a_host_header_does_not_choose_where_entra_sends_people(client: Client) -> None:
    url = f"{client.addresses['portal']}/join"
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}

    reply = await Browser(client).open(url, "POST", follow=False)
    forged = await client.send("GET", url, headers=headers)

    assert "evil.example" not in reply.headers["location"]
    assert b"evil.example" not in forged.body


async def test_every_page_has_the_headers_that_keep_it_safe(client: Client, company: World) -> None:
    browser = Browser(client)
    pages = [
        await browser.open("/join"),
        await sign_in(browser, company),
        await Browser(client).open("/join/consented"),
        await browser.open("/join", "POST", follow=False),
    ]

    for page in pages:
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "max-age" in page.headers["strict-transport-security"]
        assert "<script" not in page.text
        assert "style=" not in page.text


async def test_the_cookie_is_for_us_alone_and_for_no_script(client: Client) -> None:
    step = await Browser(client).open("/join", "POST", follow=False)

    cookie = step.headers["set-cookie"]
    flags = {flag.strip() for flag in cookie.split(";")[1:]}
    assert cookie.startswith("__Host-join=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= flags
    assert not any(flag.startswith("Domain") for flag in flags)
    assert "verifier" not in cookie


async def test_a_name_that_would_be_markup_is_shown_as_text(client: Client, company: World) -> None:
    await admin_of(client, company.tenant, "eve")
    body = {
        "tenant": company.tenant,
        "users": [{"oid": f"eve-{company.tenant}", "name": "<script>alert(1)</script>"}],
    }
    (await client.send("POST", f"{client.entra}/_sim/tenants", body)).expect(200)

    page = await sign_in(Browser(client), company, "eve")

    assert page.status == 200
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text


@pytest.mark.parametrize("name", ["secret.txt", "..%2Fbase.html", "portal.css/..", "%00"])
async def test_only_known_files_are_served(client: Client, name: str) -> None:
    known = await Browser(client).open("/static/portal.css")
    other = await Browser(client).open(f"/static/{name}")

    assert (known.status, known.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert other.status == 404


async def test_a_directory_admin_may_manage_at_once_and_another_role_gives_nothing(
    client: Client, world: World
) -> None:
    admin = await client.api(world.tenant, roles=(), claims={"wids": [GLOBAL_ADMIN]})
    other = await client.api(world.tenant, roles=(), claims={"wids": [str(uuid4())]})

    assert (await admin.send("GET", "/licenses")).status == 200
    assert (await other.send("GET", "/licenses")).status == 403


async def test_an_id_token_is_no_access_token(
    cloud: LocalCloud, client: Client, world: World
) -> None:
    del cloud
    bare = {"scp": None, "azp": None, "azpacr": None}
    id_token = await client.api(world.tenant, claims=bare)
    other_scope = await client.api(world.tenant, claims={"scp": "openid profile"})
    app_only = await client.api(world.tenant, claims={"scp": None})

    assert (await id_token.send("GET", "/licenses")).status == 401
    assert (await other_scope.send("GET", "/licenses")).status == 401
    assert (await app_only.send("GET", "/licenses")).status == 200
