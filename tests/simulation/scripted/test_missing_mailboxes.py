"""Targets without a mailbox: no license, no failure, few requests, until a mailbox exists."""

from datetime import timedelta
from typing import Any

from tests.simulation.scripted.scripts import (
    company,
    contents,
    imported,
    next_day,
    quiet,
    run_script,
)
from tests.simulation.simulation import Simulation
from tests.simulation.world import Import


async def guest_of(sim: Simulation) -> tuple[Import, str]:
    """An import into one mailbox and to a guest who has none, after its first run."""
    share = await company(sim, mailboxes=1)
    guest = sim.add_people(share.tenant, 1)[0]
    sim.world.mailboxes[guest] = share.tenant
    import_ = await imported(sim, share)
    await quiet(sim)
    return import_, guest


def requests_to(sim: Simulation, mailbox: str) -> int:
    """The requests to a mailbox so far."""
    tenants = sim.outside.graph.meter.tenants.values()
    return sum(t.mailboxes[mailbox].http + t.mailboxes[mailbox].batch_items for t in tenants)


async def asked_on(sim: Simulation, mailbox: str, days: int) -> list[int]:
    """Of the next days, those on which the mailbox is asked for."""
    found = []
    for day in range(1, days + 1):
        before = requests_to(sim, mailbox)
        await next_day(sim)
        if requests_to(sim, mailbox) > before:
            found.append(day)
    return found


async def last_result(sim: Simulation, import_: Import, mailbox: str) -> dict[str, Any]:
    runs = await sim.api(import_.tenant, "GET", f"imports/{import_.id}/runs")
    run = runs.body["items"][0]
    assert run["status"] == "succeeded"
    assert run["mailboxes"]["total"] == 2
    results = await sim.api(import_.tenant, "GET", f"runs/{run['id']}/results")
    by_mailbox: dict[str, dict[str, Any]] = {r["mailbox"]: r for r in results.body["items"]}
    return by_mailbox[mailbox]


async def licenses(sim: Simulation, import_: Import) -> list[str]:
    seats = await sim.api(import_.tenant, "GET", "licenses/assignments")
    return [seat["mailbox"] for seat in seats.body["items"]]


def test_guest_takes_no_license_and_is_skipped_with_a_reason() -> None:
    async def script(sim: Simulation) -> None:
        import_, guest = await guest_of(sim)
        for _ in range(3):
            result = await last_result(sim, import_, guest)
            assert (result["outcome"], result["reason"]) == ("skipped", "no_mailbox")
            assert guest not in await licenses(sim, import_)
            await next_day(sim)
        found = await sim.api(import_.tenant, "GET", "licenses")
        assert (found.body["used"], found.body["waiting"]) == (1, 0)

    run_script(script)


def test_guest_is_checked_daily_for_a_week_and_then_weekly() -> None:
    async def script(sim: Simulation) -> None:
        _, guest = await guest_of(sim)

        # The first daily run comes some hours after the first answer.
        assert await asked_on(sim, guest, 22) == [2, 3, 4, 5, 6, 7, 14, 21]

    run_script(script)


def test_new_mailbox_of_a_guest_is_filled_on_the_next_day() -> None:
    async def script(sim: Simulation) -> None:
        import_, guest = await guest_of(sim)
        assert max(await asked_on(sim, guest, 10)) == 7
        sim.outside.add_mailbox(import_.tenant, guest)

        assert await asked_on(sim, guest, 1) == [1]
        assert len(contents(sim, guest)) == 3
        assert guest in await licenses(sim, import_)
        assert (await last_result(sim, import_, guest))["outcome"] == "succeeded"
        await next_day(sim)
        assert (await last_result(sim, import_, guest))["outcome"] == "succeeded"

    run_script(script)


def test_new_mailbox_without_a_free_license_waits_for_one() -> None:
    async def script(sim: Simulation) -> None:
        import_, guest = await guest_of(sim)
        await sim.api(import_.tenant, "PUT", "licenses", {"booked": 1})
        await sim.wait(40 * 86_400)
        sim.outside.add_mailbox(import_.tenant, guest)
        await next_day(sim)

        assert not contents(sim, guest)
        assert (await last_result(sim, import_, guest))["reason"] == "no_license"
        await sim.api(import_.tenant, "PUT", "licenses", {"booked": 2})
        await next_day(sim)
        assert len(contents(sim, guest)) == 3

    run_script(script)


def test_run_that_a_person_starts_checks_the_guest() -> None:
    async def script(sim: Simulation) -> None:
        import_, guest = await guest_of(sim)
        await next_day(sim)
        await sim.wait(timedelta(hours=1).total_seconds())
        before = requests_to(sim, guest)

        await sim.api(import_.tenant, "POST", f"imports/{import_.id}/runs")
        await quiet(sim)

        assert requests_to(sim, guest) == before + 1
        assert (await last_result(sim, import_, guest))["reason"] == "no_mailbox"

    run_script(script)
