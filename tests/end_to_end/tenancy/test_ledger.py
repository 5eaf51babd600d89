"""The ledger: who changed what, when and from where, and how long that is kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.end_to_end.checks import fields, problem
from tests.local.client import Json
from tests.world import World


async def entries(world: World, query: str = "") -> list[Json]:
    return await world.api.all(f"/ledger{query}")


async def test_every_change_is_recorded_with_actor_action_time_and_network(
    world: World,
) -> None:
    share = await world.share()
    await world.api.patch(f"/shares/{share['id']}", {"name": "Other"}, 200)
    made = await world.import_(share["id"])
    await world.api.patch(f"/imports/{made['id']}", {"active": False}, 200)
    await world.api.put("/licenses", {"booked": 2})
    await world.api.patch("/tenant", {"name": "Contoso"}, 200)
    await world.api.delete(f"/imports/{made['id']}", 202)
    await world.api.delete(f"/shares/{share['id']}", 204)

    found = await entries(world)

    assert [entry["action"] for entry in found] == [
        "share.withdrawn", "import.removed", "tenant.renamed", "license.booked", "import.changed",
        "import.created", "trial.started", "share.changed", "share.created", "tenant.joined",
    ]  # fmt: skip
    for entry in found:
        assert entry["actorName"] == "Ada Admin"
        assert entry["done"] is True
        assert entry["origin"] == "api"
        assert entry["network"] == "127.0.0.0/24"
        age = datetime.now(UTC) - datetime.fromisoformat(entry["when"])
        assert timedelta(0) <= age < timedelta(minutes=5)
    assert not any(user["mail"] in str(found) for user in world.users.values())


async def test_reads_of_personal_data_are_recorded_once_with_who_and_what(world: World) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    mailbox, person = world.targets[0], world.people[0]
    for _ in range(2):
        await world.api.get(f"/shares/{share['id']}/preview")
        await world.api.post(f"/imports/{made['id']}/preview", {"mailbox": mailbox}, 200)
        await world.api.get(f"/imports/{made['id']}/explain?mailbox={mailbox}&person={person}")
        await world.api.get(f"/people/{person}")
        await world.api.get("/tenant/export")
    await world.api.send("GET", f"/shares/{'0' * 32}/preview")

    found = await entries(world, "?action=access")

    assert [(entry["action"], entry["subject"]) for entry in found] == [
        ("access.exported", world.tenant),
        ("access.person", person),
        ("access.previewed", made["id"]),
        ("access.previewed", share["id"]),
    ]
    assert {(entry["actorName"], entry["origin"]) for entry in found} == {("Ada Admin", "api")}


async def test_refused_change_leaves_no_entry(world: World) -> None:
    share = await world.share()
    before = await entries(world)

    await world.api.send("PATCH", f"/shares/{share['id']}", {"name": ""})
    await world.api.send("PATCH", f"/shares/{share['id']}", {"name": "x"}, if_match='"0"')
    await world.api.send("DELETE", f"/shares/{'0' * 32}")
    await world.api.send("PUT", "/licenses", {"booked": -1})

    assert await entries(world) == before


async def test_ledger_filters_by_action_kind_subject_actor_and_time(
    world: World,
) -> None:
    first = await world.share()
    second = await world.share()
    await world.api.patch(f"/shares/{second['id']}", {"name": "Other"}, 200)

    async def subjects(query: str) -> list[Any]:
        return [entry["subject"] for entry in await entries(world, query)]

    assert await subjects("?action=share") == [second["id"], second["id"], first["id"]]
    assert await subjects("?action=share.created") == [second["id"], first["id"]]
    assert await subjects(f"?subject={first['id']}") == [first["id"]]
    ada = "00000000-0000-0000-0000-00000000ad01"
    assert len(await entries(world, f"?actor={ada}")) == 4
    assert await entries(world, "?actor=nobody") == []
    future = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    past = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert await entries(world, f"?since={future}") == []
    assert await entries(world, f"?until={past}") == []
    assert len(await entries(world, f"?since={past}&until={future}")) == 4


async def test_ledger_is_paged(world: World) -> None:
    for _ in range(4):
        await world.share()

    pages = await world.api.get("/ledger?top=2")
    everything = await world.api.all("/ledger?top=2")

    assert len(pages["items"]) == 2
    assert pages["next"]
    assert len(everything) == 5


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "until=2026-01-01",
        "action=DROP TABLE",
        "actor=a/b",
        "who=me",
        "order=random",
        "after=WyJhIiwxXQ==",
        "after=garbage&order=oldest",
        "next=WyJhIiwxXQ==&order=oldest",
    ],
)
async def test_invalid_filter_is_named(world: World, query: str) -> None:
    reply = await world.api.send("GET", f"/ledger?{query.replace(' ', '%20')}")

    assert fields(problem(reply, 400, "invalid-input")) == {query.split("=", maxsplit=1)[0]}


async def test_auditors_program_copies_every_entry_once_even_one_of_an_instance_with_a_slow_clock(
    world: World,
) -> None:
    auditor = await world.client.api(world.tenant, oid="siem", roles=("Auditor",))
    seen: list[Json] = []

    async def copy(cursor: str | None) -> str:
        while True:
            after = f"&after={cursor}" if cursor else ""
            page = await auditor.get(f"/ledger?order=oldest&top=2{after}")
            seen.extend(page["items"])
            if page["next"] == cursor:
                return str(cursor)
            cursor = page["next"]

    for _ in range(3):
        share = await world.share()
    cursor = await copy(None)
    assert await copy(cursor) == cursor
    await world.client.clock((datetime.now(UTC) - timedelta(hours=1)).isoformat())
    await world.api.patch(f"/shares/{share['id']}", {"name": "Other"}, 200)
    await world.client.clock(datetime.now(UTC).isoformat())
    await copy(cursor)

    assert [entry["action"] for entry in seen] == [
        "tenant.joined", "share.created", "share.created", "share.created", "share.changed",
    ]  # fmt: skip
    assert seen[-1]["when"] < seen[-2]["when"]
    assert {entry["id"] for entry in seen} == {entry["id"] for entry in await entries(world)}


async def test_ledger_entries_are_erased_after_a_year(world: World) -> None:
    await world.share()
    await world.client.clock((datetime.now(UTC) + timedelta(days=364)).isoformat())
    await world.client.fire("sweep_leftovers")
    kept = await entries(world, "?action=share.created")
    page = await world.api.get("/ledger?order=oldest&top=1")
    await world.client.clock((datetime.now(UTC) + timedelta(days=366)).isoformat())

    await world.client.fire("sweep_leftovers")

    assert len(kept) == 1
    assert await entries(world) == []
    reply = await world.api.send("GET", f"/ledger?order=oldest&after={page['next']}")
    error = problem(reply, 400, "invalid-input")["errors"][0]
    assert (error["field"], error["code"]) == ("after", "cursor_too_old")
    assert (await world.api.get("/ledger?order=oldest"))["items"] == []


async def test_runs_and_results_are_erased_after_90_days(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    run = made["firstRun"]
    await world.client.clock((datetime.now(UTC) + timedelta(days=89)).isoformat())
    await world.client.fire("sweep_leftovers")
    kept = await world.results(run)
    await world.client.clock((datetime.now(UTC) + timedelta(days=91)).isoformat())

    await world.client.fire("sweep_leftovers")

    assert set(kept) == set(world.targets)
    assert await world.api.all("/runs") == []
    problem(await world.api.send("GET", f"/runs/{run}/results"), 404, "not-found")
    left = [row for row in await world.api.all("/tenant/export") if row["table"] == "Results"]
    assert left == []
