"""The guard: what is held, what approving and discarding do, and how runs are retried."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.end_to_end.checks import UNKNOWN, problem
from tests.local.client import Client, Json
from tests.world import World


@pytest.fixture
async def large(client: Client) -> World:
    """Thirty people for one mailbox."""
    return await World.create(client, people=30, targets=1)


async def shrunk(large: World, left: int = 5, **more: Any) -> tuple[Json, Json]:
    """Return an import and its next run, which is held because most of the people left."""
    made = await large.import_((await large.share())["id"], **more)
    await large.members(large.people[:left])
    await large.next_day()
    run = await large.last_run(made["id"])
    assert (run["status"], run["reason"]) == ("held", "too_many_deletes")
    return made, run


async def test_held_run_changes_nothing_and_shows_its_plan(large: World) -> None:
    before = large.expected()
    _, run = await shrunk(large)
    assert await large.names(large.targets[0]) == before
    result = (await large.results(run["id"]))[large.targets[0]]
    assert (result["outcome"], result["heldRun"]) == ("held", run["id"])
    assert (result["planned"]["deleted"], result["planned"]["unchanged"]) == (25, 5)
    assert run["mailboxes"]["held"] == 1
    assert "approve" in run["remedy"]


async def test_approved_run_applies_the_held_plan(large: World) -> None:
    _, run = await shrunk(large)
    answer = await large.api.post(f"/runs/{run['id']}/approve", {}, 202)
    assert (answer["id"], answer["approved"]) == (run["id"], True)
    await large.client.settle()
    after = await large.api.get(f"/runs/{run['id']}")
    assert (after["status"], after["contacts"]["deleted"]) == ("succeeded", 25)
    assert after["mailboxes"] == {
        "total": 1, "succeeded": 1, "skipped": 0, "failed": 0, "held": 0
    }  # fmt: skip
    assert await large.names(large.targets[0]) == large.expected()
    again = await large.api.post(f"/runs/{run['id']}/approve", {}, 202)
    assert again["status"] == "succeeded"


async def test_next_run_skips_mailbox_with_pending_approval(large: World) -> None:
    made, run = await shrunk(large)
    await large.next_day()
    second = await large.last_run(made["id"])
    assert second["id"] != run["id"]
    assert (second["status"], second["reason"]) == ("skipped", "approval_pending")
    assert second["mailboxes"]["skipped"] == 1
    result = (await large.results(second["id"]))[large.targets[0]]
    assert (result["reason"], result["heldRun"]) == ("approval_pending", run["id"])
    held = await large.api.all("/runs?status=held")
    assert [found["id"] for found in held] == [run["id"]]
    await large.api.post(f"/runs/{run['id']}/approve", {}, 202)
    await large.client.settle()
    assert await large.names(large.targets[0]) == large.expected()


async def test_discarded_plan_is_neither_applied_nor_held_again(large: World) -> None:
    before = large.expected()
    made, run = await shrunk(large)
    answer = await large.api.post(f"/runs/{run['id']}/discard", {}, 200)
    assert answer["status"] == "discarded"
    assert (await large.api.post(f"/runs/{run['id']}/discard", {}, 200))["status"] == "discarded"
    await large.next_day()
    result = (await large.results((await large.last_run(made["id"]))["id"]))[large.targets[0]]
    assert (result["outcome"], result["reason"]) == ("skipped", "plan_discarded")
    assert await large.names(large.targets[0]) == before


async def test_discarded_run_can_still_be_approved(large: World) -> None:
    _, run = await shrunk(large)
    await large.api.post(f"/runs/{run['id']}/discard", {}, 200)
    await large.api.post(f"/runs/{run['id']}/approve", {}, 202)
    await large.client.settle()
    assert await large.names(large.targets[0]) == large.expected()


async def test_deadline_of_held_run_starts_at_approval(large: World) -> None:
    _, run = await shrunk(large)
    later = datetime.now(UTC) + timedelta(days=large.days + 3)
    await large.client.clock(later.isoformat())
    await large.client.latency(700)
    approved = await large.api.post(f"/runs/{run['id']}/approve", {}, 202)
    assert (approved["reason"], approved["started"]) == (None, None)
    await large.client.settle()
    await large.client.latency(0)
    assert (await large.api.get(f"/runs/{run['id']}"))["status"] == "succeeded"
    assert await large.names(large.targets[0]) == large.expected()


async def test_approval_covers_only_the_held_changes(large: World) -> None:
    made, run = await shrunk(large)
    await large.members(large.people[:2])
    await large.api.post(f"/runs/{run['id']}/approve", {}, 202)
    await large.client.settle()
    again = await large.api.get(f"/runs/{run['id']}")
    assert (again["status"], again["contacts"]["deleted"]) == ("held", 25)
    assert len(await large.names(large.targets[0])) == 5
    await large.api.post(f"/runs/{run['id']}/approve", {}, 202)
    await large.client.settle()
    assert (await large.last_run(made["id"]))["status"] == "succeeded"
    assert await large.names(large.targets[0]) == large.expected()


async def test_changed_plan_is_held_again(large: World) -> None:
    made, run = await shrunk(large)
    await large.members(large.people[:3])
    await large.next_day()
    second = await large.last_run(made["id"])
    assert (second["status"], second["id"] != run["id"]) == ("held", True)


async def test_obsolete_held_plan_is_dropped(large: World) -> None:
    everybody = list(large.people)
    made, _ = await shrunk(large)
    await large.members(everybody)
    await large.next_day()
    assert (await large.last_run(made["id"]))["status"] == "succeeded"
    await large.members(everybody[:5])
    await large.next_day()
    assert (await large.last_run(made["id"]))["status"] == "held"


async def test_too_many_changes_are_held_by_the_imports_own_guard(large: World) -> None:
    guard = {"changes": 3, "changeShare": 0.1}
    made = await large.import_((await large.share())["id"], guard=guard)
    for person in large.people[:4]:
        await large.change(person, jobTitle="Boss")
    await large.next_day()
    run = await large.last_run(made["id"])
    assert (run["status"], run["reason"]) == ("held", "too_many_changes")
    await large.api.post(f"/runs/{run['id']}/approve", {}, 202)
    await large.client.settle()
    assert (await large.last_run(made["id"]))["contacts"]["updated"] == 4


async def test_approved_empty_share_removes_all_contacts(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    people = list(world.people)
    await world.members([])
    await world.next_day()
    run = await world.last_run(made["id"])
    assert (run["status"], run["reason"]) == ("held", "share_empty")
    await world.next_day()
    second = await world.last_run(made["id"])
    assert (second["status"], second["reason"]) == ("failed", "approval_pending")
    await world.api.post(f"/runs/{run['id']}/approve", {}, 202)
    await world.client.settle()
    after = await world.api.get(f"/runs/{run['id']}")
    assert (after["status"], after["contacts"]["deleted"]) == ("succeeded", 10)
    assert await world.names(world.targets[0]) == []
    await world.members(people)
    await world.next_day()
    assert await world.names(world.targets[0]) == world.expected()


async def test_discarded_empty_share_is_held_again_only_after_it_was_filled(
    world: World,
) -> None:
    made = await world.import_((await world.share())["id"])
    people = list(world.people)
    await world.members([])
    await world.next_day()
    await world.api.post(f"/runs/{(await world.last_run(made['id']))['id']}/discard", {}, 200)
    await world.next_day()
    assert (await world.last_run(made["id"]))["reason"] == "plan_discarded"
    await world.members(people)
    await world.next_day()
    assert (await world.last_run(made["id"]))["status"] == "succeeded"
    await world.members([])
    await world.next_day()
    assert (await world.last_run(made["id"]))["status"] == "held"


async def test_succeeded_run_cannot_be_approved_discarded_or_retried(
    world: World, partner: World
) -> None:
    made = await world.import_((await world.share())["id"])
    for word in ("approve", "discard", "retry"):
        path = f"/runs/{made['firstRun']}/{word}"
        problem(await world.api.send("POST", path, {}), 409, "conflict")
        problem(await partner.api.send("POST", path, {}), 404, "not-found")
        problem(await world.api.send("POST", f"/runs/{UNKNOWN}/{word}", {}), 404, "not-found")
        reader = await world.client.api(world.tenant, roles=("Reader",))
        problem(await reader.send("POST", path, {}), 403, "forbidden")


async def test_retry_runs_only_failed_mailboxes(world: World) -> None:
    bad, good = world.targets
    await world.client.fault(f"/users/{bad}/", {"status": 403}, times=1)
    made = await world.import_((await world.share())["id"])
    run = await world.api.get(f"/runs/{made['firstRun']}")
    assert (run["status"], run["mailboxes"]["failed"]) == ("partial", 1)
    assert (await world.results(run["id"]))[bad]["reason"] == "access_denied"
    await world.client.reset_requests()
    retry = await world.api.post(f"/runs/{run['id']}/retry", {}, 202)
    assert (retry["trigger"], retry["retries"]) == ("retry", run["id"])
    await world.client.settle()
    after = await world.api.get(f"/runs/{retry['id']}")
    assert (after["status"], after["mailboxes"]["total"]) == ("succeeded", 1)
    assert list(await world.results(retry["id"])) == [bad]
    assert await world.names(bad) == world.expected()
    counted = (await world.client.requests())["tenants"][world.tenant]["mailboxes"]
    assert good not in counted
    again = await world.api.send("POST", f"/runs/{run['id']}/retry", {})
    assert (again.status, again.body["id"]) == (200, retry["id"])


async def test_run_that_could_not_start_is_retried_as_a_whole(world: World) -> None:
    share = (await world.share())["id"]
    # A 403 soon after the consent counts as a consent that is not active yet.
    await world.days_pass(1)
    await world.client.fault("/transitiveMembers/", {"status": 403}, times=1)
    made = await world.import_(share)
    assert (await world.api.get(f"/runs/{made['firstRun']}"))["reason"] == "consent_missing"
    retry = await world.api.post(f"/runs/{made['firstRun']}/retry", {}, 202)
    await world.client.settle()
    assert (await world.api.get(f"/runs/{retry['id']}"))["mailboxes"]["succeeded"] == 2
    assert await world.names(world.targets[1]) == world.expected()


async def test_failed_removal_can_be_retried(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    await world.client.fault(f"/users/{world.targets[0]}/", {"status": 403}, times=1)
    removal = (await world.api.delete(f"/imports/{made['id']}", 202))["removalRun"]
    await world.client.settle()
    assert (await world.api.get(f"/runs/{removal}"))["mailboxes"]["failed"] == 1
    assert await world.names(world.targets[0]) == world.expected()
    retry = await world.api.post(f"/runs/{removal}/retry", {}, 202)
    await world.client.settle()
    assert (await world.api.get(f"/runs/{retry['id']}"))["status"] == "succeeded"
    assert await world.names(world.targets[0]) == []


async def test_failed_removal_is_retried_every_day(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    await world.client.fault(f"/users/{world.targets[0]}/", {"status": 403}, times=1)
    await world.api.delete(f"/imports/{made['id']}", 202)
    await world.client.settle()
    assert await world.names(world.targets[0]) == world.expected()
    await world.next_day()
    assert await world.names(world.targets[0]) == []
    before = await world.api.all("/runs")
    await world.next_day()
    assert await world.api.all("/runs") == before
