"""Companies that begin to import a share: the publisher learns of each, and can decide first."""

from datetime import UTC, datetime, timedelta

from tests.end_to_end.browser import Browser
from tests.end_to_end.checks import fields, problem
from tests.end_to_end.signed_in import browser_of, text_of
from tests.local.client import Client
from tests.world import DOMAIN, World


async def test_nothing_is_read_for_a_company_before_the_publisher_approves_it(
    client: Client, world: World, partner: World
) -> None:
    early = await World.create(client)
    share = await world.share()
    path = f"/shares/{share['id']}"
    await early.import_(share["shareId"])
    anyone = {"rule": "anyone_with_id", "approval": True}
    await world.api.patch(path, {"access": anyone}, 200)
    await client.reset_requests()

    seen = await partner.api.get(f"/publications/{share['shareId']}")
    made = await partner.import_(share["shareId"])
    run = await partner.last_run(made["id"])
    mailbox = {"mailbox": partner.targets[0]}
    looked = await partner.api.send("POST", f"/imports/{made['id']}/preview", mailbox)

    assert (seen["waiting"], seen["contacts"]) == (True, None)
    assert made["suspended"] == "publisher_approval_pending"
    assert (run["status"], run["reason"]) == ("failed", "publisher_approval_pending")
    assert problem(looked, 409, "needs-admin")["reason"] == "publisher_approval_pending"
    assert world.tenant not in (await client.requests())["tenants"]
    states = {c["tenant"]: c["state"] for c in await world.api.all(f"{path}/subscribers")}
    assert states == {early.tenant: "admitted", partner.tenant: "waiting"}
    told = await world.api.all("/ledger?action=share.imported")
    assert [(e["actor"], e["detail"]["tenant"]) for e in told] == [
        ("service", partner.tenant), ("service", early.tenant),
    ]  # fmt: skip
    start = text_of(await (await browser_of(client, world)).open("/"))
    assert "A company waits for your approval" in start
    assert "A company began to import a share" in start

    answer = f"{path}/subscribers/{partner.tenant}"
    await world.api.delete(answer, 204)
    assert (await partner.api.send("GET", f"/publications/{share['shareId']}")).status == 404
    await world.api.post(f"{answer}/approve", None, 204)
    await client.settle()
    assert await partner.names(partner.targets[0]) == world.expected()
    assert (await partner.api.get(f"/imports/{made['id']}"))["suspended"] is None
    await world.api.delete(answer, 204)
    await client.settle()
    assert await partner.names(partner.targets[0]) == []
    start = text_of(await (await browser_of(client, world)).open("/"))
    assert "A company waits for your approval" not in start
    (await partner.api.send("POST", f"{answer}/approve")).expect(404)


async def test_company_is_approved_on_its_page(world: World, partner: World, ada: Browser) -> None:
    share = await world.share(access={"rule": "anyone_with_id", "approval": True})
    await partner.import_(share["shareId"])
    path = f"/shares/{share['id']}/subscribers/{partner.tenant}"

    listed = await ada.open(f"/shares/{share['id']}")
    done = await ada.submit(await ada.open(path), path, do="approve")
    await world.client.settle()

    assert "waits for your approval" in text_of(listed)
    assert "The company is approved" in text_of(done)
    assert await partner.names(partner.targets[0]) == world.expected()


async def test_leaving_publisher_can_still_revoke_but_gains_no_partner(
    client: Client, partner: World
) -> None:
    world = await World.create(client)
    late = await World.create(client)
    shares = [await world.share(name=f"S{n}") for n in range(2)]
    await partner.import_(shares[0]["shareId"])
    await world.import_(shares[0]["id"])
    # The removal from the own mailboxes takes a while.
    await client.fault(f"/users/{world.targets[0]}", {"status": 503}, times=200)
    code = (await world.api.delete("/tenant", 200))["confirm"]
    await world.api.delete(f"/tenant?confirm={code}&tenant={world.tenant}", 202)

    for hours, known in ((1, 200), (25, 404)):
        await world.client.clock((datetime.now(UTC) + timedelta(hours=hours)).isoformat())
        await client.fire("start_due_runs")
        for share in shares:
            body = {"name": "I", "shareId": share["shareId"], "targets": {"users": late.targets}}
            refused = await late.api.send("POST", "/imports", body)
            assert fields(problem(refused, 400, "invalid-input")) == {"shareId"}
            (await late.api.send("GET", f"/publications/{share['shareId']}")).expect(404)
        # Who imports the share already may go on while the publisher may still stay.
        (await partner.api.send("GET", f"/publications/{shares[0]['shareId']}")).expect(known)
    world.api = await client.api(world.tenant)
    blocked = f"/shares/{shares[0]['id']}/subscribers/{partner.tenant}"
    await world.api.delete(blocked, 204)
    await world.api.delete(f"/shares/{shares[0]['id']}", 204)
    refused = await world.api.send("POST", "/shares", {"name": "x", "sources": {"allUsers": True}})
    assert problem(refused, 409, "conflict")["code"] == "tenant_leaving"
    await client.clear_faults()
    await client.settle()
    assert await partner.names(partner.targets[0]) == []


async def test_partner_is_shown_by_a_domain_that_it_owns(
    world: World, partner: World, ada: Browser
) -> None:
    await partner.api.patch("/tenant", {"name": "Contoso (Microsoft)"}, 200)
    share = await world.share()
    await partner.import_(share["shareId"], settle=False)
    (listed,) = await world.api.all(f"/shares/{share['id']}/subscribers")

    shown = text_of(await ada.open(f"/shares/{share['id']}"))
    start = text_of(await ada.open("/"))

    assert listed["domain"] == DOMAIN
    assert f"{DOMAIN} calls itself Contoso (Microsoft)" in shown
    assert f"{DOMAIN} (“Contoso (Microsoft)”)" in start
