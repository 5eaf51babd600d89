"""Faults that were found once, as histories: contacts were kept or lost, or a report was wrong."""

from tests.simulation.acts import runs
from tests.simulation.scripted.scripts import (
    broken,
    call_and_die,
    company,
    contents,
    cost,
    delete_import,
    imported,
    killed_every,
    late,
    next_day,
    quiet,
    run_script,
    settled,
    suppress,
    twice,
    when,
)
from tests.simulation.simulation import Simulation
from tests.simulation.world import Import


async def leave(sim: Simulation, tenant: str) -> None:
    sim.world.service.left.add(tenant)
    sim.world.touch(sim.now())
    asked = await sim.api(tenant, "DELETE", "tenant")
    code = asked.body["confirm"]
    reply = await sim.api(tenant, "DELETE", f"tenant?confirm={code}&tenant={tenant}")
    assert reply.status == 202


def test_quiet_history_breaks_nothing() -> None:
    async def script(sim: Simulation) -> None:
        await imported(sim, await company(sim))
        await settled(sim)

    assert not broken(run_script(script))


def test_import_deleted_during_its_first_fill_leaves_no_contacts() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        sim.outside.latency = (20, 30)
        import_ = await imported(sim, share)
        when(sim, "graph POST .*contactFolders: 201", lambda: delete_import(sim, import_))
        await quiet(sim)
        sim.outside.latency = (0.01, 0.1)
        await settled(sim)

    assert not broken(run_script(script), "I5 failure")


def test_close_of_a_daily_run_does_not_end_a_removal() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        import_ = await imported(sim, share)
        await quiet(sim)
        late(sim, "mailbox-syncs", 120)
        await next_day(sim, settle=False)
        await sim.wait(30)
        sim.outside.graph.denied[max(sim.world.mailboxes)] = "ErrorAccessDenied"
        await delete_import(sim, import_)
        await sim.wait(7_200)
        sim.outside.graph.denied.clear()
        await settled(sim)

    assert not broken(run_script(script), "I5 failure")


def test_run_whose_start_is_given_up_while_it_spreads_ends() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        outage = sim.workers.network.outage
        end = 400.0
        when(sim, "storage send mailbox-syncs", lambda: outage.update(queues=sim.loop.time() + end))
        await imported(sim, share)
        await settled(sim)

    assert not broken(run_script(script), "I5")


def test_run_that_ends_at_its_second_start_erases_what_the_first_one_wrote() -> None:
    async def script(sim: Simulation) -> None:
        import_ = await imported(sim, await company(sim))
        when(sim, "storage upsert Snapshots .* contacts", lambda: pause(sim, import_))
        await quiet(sim, 1)
        assert not sim.tables.tables["Snapshots"].rows

    async def pause(sim: Simulation, import_: Import) -> None:
        sim.host.worker("start_run/0").life.fuse = 1
        await sim.api(import_.tenant, "PATCH", f"imports/{import_.id}", {"active": False})

    run_script(script)


def test_first_fill_ends_however_often_its_worker_is_killed() -> None:
    async def fill(sim: Simulation) -> None:
        share = await company(sim, people=600, mailboxes=1)
        await imported(sim, share)
        await quiet(sim)
        assert len(contents(sim, min(sim.world.mailboxes))) == 600

    async def killed(sim: Simulation) -> None:
        killed_every(sim, 16)
        await fill(sim)

    undisturbed = cost(run_script(fill))

    assert cost(run_script(killed)) <= 1.3 * undisturbed


def test_killed_first_fill_does_not_read_back_what_it_wrote() -> None:
    async def fill(sim: Simulation) -> None:
        share = await company(sim, people=600, mailboxes=1)
        await imported(sim, share)
        await quiet(sim)

    async def killed_once(sim: Simulation) -> None:
        killed_every(sim, 25)
        when(sim, "crash|vanish", lambda: setattr(sim.outside, "sent", lambda: None))
        await fill(sim)

    undisturbed = cost(run_script(fill))

    assert cost(run_script(killed_once)) <= 1.3 * undisturbed


def test_late_message_of_an_older_run_brings_nobody_back() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        await imported(sim, share)
        await quiet(sim)
        sim.rename(share.tenant, sim.world.groups[share.group][0])
        late(sim, "mailbox-syncs", 8 * 3_600)
        await next_day(sim, settle=False)
        await sim.wait(600)
        person = sim.world.groups[share.group][0]
        await suppress(sim, share.tenant, person)
        await quiet(sim)
        for user in sim.world.mailboxes:
            assert f"u-{person}" not in contents(sim, user)

    run_script(script)


def test_repeated_start_records_no_old_content_as_new() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        twice(sim, "import-runs", 40)
        late(sim, "mailbox-syncs", 120)
        await imported(sim, share)
        await sim.wait(25)
        sim.rename(share.tenant, sim.world.groups[share.group][0])
        sim.world.touch(sim.now())
        await settled(sim)

    assert not broken(run_script(script), "I5 failure")


def test_backlog_of_more_than_a_day_fails_nothing() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        await imported(sim, share)
        await quiet(sim)
        sim.rename(share.tenant, sim.world.groups[share.group][0])
        sim.world.touch(sim.now())
        late(sim, "mailbox-syncs", 26 * 3_600, times=2)
        await next_day(sim, settle=False)
        await sim.wait(20 * 3_600)
        sim.rename(share.tenant, sim.world.groups[share.group][0])
        sim.world.touch(sim.now())
        await next_day(sim)
        assert not sim.host.failures
        await settled(sim)

    assert not broken(run_script(script))


def test_suppressed_person_goes_though_a_plan_is_held() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, people=6)
        await imported(sim, share, guard={"deletes": 1, "deleteShare": 0.0})
        await quiet(sim)
        people = sim.world.groups[share.group]
        sim.set_group(share.tenant, share.group, people[:3])
        await next_day(sim)
        assert await runs(sim, "held")
        await suppress(sim, share.tenant, people[0])
        await quiet(sim)
        for user in sim.world.mailboxes:
            assert f"u-{people[0]}" not in contents(sim, user)

    run_script(script)


def test_mailbox_that_refuses_many_contacts_gets_its_result() -> None:
    async def script(sim: Simulation) -> None:
        # A twentieth of Azure's limit, for a twentieth of the contacts that met it.
        sim.tables.most_bytes //= 20
        share = await company(sim, people=600, mailboxes=1)
        sim.outside.graph.refuses_contacts = True
        import_ = await imported(sim, share)
        await quiet(sim)
        assert not sim.host.failures
        [run] = (await sim.api(import_.tenant, "GET", f"imports/{import_.id}/runs")).body["items"]
        results = await sim.api(import_.tenant, "GET", f"runs/{run['id']}/results")
        assert [r["reason"] for r in results.body["items"]] == ["contacts_rejected"]

    run_script(script)


def test_message_that_comes_again_after_its_run_closed_fails_nothing() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, people=6)
        await imported(sim, share, guard={"deletes": 1, "deleteShare": 0.0})
        await quiet(sim)
        sim.set_group(share.tenant, share.group, sim.world.groups[share.group][:3])
        twice(sim, "mailbox-syncs", 3_600)
        await next_day(sim, settle=False)
        await sim.wait(600)
        assert await runs(sim, "held")
        sim.host.stop_all()
        await quiet(sim)
        assert not sim.host.failures

    run_script(script)


def test_requested_run_starts_even_if_an_earlier_message_was_lost() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, people=1, mailboxes=1)
        import_ = await imported(sim, share)
        await quiet(sim)
        path, steps, answered = f"imports/{import_.id}/runs", 0, False
        while not answered:
            steps += 1
            answered = await call_and_die(sim, import_.tenant, "POST", path, steps)
            if answered:
                break
            await sim.api(import_.tenant, "POST", path)
            await sim.wait(3 * 3_600)
            assert not await runs(sim, "queued"), f"killed after {steps} steps"
            assert not await runs(sim, "running"), f"killed after {steps} steps"

    run_script(script)


def test_late_closing_does_not_hold_an_approved_run_again() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, people=6)
        await imported(sim, share, guard={"deletes": 1, "deleteShare": 0.0})
        await quiet(sim)
        sim.set_group(share.tenant, share.group, sim.world.groups[share.group][:3])
        sim.world.touch(sim.now())
        closings: list[str] = []
        before = sim.queues.sends

        def sends(queue: str, text: str, *rest: object) -> object:
            if queue == "run-closings":
                closings.append(text)
            return before(queue, text, *rest)  # type: ignore[arg-type]

        sim.queues.sends = sends  # type: ignore[assignment]
        await next_day(sim)
        [(run, tenant)] = await runs(sim, "held")
        late(sim, "import-runs", 60)
        await sim.api(tenant, "POST", f"runs/{run}/approve")
        sim.queues.put("run-closings", closings[-1], 0)
        await quiet(sim)
        assert not await runs(sim, "held")

    run_script(script)


def test_nothing_of_a_tenant_reappears_after_it_left_during_a_run() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        await imported(sim, share)
        await quiet(sim)
        sim.rename(share.tenant, sim.world.groups[share.group][0])
        await next_day(sim, settle=False)
        await sim.wait(4)
        sim.outside.latency = (40, 59)
        await leave(sim, share.tenant)
        await quiet(sim)
        await settled(sim)

    assert not broken(run_script(script), "I5 failure")


def test_target_without_a_mailbox_takes_no_license() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, mailboxes=2)
        sim.world.mailboxes[sim.add_people(share.tenant, 1)[0]] = share.tenant
        await imported(sim, share)
        await next_day(sim)
        await next_day(sim)
        targets = {"targets": {"users": list(sim.world.mailboxes)}}
        estimate = await sim.api(share.tenant, "POST", "imports/estimate", targets)
        assert estimate.body["mailboxes"] == 2

    run_script(script)


def test_tenant_has_left_only_once_its_contacts_are_gone() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        sim.outside.latency = (20, 30)
        await imported(sim, share)
        when(sim, "graph POST .*contactFolders: 201", lambda: leave(sim, share.tenant))
        for _ in range(400):
            reply = await sim.api(share.tenant, "GET", "tenant")
            if reply.status == 200 and reply.body["status"] == "left":
                break
            await sim.wait(60)
        await quiet(sim)
        remaining = sum(len(contents(sim, user)) for user in sim.world.mailboxes)
        assert remaining == reply.body["report"]["remaining"] == 0
        tables = sim.tables.tables.items()
        assert not [
            name
            for name, table in tables
            for partition, _ in table.rows
            if partition.startswith(share.tenant) and name != "Ledger"
        ]

    run_script(script)


def test_repeated_messages_of_yesterday_fail_nothing() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        texts: list[str] = []
        before = sim.queues.sends

        def sends(queue: str, text: str, *rest: object) -> object:
            if queue == "mailbox-syncs":
                texts.append(text)
            return before(queue, text, *rest)  # type: ignore[arg-type]

        sim.queues.sends = sends  # type: ignore[assignment]
        await imported(sim, share)
        await next_day(sim)
        sim.rename(share.tenant, sim.world.groups[share.group][0])
        await next_day(sim)
        sim.queues.sends = before
        for text in texts[:16]:
            sim.queues.put("mailbox-syncs", text, 0)
        await sim.wait(3_600)
        assert not sim.host.failures

    run_script(script)


def test_rewrites_of_our_own_making_hold_nothing() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, people=4)
        await imported(sim, share, guard={"changes": 0, "changeShare": 0.0})
        await quiet(sim)
        fields = {"fields": ["displayName", "mobilePhone", "emailAddresses"]}
        users = sim.outside.graph.tenant(share.tenant).directory.users
        for person in sim.world.groups[share.group]:
            users[person]["jobTitle"] = "Agent"
        await next_day(sim)
        for run, tenant in await runs(sim, "held"):
            await sim.api(tenant, "POST", f"runs/{run}/approve")
        await quiet(sim)
        changed = await sim.api(share.tenant, "PATCH", f"shares/{share.id}", fields)
        assert changed.status == 200
        await next_day(sim)
        assert not await runs(sim, "held")

    run_script(script)
