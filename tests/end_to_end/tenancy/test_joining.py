"""Joining in a browser: signing in, granting consent, and attempts to abuse either."""

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
    await client.know(tenant, "Contoso", {**user, "wids": [GLOBAL_ADMIN], **more})


async def sign_in(browser: Browser, world: World, name: str = "ada", to: str = "/") -> Shown:
    return await browser.sign_in(f"{name}-{world.tenant}", to)


async def consent_page(browser: Browser, world: World) -> Shown:
    """Sign in and open Entra's consent page."""
    return await browser.submit(await sign_in(browser, world), "/consent")


async def test_admin_signs_in_and_consent_connects_tenant(client: Client, company: World) -> None:
    browser = Browser(client)
    start = await browser.open("/")
    asked = await sign_in(browser, company)
    page = await browser.submit(asked, "/consent")

    shown = await browser.pick(page, answer="accept", chosen=company.tenant)

    assert "Sign in with Microsoft" in start.text
    for permission in ("User.Read.All", "Contacts.ReadWrite", "never changed"):
        assert permission in (await Browser(client).open("/consent")).text
        assert permission in asked.text
    assert "signed in as Ada" in asked.text
    assert (shown.status, shown.path, shown.query) == (200, "/", {})
    assert "Your organization is connected" in shown.text
    seen = await company.api.get("/tenant")
    assert (seen["status"], seen["region"]) == ("connected", "westeurope")
    assert "Contacts.ReadWrite" in seen["permissions"]
    (joined,) = await company.api.all("/ledger?action=tenant.joined")
    assert (joined["actorName"], joined["origin"]) == ("Ada", "portal")
    assert set(browser.cookies) == {"__Host-session"}


async def test_consent_that_is_not_active_yet_says_so_until_it_is(
    client: Client, company: World
) -> None:
    await client.consent(company.tenant, granted=False, slow=True)
    browser = Browser(client)
    page = await consent_page(browser, company)

    pending = await browser.pick(page, answer="accept", chosen=company.tenant)
    start = await browser.open("/")
    await client.consent(company.tenant)
    joined = await browser.open("/")

    for shown in (pending, start):
        assert (shown.status, shown.path) == (200, "/")
        assert "is not active yet" in shown.text
    assert "is not active yet" not in joined.text
    assert (await company.api.get("/tenant"))["status"] == "connected"


async def test_invited_admin_joins_and_gets_to_the_invitation(
    client: Client, world: World, company: World
) -> None:
    share = await world.share(name="Sales of Contoso")
    invitation = f"/imports/new?share={share['shareId']}"
    browser = Browser(client)

    asked = await sign_in(browser, company, to=invitation)
    page = await browser.submit(asked, "/consent")
    shown = await browser.pick(page, answer="accept", chosen=company.tenant)

    assert (asked.path, asked.query) == ("/", {"to": invitation})
    assert (shown.status, shown.path) == (200, "/imports/new")
    assert "Your organization is connected" in shown.text
    assert "Sales of Contoso" in shown.text
    assert (await browser.open("/?to=https://evil.example/")).path == "/"
    assert (await browser.open("/?to=/settings/leave")).path == "/"


async def test_a_notice_is_shown_once(client: Client, company: World) -> None:
    browser = Browser(client)
    page = await consent_page(browser, company)
    await browser.pick(page, answer="accept", chosen=company.tenant)

    assert "Your organization is connected" not in (await browser.open("/")).text


async def test_consent_page_warns_that_each_consent_opens_every_mailbox(
    client: Client, company: World
) -> None:
    browser = Browser(client)

    for shown in (await browser.open("/consent"), await sign_in(browser, company)):
        assert "Each new consent grants that access again" in shown.text
        assert "exchange-rbac.ps1" in shown.text


async def test_consent_in_portal_reconnects_disconnected_tenant(
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
    await sign_in(browser, world)

    page = await browser.submit(await browser.open("/consent"), "/consent")
    await browser.pick(page, answer="accept", chosen=world.tenant)

    assert (await world.api.get("/tenant"))["status"] == "connected"


async def test_only_admins_may_start_or_complete_consent(client: Client, company: World) -> None:
    await admin_of(client, company.tenant, "rita", wids=[], roles=["Reader"])
    await admin_of(client, company.tenant, "nils", wids=[])
    for name in ("rita", "nils"):
        browser = Browser(client)
        shown = await sign_in(browser, company, name)
        page = await browser.open("/consent")
        token = shown.form("/sign-out").fields

        asked = await browser.open("/consent", "POST", token)
        finished = await browser.open("/consented?admin_consent=True&state=x")

        assert "Continue to Microsoft" not in page.text
        assert (asked.status, finished.status) == (403, 403)
    assert (await company.api.send("GET", "/shares")).status == 403


async def test_consent_started_by_another_admin_is_refused(client: Client, company: World) -> None:
    await admin_of(client, company.tenant, "ada")
    await client.know(
        company.tenant,
        "Contoso",
        *(
            {"oid": f"{name}-{company.tenant}", "name": name, "wids": [GLOBAL_ADMIN]}
            for name in ("ada", "bob")
        ),
    )
    ada, bob = Browser(client), Browser(client)
    page = await consent_page(ada, company)
    await sign_in(bob, company, "bob")
    bob.cookies["__Host-consent"] = ada.cookies["__Host-consent"]
    await client.consent(company.tenant)

    refused = await bob.open(f"/consented?{urlencode({'state': page.query['state']})}")

    assert refused.status == 403
    assert "Someone else" in refused.text


async def test_declined_consent_is_reported_and_does_not_connect_tenant(
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


async def test_consent_error_is_reported_even_if_consent_was_already_granted(
    client: Client, company: World
) -> None:
    browser = Browser(client)
    page = await consent_page(browser, company)
    await client.consent(company.tenant)
    state = page.query["state"]

    back = {"admin_consent": "True", "error": "server_error", "state": state}
    refused = await browser.open(f"/consented?{urlencode(back)}")

    assert refused.status == 403
    assert "did not grant" in refused.text


async def test_tenant_in_consent_redirect_is_ignored(
    client: Client, company: World, partner: World
) -> None:
    """The partner has consented; the company's admin claims to return for the partner's tenant."""
    browser = Browser(client)
    page = await consent_page(browser, company)

    claim = {"admin_consent": "True", "tenant": partner.tenant, "state": page.query["state"]}
    answer = await browser.open(f"/consented?{urlencode(claim)}")

    assert "is not active yet" in answer.text
    assert partner.tenant not in answer.text
    assert (await company.api.send("GET", "/shares")).status == 403
    assert await partner.api.all("/ledger?action=tenant.reconnected") == []


@pytest.mark.parametrize("state", ["", "guessed", "of another"])
async def test_state_not_issued_to_this_browser_is_refused(
    client: Client, company: World, state: str
) -> None:
    browser, other = Browser(client), Browser(client)
    await consent_page(browser, company)
    theirs = await consent_page(other, company)
    await client.consent(company.tenant)

    given = theirs.query["state"] if state == "of another" else state
    back = {"admin_consent": "True", "tenant": company.tenant, "state": given}
    refused = await browser.open(f"/consented?{urlencode(back)}")

    assert refused.status == 403
    assert "was not started in this browser" in refused.text


async def test_redirect_without_matching_cookie_is_refused(client: Client, company: World) -> None:
    browser = Browser(client)
    page = await consent_page(browser, company)
    await client.consent(company.tenant)
    back = urlencode({"admin_consent": "True", "state": page.query["state"]})
    signed_in = {"__Host-session": browser.cookies["__Host-session"]}

    nobody = await Browser(client).open(f"/consented?{back}")
    elsewhere = await Browser(client, signed_in).open(f"/consented?{back}")
    forged = {**signed_in, "__Host-consent": "forged"}
    made_up = await Browser(client, forged).open(f"/consented?{back}")
    swapped = {**signed_in, "__Host-consent": browser.cookies["__Host-session"]}
    of_another_purpose = await Browser(client, swapped).open(f"/consented?{back}")
    signing_in = await Browser(client).open("/signed-in", "POST", "code=x&state=y")

    assert nobody.status == 401
    assert "The sign-in was started in another browser" in signing_in.text
    for refused in (elsewhere, made_up, of_another_purpose, signing_in):
        assert refused.status == 403
        assert "started in another browser" in refused.text


async def test_attackers_sign_in_cannot_be_completed_in_victims_browser(
    client: Client, company: World
) -> None:
    """Session fixation: the attacker's code and state, opened in the victim's browser."""
    attacker, victim = Browser(client), Browser(client)
    picker = await attacker.submit(await attacker.open("/"), "/sign-in")
    redirect = await attacker.pick(picker, login_hint=f"ada-{company.tenant}", follow=False)
    await victim.submit(await victim.open("/"), "/sign-in")

    refused = await victim.submit(redirect)

    assert refused.status == 403
    assert "was not started from Contact Sync" in refused.text
    assert "__Host-session" not in victim.cookies


async def test_consent_that_takes_too_long_is_refused(client: Client, company: World) -> None:
    browser = Browser(client)
    page = await consent_page(browser, company)
    late = dict(browser.cookies)
    await client.clock("2099-01-01T00:00:00Z")
    await client.consent(company.tenant)
    again = Browser(client)
    await sign_in(again, company)
    again.cookies["__Host-consent"] = late["__Host-consent"]

    refused = await again.open(f"/consented?{urlencode({'state': page.query['state']})}")

    assert refused.status == 403
    assert "in another browser or has expired" in refused.text


async def test_missing_permission_is_named(client: Client, company: World) -> None:
    browser = Browser(client)
    page = await consent_page(browser, company)
    body: Json = {"tenant": company.tenant, "granted": True, "roles": ["User.Read.All"]}
    (await client.send("POST", f"{client.entra}/_sim/consent", body)).expect(200)
    back = {"admin_consent": "True", "state": page.query["state"]}

    refused = await browser.open(f"/consented?{urlencode(back)}")

    assert refused.status == 403
    assert "GroupMember.Read.All" in refused.text
    assert "Contacts.ReadWrite" not in refused.text


async def test_directory_permissions_alone_connect_tenant(client: Client, company: World) -> None:
    browser = Browser(client)
    page = await consent_page(browser, company)
    roles = ["User.Read.All", "GroupMember.Read.All", "OrgContact.Read.All"]
    body: Json = {"tenant": company.tenant, "granted": True, "roles": roles}
    (await client.send("POST", f"{client.entra}/_sim/consent", body)).expect(200)
    back = {"admin_consent": "True", "state": page.query["state"]}

    shown = await browser.open(f"/consented?{urlencode(back)}")

    assert (shown.status, shown.path) == (200, "/")
    assert (await company.api.get("/tenant"))["permissions"] == sorted(roles)


async def test_sign_in_redirect_has_required_openid_connect_parameters(client: Client) -> None:
    browser = Browser(client)

    step = await browser.submit(await browser.open("/"), "/sign-in", follow=False)

    target = urlsplit(step.headers["location"])
    query = dict(parse_qsl(target.query))
    assert (step.status, target.path) == (303, "/organizations/oauth2/v2.0/authorize")
    assert query["response_type"] == "code"
    assert query["response_mode"] == "form_post"
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == 43
    assert len(query["state"]) >= 16
    assert len(query["nonce"]) >= 16
    assert set(query["scope"].split()) == {"openid", "profile"}
    assert query["redirect_uri"] == f"{client.addresses['portal']}/signed-in"


async def test_host_header_does_not_affect_redirect_uri(client: Client) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}

    step = await Browser(client).open("/sign-in", "POST", follow=False, headers=headers)
    forged = await Browser(client).open("/", headers=headers)

    assert step.status == 303
    assert "evil.example" not in step.headers["location"]
    assert "evil.example" not in forged.text


@pytest.mark.parametrize("name", ["secret.txt", "..%2Fbase.html", "portal.css/..", "%00"])
async def test_only_known_files_are_served(client: Client, name: str) -> None:
    known = await Browser(client).open("/static/portal.css")
    other = await Browser(client).open(f"/static/{name}")

    assert (known.status, known.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert other.status == 404


async def test_global_administrator_has_access_and_other_directory_roles_have_none(
    client: Client, world: World
) -> None:
    admin = await client.api(world.tenant, roles=(), claims={"wids": [GLOBAL_ADMIN]})
    other = await client.api(world.tenant, roles=(), claims={"wids": [str(uuid4())]})

    assert (await admin.send("GET", "/licenses")).status == 200
    assert (await other.send("GET", "/licenses")).status == 403


async def test_id_token_is_refused_as_access_token(
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
