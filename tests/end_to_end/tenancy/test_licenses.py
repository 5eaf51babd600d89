"""Licenses, trial and plans: admins book and cancel, operators set, runs comply."""

from datetime import UTC, datetime, timedelta

from shared.domain.importing.schedule import DAILY_HOUR
from tests.end_to_end.checks import fields, problem
from tests.local.client import Client, Json
from tests.world import World

AFTER_TRIAL = 31


async def seated(world: World) -> set[str]:
    seats = await world.api.all("/licenses/assignments")
    return {seat["mailbox"] for seat in seats if seat["waiting"] is None}


async def test_mailbox_without_seat_keeps_contacts_until_grace_period_ends(world: World) -> None:
    await world.api.put("/licenses", {"booked": 2})
    made = await world.import_((await world.share())["id"])
    await world.days_pass(AFTER_TRIAL)
    await world.client.settle()
    await world.api.put("/licenses", {"booked": 1})
    (kept,) = await seated(world)
    (lost,) = set(world.targets) - {kept}

    await world.days_pass(13)
    await world.client.settle()
    within = await world.results((await world.last_run(made["id"]))["id"])
    names_within = await world.names(lost)
    await world.days_pass(1)
    await world.client.settle()
    at_the_end = await world.results((await world.last_run(made["id"]))["id"])
    await world.next_day()
    afterwards = await world.results((await world.last_run(made["id"]))["id"])

    assert within[kept]["outcome"] == "succeeded"
    assert (within[lost]["outcome"], within[lost]["reason"]) == ("skipped", "no_license")
    assert names_within == world.expected()
    assert (at_the_end[lost]["outcome"], at_the_end[lost]["deleted"]) == ("succeeded", 5)
    assert await world.names(lost) == []
    assert (afterwards[lost]["outcome"], afterwards[lost]["reason"]) == ("skipped", "no_license")
    assert await world.names(kept) == world.expected()


async def test_booking_licenses_again_restores_contacts(world: World) -> None:
    await world.import_((await world.share())["id"])
    await world.days_pass(AFTER_TRIAL)
    await world.client.settle()
    none = await world.api.get("/licenses")

    booked = await world.api.put("/licenses", {"booked": 2})
    await world.next_day()

    assert (none["used"], none["waiting"], none["plan"]) == (0, 2, "standard")
    assert (booked["used"], booked["waiting"], booked["free"]) == (2, 0, 0)
    for mailbox in world.targets:
        assert await world.names(mailbox) == world.expected()


async def test_previewed_effect_matches_booking(world: World) -> None:
    await world.api.put("/licenses", {"booked": 2})
    await world.import_((await world.share())["id"])
    await world.days_pass(AFTER_TRIAL)
    await world.client.settle()
    before = await seated(world)

    effect = await world.api.post("/licenses/effect", {"booked": 1}, 200)
    untouched = await world.api.get("/licenses")
    await world.api.put("/licenses", {"booked": 1})

    assert untouched["booked"] == 2
    assert set(effect["losing"]) == before - await seated(world)
    assert (effect["used"], effect["missing"], effect["gaining"]) == (1, 1, [])
    assert effect["removal"] > datetime.now(UTC).isoformat()
    again = await world.api.post("/licenses/effect", {"booked": 2}, 200)
    assert again["gaining"] == effect["losing"]


async def test_new_import_reports_needed_and_missing_licenses(
    world: World,
) -> None:
    await world.api.put("/licenses", {"booked": 1})
    share = (await world.share())["id"]
    targets = {"users": world.targets}

    estimate = await world.api.post("/imports/estimate", {"targets": targets}, 200)
    first = await world.import_(share)
    second = await world.api.post("/imports/estimate", {"targets": targets}, 200)

    assert estimate == {
        "mailboxes": 2, "needed": 2, "free": 1, "missing": 1, "trial": "ahead", "trialEnds": None,
    }  # fmt: skip
    assert first["licensesNeeded"] == 2
    assert first["licenses"]["missing"] == 1
    assert (second["needed"], second["missing"]) == (0, 1)
    assert second["trial"] == "running"
    assert second["trialEnds"] > datetime.now(UTC).isoformat()


async def test_booking_is_recorded_with_count_before_and_after(world: World) -> None:
    await world.api.put("/licenses", {"booked": 3})
    await world.api.put("/licenses", {"booked": 3})
    await world.api.put("/licenses", {"booked": 5})

    history = await world.api.all("/ledger?action=license.booked")

    assert [entry["detail"] for entry in history] == [
        {"before": 3, "after": 5},
        {"before": 0, "after": 3},
    ]


async def test_operator_sets_booked_licenses_plan_and_trial_end(
    world: World,
) -> None:
    await world.import_((await world.share())["id"])
    operator = await world.client.operator()
    ends = (datetime.now(UTC) + timedelta(days=90)).isoformat()

    changed = await operator.patch(
        f"/operator/tenants/{world.tenant}",
        {"booked": 7, "plan": "premium", "trialEnds": ends},
        200,
    )
    license_ = await world.api.get("/licenses")

    assert (changed["booked"], changed["plan"]) == (7, "premium")
    assert (license_["booked"], license_["plan"]) == (7, "premium")
    assert datetime.fromisoformat(license_["trialEnds"]) == datetime.fromisoformat(ends)
    entries = await world.api.all("/ledger?action=license")
    assert {entry["actorName"] for entry in entries} == {"Otto Operator"}
    listed = {t["id"] for t in await operator.all("/operator/tenants")}
    assert world.tenant in listed


async def test_operator_gets_404_for_unknown_tenant_and_400_for_invalid_plan(
    client: Client,
) -> None:
    operator = await client.operator()

    problem(await operator.send("GET", "/operator/tenants/nobody"), 404, "not-found")
    refused = await operator.send("PATCH", "/operator/tenants/nobody", {"plan": "trial"})
    assert fields(problem(refused, 400, "invalid-input")) == {"plan"}


async def premium(world: World) -> None:
    await world.api.get("/tenant")
    operator = await world.client.operator()
    path = f"/operator/tenants/{world.tenant}"
    await operator.patch(path, {"plan": "premium", "booked": 9}, 200)


async def test_more_than_one_run_a_day_requires_premium(
    world: World,
) -> None:
    share = (await world.share())["id"]
    await world.import_(share)
    await world.days_pass(AFTER_TRIAL)
    await world.client.settle()
    body: Json = {
        "name": "Often",
        "shareId": share,
        "targets": {"users": world.targets},
        "schedule": {"everyHours": 6},
    }

    refused = problem(await world.api.send("POST", "/imports", body), 403, "premium-needed")
    await premium(world)
    made = await world.api.post("/imports", body, 201)
    await world.client.settle()

    assert "premium" in refused["detail"]
    assert made["schedule"] == {"everyHours": 6}
    await world.client.clock((datetime.now(UTC) + timedelta(days=60)).isoformat())
    operator = await world.client.operator()
    await operator.patch(f"/operator/tenants/{world.tenant}", {"plan": "standard"}, 200)
    longer = await world.api.send(
        "PATCH", f"/imports/{made['id']}", {"schedule": {"everyHours": 3}}
    )
    problem(longer, 403, "premium-needed")


async def test_premium_import_runs_once_per_interval(world: World) -> None:
    await premium(world)
    made = await world.import_((await world.share())["id"], schedule={"everyHours": 6})
    await world.next_day()

    async def scheduled() -> int:
        runs = await world.api.all(f"/imports/{made['id']}/runs")
        return sum(run["trigger"] == "schedule" for run in runs)

    before = await scheduled()
    await world.hours_pass(6)
    after_one = await scheduled()
    await world.client.fire("start_due_runs")
    await world.client.settle()
    repeated = await scheduled()
    await world.hours_pass(12)

    assert after_one == repeated == before + 1
    assert await scheduled() == before + 2


async def test_hourly_timer_ignores_daily_import(world: World) -> None:
    await premium(world)
    made = await world.import_((await world.share())["id"])

    now = datetime.now(UTC)
    await world.hours_pass(7)

    runs = await world.api.all(f"/imports/{made['id']}/runs")
    daily = sum((now + timedelta(hours=passed)).hour == DAILY_HOUR for passed in range(8))
    assert [run["trigger"] for run in runs].count("schedule") <= daily
