"""What a hostile partner, or a hostile publisher, tries over HTTP, and does not get."""

import json
from typing import Any
from uuid import uuid4

from tests.end_to_end.checks import fields, problem
from tests.local.client import Json
from tests.world import World, person

_NOBODY: Json = {"omissions": [], "omitted": {}}


async def secrets(world: World) -> dict[str, Json]:
    """Add a member for each reason to be omitted, and return them by reason.

    Each is the manager of somebody in the share.
    """
    hidden: dict[str, dict[str, Any]] = {
        "excluded": {},
        "filtered": {"department": "Secret"},
        "disabled": {"accountEnabled": False},
        "hidden": {"showInAddressList": False},
        "kept_out": {},
    }
    found = {
        reason: person(100 + n, **{"displayName": f"Hush {reason}", "department": "Sales", **more})
        for n, (reason, more) in enumerate(hidden.items())
    }
    members = [person(200 + n, department="Sales") for n in range(len(found) + 1)]
    # The last member is the manager of the first secret's report, so that one manager is shown.
    for member, boss in zip(members, [*found.values(), members[0]], strict=True):
        member["manager"] = {"id": boss["id"]}
    await world.client.change_tenant(world.tenant, users=[*found.values(), *members])
    await world.members([each["id"] for each in [*found.values(), *members]])
    await world.api.delete(f"/people/{found['kept_out']['id']}", 202)
    return found


async def test_partner_learns_nothing_of_people_whom_the_share_does_not_hold(
    world: World, partner: World
) -> None:
    hush = await secrets(world)
    typed = {"manager": "Hush excluded", "assistantName": "person 5"}
    share = await world.share(
        sources={
            "groups": [{"id": world.group}],
            "exclude": [hush["excluded"]["id"]],
            "filter": {"department": ["Sales"]},
            "contacts": [
                {"displayName": "Hotline", **typed},
                {"displayName": "Person 5", "id": "five"},
            ],
        }
    )
    made = await partner.import_(share["id"])
    mailbox = partner.targets[0]

    run = await partner.last_run(made["id"])
    answers = [
        await partner.api.get(f"/imports/{made['id']}/explain?mailbox={mailbox}&person={id_}")
        for id_ in [str(uuid4()), *(each["id"] for each in hush.values())]
    ]
    # A second person is suppressed while the partner has the contact, which starts a revocation.
    gone = world.people[-1]
    await world.api.delete(f"/people/{gone}", 202)
    await partner.client.settle()
    rows = await partner.api.all("/tenant/export")
    # Its audit log names the people it asked for itself.
    export = json.dumps([row for row in rows if row["table"] not in {"Ledger", "LedgerFeed"}])
    contacts = await partner.client.folder(partner.tenant, mailbox)

    assert {name: run[name] for name in _NOBODY} == _NOBODY
    assert run["shareContacts"] == len(contacts) + 1
    assert {a.pop("person") for a in answers} >= {each["id"] for each in hush.values()}
    assert {json.dumps(answer) for answer in answers} == {json.dumps(answers[0])}
    assert (answers[0]["published"], answers[0]["reason"]) == (False, "not_in_share")
    everything = export + json.dumps(contacts)
    assert "Hush" not in everything
    assert not [reason for reason, each in hush.items() if each["id"] in everything]
    shown = {c["displayName"]: (c["manager"], c["assistantName"]) for c in contacts}
    assert shown["Hotline"] == (None, "person 5")
    # The publisher sees all of it on its own side.
    seen = await world.api.get(f"/shares/{share['id']}/preview")
    assert {o["id"]: o["reason"] for o in seen["omissions"]} == {
        **{each["id"]: reason for reason, each in hush.items()},
        gone: "kept_out",
    }


async def test_manager_is_shown_only_while_the_share_holds_that_person(world: World) -> None:
    boss, worker = world.people[0], world.people[1]
    await world.change(worker, manager={"id": boss})
    share = await world.share()
    await world.import_(share["id"])

    async def manager() -> str | None:
        found = await world.client.folder(world.tenant, world.targets[0])
        return next((c["manager"] for c in found if c["surname"] == "Nº 1"), None)

    inside = await manager()
    await world.api.patch(
        f"/shares/{share['id']}",
        {"sources": {"groups": [{"id": world.group}], "exclude": [boss]}},
        200,
    )
    await world.next_day()

    assert (inside, await manager()) == ("Person 0", None)


async def test_client_that_sends_null_for_unset_fields_opens_nothing(
    world: World, partner: World
) -> None:
    share = await world.share(
        sources={
            "groups": [{"id": world.group}],
            "exclude": world.people[:1],
            "filter": {"department": ["Sales"]},
        },
        fields=["displayName"],
        access={"rule": "tenants", "tenants": [str(uuid4())], "expires": "2099-01-01T00:00:00Z"},
        blocked=[partner.tenant],
    )
    path = f"/shares/{share['id']}"
    unset = dict.fromkeys(("sources", "fields", "access", "blocked"))
    deep = {
        "sources": dict.fromkeys(share["sources"]),
        "access": dict.fromkeys(share["access"]),
    }

    for body in (unset, deep, {"sources": {"filter": {"department": None}}}):
        changed = await world.api.patch(path, {"name": "Renamed", **body}, 200)
        assert {n: changed[n] for n in unset} == {n: share[n] for n in unset}, body
    (await partner.api.send("GET", f"/publications/{share['id']}")).expect(404)

    made = await world.import_(
        share["id"],
        settle=False,
        active=False,
        guard={"deletes": 1, "creates": 1},
        conflicts={"deleted": "respect"},
    )
    kept = ("targets", "guard", "conflicts", "schedule", "destination", "active", "shareId")
    after = await world.api.patch(
        f"/imports/{made['id']}", {"name": "Renamed", **dict.fromkeys(kept)}, 200
    )
    assert {n: after[n] for n in kept} == {n: made[n] for n in kept}


async def test_block_holds_however_the_tenant_is_written(world: World, partner: World) -> None:
    share = await world.share(blocked=[partner.tenant.upper()])
    path = f"/shares/{share['id']}"

    (await partner.api.send("GET", f"/publications/{share['id']}")).expect(404)
    assert share["blocked"] == [partner.tenant]
    for field, body in (
        ("blocked.0", {"blocked": ["contoso.com"]}),
        ("blocked.1", {"blocked": [partner.tenant, partner.tenant[:-1]]}),
        ("access.tenants.0", {"access": {"rule": "tenants", "tenants": ["contoso.com"]}}),
    ):
        refused = problem(await world.api.send("PATCH", path, body), 400, "invalid-input")
        assert [(e["field"], e["code"]) for e in refused["errors"]] == [
            (field, "tenant_id_invalid")
        ]
    kept = await world.api.send("POST", f"{path}/rotate", {"keep": ["contoso.com"]})
    assert fields(problem(kept, 400, "invalid-input")) == {"keep.0"}

    await world.api.patch(path, {"blocked": []}, 200)
    await partner.import_(share["id"])
    await world.api.delete(f"{path}/consumers/{partner.tenant.upper()}", 204)
    assert (await world.api.get(path))["blocked"] == [partner.tenant]
    (await partner.api.send("GET", f"/publications/{share['id']}")).expect(404)
