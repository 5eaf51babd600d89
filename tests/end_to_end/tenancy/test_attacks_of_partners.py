"""What a hostile partner, or a hostile publisher, tries over HTTP, and does not get."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any
from uuid import uuid4

from azure.data.tables.aio import TableServiceClient

from shared.adapters.storage.store import COUNT_OF_OBJECTS, Store
from shared.adapters.storage.tables.client import Tables
from shared.adapters.storage.tables.names import Table
from shared.domain.importing.import_life import ImportRuns
from tests.end_to_end.checks import UNKNOWN, an_import, fields, problem
from tests.end_to_end.signed_in import browser_of, text_of
from tests.local.client import Client, Json
from tests.local.cloud import LocalCloud
from tests.world import World, person

TARGET = str(uuid4())
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
        "suppressed": {},
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
    await world.api.delete(f"/people/{found['suppressed']['id']}", 202)
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
    made = await partner.import_(share["shareId"])
    mailbox = partner.targets[0]

    run = await partner.last_run(made["id"])
    # A second person is suppressed while the partner has the contact, which starts a revocation.
    gone = world.people[-1]
    await world.api.delete(f"/people/{gone}", 202)
    await partner.client.settle()
    rows = await partner.api.all("/tenant/export")
    # Its audit log names the people it asked for itself.
    export = json.dumps([row for row in rows if row["table"] not in {"Ledger", "LedgerFeed"}])
    contacts = await partner.client.folder(partner.tenant, mailbox)
    # Afterwards, because the partner's own ledger names the people it asks about.
    answers = [
        await partner.api.get(f"/imports/{made['id']}/explain?mailbox={mailbox}&person={id_}")
        for id_ in [str(uuid4()), *(each["id"] for each in hush.values())]
    ]

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
        gone: "suppressed",
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
    (await partner.api.send("GET", f"/publications/{share['shareId']}")).expect(404)

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

    (await partner.api.send("GET", f"/publications/{share['shareId']}")).expect(404)
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
    await partner.import_(share["shareId"])
    await world.api.delete(f"{path}/subscribers/{partner.tenant.upper()}", 204)
    assert (await world.api.get(path))["blocked"] == [partner.tenant]
    (await partner.api.send("GET", f"/publications/{share['shareId']}")).expect(404)


async def test_rotation_never_undoes_a_concurrent_revocation(world: World, partner: World) -> None:
    async def tried(number: int) -> None:
        share = await world.share(name=f"Race {number}")
        path, block = f"/shares/{share['id']}", {"blocked": [partner.tenant]}
        revoking: tuple[tuple[str, Json | None], ...] = (
            ("PATCH", block),
            ("PATCH", {"access": {"rule": "tenant"}}),
            ("DELETE", None),
        )
        method, change = revoking[number % 3]
        revoke = world.api.send(method, path, change)
        rotations = [world.api.send("POST", f"{path}/rotate", {}) for _ in range(2)]
        revoked, *rotated = await asyncio.gather(revoke, *rotations)

        assert revoked.status in {200, 204, 503}, revoked.body
        if revoked.status == 503:
            return
        known = {share["shareId"], *(r.body["shareId"] for r in rotated if r.status == 200)}
        left = [s for s in await world.api.all("/shares") if s["name"] == share["name"]]
        assert len(left) == (number % 3 < 2)
        for stored in left:
            assert stored["shareId"] in known
            assert stored["id"] == share["id"]
            assert {"blocked": stored["blocked"]} == block or stored["access"]["rule"] == "tenant"
        for secret in known:
            body = {"name": "I", "shareId": secret, "targets": {"users": partner.targets}}
            refused = await partner.api.send("POST", "/imports", body)
            assert fields(problem(refused, 400, "invalid-input")) == {"shareId"}

    for some in batched(range(25), 5, strict=True):
        await asyncio.gather(*map(tried, some))


async def test_stable_id_opens_a_share_for_nobody_else(
    client: Client, world: World, partner: World
) -> None:
    share = await world.share()
    reader = await client.api(world.tenant, roles=["Reader"])
    own = await world.import_(share["shareId"], settle=False, active=False)

    for method, path, body in (
        ("GET", f"/publications/{share['id']}", None),
        ("POST", "/imports", {"name": "I", "shareId": share["id"], "targets": {"users": [TARGET]}}),
    ):
        stable = await partner.api.send(method, path, body)
        unknown = await partner.api.send(
            method, path.replace(share["id"], UNKNOWN), body and {**body, "shareId": UNKNOWN}
        )
        assert stable.status == unknown.status in {400, 404}
        assert stable.body["detail"] == unknown.body["detail"]
    assert own["shareId"] == share["id"]
    same = {"name": "Renamed", "shareId": share["shareId"]}
    assert (await world.api.patch(f"/imports/{own['id']}", same, 200))["shareId"] == share["id"]
    theirs = await partner.import_(share["shareId"], settle=False, active=False)
    seen = [
        await reader.get(f"/shares/{share['id']}"),
        *(await reader.all("/shares")),
        *(await reader.all("/imports")),
        *(await reader.all("/ledger")),
    ]
    assert share["shareId"] not in json.dumps(seen)
    assert (seen[0]["id"], seen[0]["shareId"]) == (share["id"], None)
    readers = await client.api(partner.tenant, roles=["Reader"])
    assert (await readers.get(f"/imports/{theirs['id']}"))["shareId"] is None
    assert share["shareId"] not in json.dumps(await readers.all("/ledger"))


async def test_limit_of_shares_and_imports_holds_for_concurrent_requests(
    cloud: LocalCloud, world: World
) -> None:
    share = await world.share()
    made = await world.import_(share["id"], settle=False, active=False)
    async with TableServiceClient.from_connection_string(
        cloud.environment["AzureWebJobsStorage"]
    ) as service:
        store = Store(Tables(service))
        known = await store.shares.get(world.tenant, share["id"])
        paused = await store.imports.get(world.tenant, made["id"])
        assert known is not None
        assert paused is not None
        ids = [f"{n:032x}" for n in range(496)]
        await store.shares.write_many(world.tenant, {i: known.value.copy_with(id=i) for i in ids})
        await store.imports.write_many(world.tenant, {i: paused.value.copy_with(id=i) for i in ids})
        await store.import_runs.write_many(world.tenant, {i: ImportRuns(import_id=i) for i in ids})
        for table in (Table.SHARES, Table.IMPORTS):
            await store.tables.delete(table, world.tenant, f"{COUNT_OF_OBJECTS}count")

    for path, body, one in (
        ("/shares", {"name": "M", "sources": {"groups": [{"id": world.group}]}}, ids[0]),
        ("/imports", an_import(world, share["id"], active=False), made["id"]),
    ):
        await asyncio.gather(*(world.api.send("POST", path, body) for _ in range(12)))
        for _ in range(3):
            last = await world.api.send("POST", path, body)
        assert problem(last, 409, "conflict")["code"] == f"too_many_{path[1:]}"
        assert len(await world.api.all(path)) == 500
        await world.api.delete(f"{path}/{one}")
        await world.api.post(path, body, 201)


async def test_garbage_in_a_continuation_token_is_400_on_every_list(world: World) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    lists = [
        "/shares", "/imports", "/runs", "/ledger", "/tenant/export", "/licenses/assignments",
        f"/imports/{made['id']}/runs", f"/runs/{made['firstRun']}/results",
    ]  # fmt: skip
    for _ in range(2):
        await world.share()
    page = await world.api.get("/shares?top=1")
    mark = json.loads(base64.urlsafe_b64decode(page["next"]))[0]
    garbage = [
        "x", "....", "%00", "%ED%A0%80", "AAAA",
        *(token(values) for values in ([mark, "\ud800", "\ud800"], [mark, "a/b", None],
          [mark, None, None], [mark, world.tenant, "\u0000"], [0, "\ud800"], ["\ud800", 1])),
    ]  # fmt: skip
    wrong = []

    for path in lists:
        for each in garbage:
            reply = await world.api.send("GET", f"{path}?top=1&next={each}")
            # A well-formed token of the same list may point anywhere in it.
            if reply.status != 400 and not (reply.status == 200 and path == "/shares"):
                wrong.append((path, each, reply.status))
    assert wrong == []


def token(values: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


async def test_what_is_taken_back_leaves_paused_imports_and_the_publisher_sees_what_is_left(
    world: World, partner: World
) -> None:
    share = await world.share()
    path = f"/shares/{share['id']}"
    made = await partner.import_(share["shareId"])
    await partner.api.patch(f"/imports/{made['id']}", {"active": False}, 200)
    person, name = world.people[0], world.users[world.people[0]]["displayName"]

    await world.api.delete(f"/people/{person}", 202)
    await world.client.settle()
    assert name not in await partner.names(partner.targets[0])

    # One of the partner's mailboxes vanishes; Exchange may give it back with all its contacts.
    gone = partner.targets[1]
    await world.client.change_tenant(partner.tenant, users=[{"id": gone, "mailbox": False}])
    await world.api.delete(f"{path}/subscribers/{partner.tenant}", 204)
    await world.client.settle()
    (listed,) = await world.api.all(f"{path}/subscribers")
    assert await partner.names(partner.targets[0]) == []
    assert (listed["state"], listed["remaining"], listed["unreachable"]) == ("blocked", 1, 1)
    shown = text_of(await (await browser_of(world.client, world)).open(path))
    assert "contacts still in 1 mailbox" in shown

    await world.client.change_tenant(partner.tenant, users=[{"id": gone, "mailbox": True}])
    await world.api.delete(path, 204)
    await partner.next_day()
    assert await partner.names(gone) == []
    assert await world.api.all(f"{path}/subscribers") == []
    (await partner.api.send("GET", f"{path}/subscribers")).expect(404)


async def test_withdrawal_and_expiry_reach_paused_imports(world: World, partner: World) -> None:
    ends = (datetime.now(UTC) + timedelta(hours=12)).isoformat()
    expiring = await world.share(access={"rule": "anyone_with_id", "expires": ends})
    withdrawn = await world.share()
    for number, share in enumerate((expiring, withdrawn)):
        made = await partner.import_(
            share["shareId"], name=f"I{number}", destination={"folder": f"F{number}"}
        )
        await partner.api.patch(f"/imports/{made['id']}", {"active": False}, 200)
        assert len(await partner.names(partner.targets[0], f"F{number}")) == 5

    await world.api.delete(f"/shares/{withdrawn['id']}", 204)
    await partner.next_day()

    box = await world.client.mailbox(partner.tenant, partner.targets[0])
    assert [len(folder["contacts"]) for folder in box["folders"]] == [0] * len(box["folders"])


async def test_growth_of_a_partners_share_is_held_by_default(world: World, partner: World) -> None:
    share = await world.share()
    made = await partner.import_(share["shareId"])
    many = [person(1000 + n) for n in range(150)]
    await world.client.change_tenant(world.tenant, users=many)
    await world.members([*world.people, *(each["id"] for each in many)])

    await partner.next_day()

    run = await partner.last_run(made["id"])
    assert (run["status"], run["reason"], run["shareContacts"]) == ("held", "too_many_creates", 155)
    assert run["contacts"]["created"] == 0
    assert len(await partner.names(partner.targets[0])) == 5
    start = text_of(await (await browser_of(world.client, partner)).open("/"))
    assert "A sync needs your review" in start
