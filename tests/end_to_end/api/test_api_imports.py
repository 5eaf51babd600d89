"""The API over HTTP: imports, their runs, licenses, and idempotency keys."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.checks import UNKNOWN, an_import, fields, header, problem, raw
from tests.local.client import Json
from tests.world import World


async def test_creating_import_returns_first_run_and_needed_seats(world: World) -> None:
    share = await world.share()

    made = await world.import_(share["id"])

    assert made["licensesNeeded"] == len(world.targets)
    run = await world.api.get(f"/runs/{made['firstRun']}")
    assert (run["importId"], run["trigger"]) == (made["id"], "created")
    assert run["status"] == "succeeded"
    kept = await world.api.get(f"/imports/{made['id']}")
    assert kept["shareId"] == share["id"]
    assert "removing" not in kept


async def test_every_inaccessible_share_is_refused_with_the_same_error(
    world: World, partner: World
) -> None:
    elsewhere = {"rule": "tenants", "tenants": [str(uuid4())]}
    withdrawn = await world.share()
    await world.api.delete(f"/shares/{withdrawn['id']}")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    closed = [
        (await world.share(access=access))["id"]
        for access in (
            {"rule": "tenant"},
            elsewhere,
            {"rule": "anyone_with_id", "expires": tomorrow},
        )
    ]
    await world.days_pass(2)

    refusals = []
    for share in (UNKNOWN, withdrawn["id"], *closed):
        reply = await partner.api.send("POST", "/imports", an_import(partner, share))
        body = problem(reply, 400, "invalid-input")
        refusals.append((body["detail"], body["errors"]))

    assert fields({"errors": refusals[0][1]}) == {"shareId"}
    assert all(refusal == refusals[0] for refusal in refusals)
    assert await partner.api.all("/imports") == []
    assert (await partner.api.get("/licenses"))["trialEnds"] is None


async def test_share_can_be_imported_by_named_tenants(world: World, partner: World) -> None:
    share = await world.share(access={"rule": "tenants", "tenants": [partner.tenant]})

    made = await partner.import_(share["shareId"])

    assert (await partner.last_run(made["id"]))["status"] == "succeeded"


INVALID_IMPORTS: dict[str, tuple[Json, set[str]]] = {
    "no share": ({"shareId": None}, {"shareId"}),
    "a list of shares": ({"shareId": [UNKNOWN, UNKNOWN]}, {"shareId"}),
    "no targets": ({"targets": {}}, {"targets"}),
    "empty targets": ({"targets": {"users": [], "groups": []}}, {"targets"}),
    "an invalid target id": ({"targets": {"users": ["mueller"]}}, {"targets.users.0"}),
    "an empty folder name": ({"destination": {"folder": " "}}, {"destination.folder"}),
    "an unknown field": ({"tenant": "x"}, {"tenant"}),
    "a reserved field": ({"removing": True}, {"removing"}),
    "a guard above 100 percent": ({"guard": {"deleteShare": 2}}, {"guard.deleteShare"}),
}


@pytest.mark.parametrize(("changes", "wrong"), INVALID_IMPORTS.values(), ids=INVALID_IMPORTS.keys())
async def test_invalid_import_is_refused_by_field(
    world: World, changes: dict[str, Any], wrong: set[str]
) -> None:
    reply = await world.api.send("POST", "/imports", {**an_import(world, UNKNOWN), **changes})

    assert fields(problem(reply, 400, "invalid-input")) == wrong


async def test_duplicate_share_id_is_refused(world: World) -> None:
    one, two = await world.share(), await world.share()
    content = (
        f'{{"name": "x", "shareId": "{one["id"]}", "shareId": "{two["id"]}", '
        f'"targets": {{"users": ["{world.targets[0]}"]}}}}'
    ).encode()

    reply = await raw(world.api, "POST", "/imports", content)

    assert fields(problem(reply, 400, "invalid-input")) == {"shareId"}


async def test_share_of_import_cannot_be_changed(world: World) -> None:
    one, two = await world.share(), await world.share()
    made = await world.import_(one["id"])
    path = f"/imports/{made['id']}"

    refused = await world.api.send("PATCH", path, {"shareId": two["id"]})
    same = await world.api.patch(path, {"shareId": one["id"], "active": False})

    assert fields(problem(refused, 400, "invalid-input")) == {"shareId"}
    assert same["active"] is False


async def test_paused_import_starts_first_run_when_activated(
    world: World,
) -> None:
    made = await world.import_((await world.share())["id"], active=False)
    path = f"/imports/{made['id']}"
    assert made["firstRun"] is None
    assert (await world.api.get(f"{path}/runs"))["items"] == []

    for active in (True, False, True):
        await world.api.patch(path, {"active": active})
        await world.client.settle()

    runs = (await world.api.get(f"{path}/runs"))["items"]
    assert [(run["trigger"], run["status"]) for run in runs] == [("created", "succeeded")]
    assert await world.names(world.targets[0]) == world.expected()


async def test_null_folder_is_default_folder_and_null_destination_changes_nothing(
    world: World,
) -> None:
    share = await world.share()
    made = await world.import_(share["id"], active=False)
    path = f"/imports/{made['id']}"

    default = await world.api.patch(path, {"destination": {"folder": None, "category": "Work"}})
    same = await world.api.patch(path, {"destination": None})

    assert default["destination"] == {"folder": None, "category": "Work"}
    assert same["destination"] == default["destination"]


async def test_concurrent_changes_are_all_kept(world: World) -> None:
    share = await world.share()
    made = await world.import_(share["id"], settle=False)
    path = f"/imports/{made['id']}"

    await asyncio.gather(
        world.api.patch(path, {"name": "Renamed"}),
        world.api.patch(path, {"guard": {"deletes": 77}}),
        world.api.patch(path, {"destination": {"category": "Work"}}),
    )
    await world.client.settle()

    kept = await world.api.get(path)
    assert (kept["name"], kept["guard"]["deletes"]) == ("Renamed", 77)
    assert kept["destination"]["category"] == "Work"


async def test_deleted_import_is_gone_at_once_and_removal_run_deletes_contacts(
    world: World,
) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    path = f"/imports/{made['id']}"

    reply = await world.api.send("DELETE", path)
    gone = [
        await world.api.send(method, path, body)
        for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None))
    ]
    listed = await world.api.all("/imports")
    await world.client.settle()

    run = await world.api.get(f"/runs/{reply.expect(202).body['removalRun']}")
    assert (run["trigger"], run["status"]) == ("removal", "succeeded")
    for answer in gone:
        problem(answer, 404, "not-found")
    assert listed == []
    assert [await world.names(mailbox) for mailbox in world.targets] == [[], []]


# Idempotency keys


async def test_repeated_post_with_same_key_creates_one_item(world: World) -> None:
    body = {"name": "People", "sources": {"groups": [{"id": world.group}]}}

    shares = [
        (await world.api.send("POST", "/shares", body, idempotency_key="1")).expect(201).body
        for _ in range(3)
    ]
    wanted = an_import(world, shares[0]["id"])
    imports = await asyncio.gather(
        *(world.api.send("POST", "/imports", wanted, idempotency_key="1") for _ in range(3))
    )
    again = (await world.api.send("POST", "/imports", wanted, idempotency_key="1")).expect(201)
    await world.client.settle()

    assert len({share["id"] for share in shares}) == 1
    assert len(await world.api.all("/shares")) == 1
    for made in imports:
        if made.status != 201:
            problem(made, 409, "idempotency-key-in-use")
            assert 1 <= int(header(made, "Retry-After")) <= 5
    answers = [(i.body, header(i, "Location")) for i in imports if i.status == 201]
    assert answers.count((again.body, header(again, "Location"))) == len(answers) > 0
    assert len(await world.api.all("/imports")) == 1
    assert len(await world.api.all("/runs")) == 1
    assert await world.names(world.targets[0]) == world.expected()


async def test_idempotency_key_belongs_to_one_body_and_one_tenant(
    world: World, partner: World
) -> None:
    body = {"name": "People", "sources": {"allUsers": True}}
    first = await world.api.send("POST", "/shares", body, idempotency_key="k")

    other = await world.api.send("POST", "/shares", {**body, "name": "x"}, idempotency_key="k")
    theirs = await partner.api.send("POST", "/shares", body, idempotency_key="k")

    problem(other, 422, "idempotency-key-reused")
    assert theirs.expect(201).body["id"] != first.expect(201).body["id"]


async def test_idempotency_key_of_deleted_item_creates_nothing(world: World) -> None:
    body = {"name": "People", "sources": {"groups": [{"id": world.group}]}}
    share = await world.share()
    wanted = an_import(world, share["id"])
    gone = (await world.api.send("POST", "/shares", body, idempotency_key="k")).expect(201).body
    made = (await world.api.send("POST", "/imports", wanted, idempotency_key="k")).expect(201).body
    await world.api.delete(f"/shares/{gone['id']}")
    await world.api.delete(f"/imports/{made['id']}")

    again = [
        (await world.api.send("POST", path, sent, idempotency_key="k")).expect(201).body
        for path, sent in (("/shares", body), ("/imports", wanted))
    ]
    await world.client.settle()

    assert again == [gone, made]
    assert [each["id"] for each in await world.api.all("/shares")] == [share["id"]]
    assert await world.api.all("/imports") == []


# Runs


async def test_results_show_current_mailbox_addresses(world: World) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    await world.change(world.targets[0], mail="new.name@example.com")

    results = await world.results(made["firstRun"])

    assert results[world.targets[0]]["address"] == "new.name@example.com"
    assert results[world.targets[0]]["created"] == len(world.people)
    assert {r["outcome"] for r in results.values()} == {"succeeded"}


async def test_results_have_no_addresses_if_directory_fails(world: World) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    await world.client.consent(world.tenant, granted=False)
    await world.client.fault(
        "getByIds", {"status": 403, "body": {}}, times=100, tenant=world.tenant
    )
    await world.client.fault("users", {"status": 403, "body": {}}, times=100, tenant=world.tenant)

    results = await world.results(made["firstRun"])

    assert {r["address"] for r in results.values()} == {None}
    assert set(results) == set(world.targets)


async def test_runs_and_results_can_be_filtered(world: World) -> None:
    share = await world.share()
    one, two = await world.import_(share["id"]), await world.import_(share["id"])

    of_one = await world.api.all(f"/runs?importId={one['id']}")
    failed = await world.api.all("/runs?status=failed")
    skipped = await world.api.all(f"/runs/{two['firstRun']}/results?outcome=skipped")

    assert [run["id"] for run in of_one] == [one["firstRun"]]
    assert (failed, skipped) == ([], [])
    for query in ("/runs?status=lost", f"/runs/{one['firstRun']}/results?outcome=lost"):
        reply = await world.api.send("GET", query)
        assert len(problem(reply, 400, "invalid-input")["errors"]) == 1
    forged = await world.api.send("GET", "/runs?importId=%27%20or%20PartitionKey%20ne%20%27")
    problem(forged, 400, "invalid-input")


async def test_runs_are_listed_newest_first(world: World) -> None:
    share = await world.share()
    made = [(await world.import_(share["id"]))["firstRun"] for _ in range(3)]

    assert [run["id"] for run in await world.api.all("/runs?top=2")] == made[::-1]


async def test_run_lists_omissions_with_reason_and_remedy(world: World) -> None:
    await world.change(world.people[0], mail=None, businessPhones=[], mobilePhone=None)
    share = await world.share(
        sources={"groups": [{"id": world.group}], "exclude": world.people[1:2]}
    )
    made = await world.import_(share["id"])

    run = await world.last_run(made["id"])

    reasons = {o["id"]: o["reason"] for o in run["omissions"]}
    assert reasons[world.people[1]] == "excluded"
    assert all(o["remedy"] for o in run["omissions"])
    assert all("omissions" not in listed for listed in await world.api.all("/runs"))


async def test_on_demand_run_in_trial_is_not_started_twice(world: World) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    path = f"/imports/{made['id']}/runs"

    first = await world.api.send("POST", path)
    second = await world.api.send("POST", path)
    await world.client.settle()
    third = await world.api.send("POST", path)
    await world.client.settle()

    run = first.expect(202).body
    assert run["trigger"] == "request"
    if second.status == 200:
        assert second.body["id"] == run["id"]
    assert third.expect(202).body["id"] != run["id"]
    assert {r["status"] for r in await world.api.all(path)} == {"succeeded"}


async def test_on_demand_run_after_trial_requires_premium(world: World) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    await world.api.put("/licenses", {"booked": 10})
    await world.client.clock("2027-06-01T00:00:00Z")

    refusal = await world.api.send("POST", f"/imports/{made['id']}/runs")

    assert "premium" in problem(refusal, 403, "premium-needed")["detail"]
    assert (await world.api.get("/licenses"))["plan"] == "standard"


# Licenses


async def test_licenses_count_used_seats(world: World) -> None:
    before = await world.api.get("/licenses")
    booked = await world.api.put("/licenses", {"booked": 3})
    share = await world.share()
    await world.import_(share["id"])
    await world.import_(share["id"])

    after = await world.api.get("/licenses")

    assert (before["booked"], before["used"], before["free"]) == (0, 0, 0)
    assert (before["plan"], before["trialEnds"]) == ("trial", None)
    assert (booked["booked"], booked["free"]) == (3, 3)
    assert (after["booked"], after["used"], after["free"]) == (3, 2, 1)
    assert after["trialEnds"] > "2026"
    assert after["id"] == world.tenant


@pytest.mark.parametrize("booked", [-1, 1_000_001, 1.5, "3", None, True])
async def test_invalid_number_of_licenses_is_refused(world: World, booked: object) -> None:
    reply = await world.api.send("PUT", "/licenses", {"booked": booked})

    assert fields(problem(reply, 400, "invalid-input")) == {"booked"}


async def test_concurrent_bookings_end_with_one_of_the_numbers(world: World) -> None:
    await world.api.get("/licenses")

    answers = await asyncio.gather(
        *(world.api.put("/licenses", {"booked": n}) for n in range(1, 5))
    )

    assert (await world.api.get("/licenses"))["booked"] in {a["booked"] for a in answers}


async def test_stale_etag_of_licenses_returns_412(world: World) -> None:
    before = await world.api.get("/licenses")

    await world.api.put("/licenses", {"booked": 3})
    late = await world.api.send("PUT", "/licenses", {"booked": 4}, if_match=before["etag"])

    problem(late, 412, "precondition-failed")
    assert (await world.api.get("/licenses"))["booked"] == 3
