"""Scripted histories of many tenants, imports or mailboxes: work is cut, and all of it is done."""

import base64
import json
import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from shared.services.sync.mailbox_work import TIME_BUDGET
from tests.simulation.scripted.scripts import (
    broken,
    company,
    contents,
    cost,
    imported,
    next_day,
    quiet,
    run_script,
    settled,
    twice,
)
from tests.simulation.scripted.test_found import leave
from tests.simulation.simulation import Simulation, silence
from tests.simulation.storage.queues import WEEK, Message, QueueStore
from tests.simulation.storage.tables import TableStore

_NOWHERE = "nowhere"
_TENANT = "{:08x}-0000-4000-8000-00000000000a"


def rows(sim: Simulation, table: str, prefix: str = "") -> list[tuple[str, str]]:
    """Return the keys of a table's rows whose partition begins so."""
    found = sim.tables.tables.get(table)
    return [key for key in found.rows if key[0].startswith(prefix)] if found is not None else []


def put(tables: TableStore, table: str, partition: str, row: str, **columns: Any) -> None:
    """Write a row as somebody may have left it behind."""
    if table not in tables.tables:
        tables.create(table)
    tables.upsert(table, {**columns, "PartitionKey": partition, "RowKey": row})


def copies(sim: Simulation, tenant: str, import_id: str, count: int) -> None:
    """Write copies of an import and its runs, for tenants spread over the whole range of ids."""
    table = sim.tables.tables["Imports"]
    rows_ = [dict(table.rows[tenant, row].properties) for row in (import_id, f"~{import_id}")]
    width = 2**32 // count
    for number in range(count):
        for row in rows_:
            key = "~" + import_id if row["body00"].startswith('{"importId"') else import_id
            put(sim.tables, "Imports", _TENANT.format(number * width), key, **row)


def taken(sim: Simulation, queue: str) -> list[dict[str, Any]]:
    """Note each message that is sent to a queue from now on, and deliver none of them."""
    sim.queues.create(_NOWHERE)
    return noted(sim, queue, _NOWHERE)


def noted(sim: Simulation, queue: str, instead: str | None = None) -> list[dict[str, Any]]:
    """Note each message that is sent to a queue from now on."""
    found: list[dict[str, Any]] = []
    usual = sim.queues.sends

    def put_(name: str, text: str, delay: float, lives: timedelta = WEEK) -> Message:
        if name == queue:
            found.append(json.loads(base64.b64decode(text)))
            name = instead or name
        return usual(name, text, delay, lives)

    sim.queues.sends = put_
    return found


def test_tick_is_divided_until_each_message_has_one_page() -> None:
    started, pages = Counter[str](), Counter[str]()

    async def script(sim: Simulation) -> None:
        share = await company(sim, mailboxes=1)
        import_ = await imported(sim, share)
        await quiet(sim)
        copies(sim, share.tenant, import_.id, 700)
        runs = taken(sim, "import-runs")
        pattern = r'"task":"(imports)".*T0(?:2:59|3:00)'
        sim.host.told = lambda text: pages.update(re.findall(pattern, text))
        await next_day(sim, settle=False)
        await sim.wait(240)
        started.update(message["tenant"] for message in runs)

    run_script(script)

    assert len(started) == 701
    assert set(started.values()) == {1}
    assert 3 <= pages["imports"] <= 8


def test_leaving_goes_on_while_a_mailbox_refuses_and_lists_it_after_35_days() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        await imported(sim, share)
        await quiet(sim)
        refusing, other = sim.world.mailboxes
        sim.outside.graph.denied[refusing] = "ErrorAccessDenied"
        await leave(sim, share.tenant)
        await quiet(sim)
        for _ in range(20):
            await next_day(sim)
        assert not contents(sim, other)
        assert (await sim.api(share.tenant, "GET", "tenant")).body["status"] == "leaving"
        for _ in range(17):
            await next_day(sim)
        left = (await sim.api(share.tenant, "GET", "tenant")).body
        assert left["status"] == "left"
        assert left["report"]["remainingMailboxes"] == [refusing]
        assert left["report"]["contacts"] == 3

    run_script(script)


def test_leaving_removes_contacts_from_a_mailbox_that_refused_for_days() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        await imported(sim, share)
        await quiet(sim)
        for user in sim.world.mailboxes:
            sim.outside.graph.denied[user] = "ErrorAccessDenied"
        await leave(sim, share.tenant)
        for _ in range(5):
            await next_day(sim)
        sim.outside.graph.denied.clear()
        await next_day(sim)
        left = (await sim.api(share.tenant, "GET", "tenant")).body
        assert (left["status"], left["report"]["remaining"]) == ("left", 0)
        await settled(sim)

    assert not broken(run_script(script))


def test_leaving_does_not_wait_for_a_mailbox_that_does_not_exist() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        await imported(sim, share)
        await quiet(sim)
        gone, _ = sim.world.mailboxes
        sim.outside.take_mailbox(share.tenant, gone)
        await leave(sim, share.tenant)
        await quiet(sim)
        left = (await sim.api(share.tenant, "GET", "tenant")).body
        assert left["report"]["remainingMailboxes"] == [gone]

    run_script(script)


def test_leaving_whose_message_is_lost_goes_on_at_the_next_tick() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        await imported(sim, share)
        await quiet(sim)
        lost = taken(sim, "tenant-leavings")
        await leave(sim, share.tenant)
        await sim.wait(60)
        assert len(lost) == 1
        sim.queues.sends = QueueStore.put.__get__(sim.queues)
        await next_day(sim)
        assert (await sim.api(share.tenant, "GET", "tenant")).body["status"] == "left"

    run_script(script)


def test_late_message_of_a_leaving_erases_nothing_of_who_joined_again() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        twice(sim, "tenant-leavings", 7_200)
        await leave(sim, share.tenant)
        await sim.wait(600)
        joined = await sim.api(share.tenant, "POST", "tenant/consent")
        assert joined.status == 200
        body = {"name": "New", "sources": {"groups": [{"id": share.group}]}}
        made = await sim.api(share.tenant, "POST", "shares", body)
        await quiet(sim)
        assert (await sim.api(share.tenant, "GET", f"shares/{made.body['id']}")).status == 200

    run_script(script)


def test_slow_erasing_goes_on_in_further_messages_and_after_kills() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        await imported(sim, share)
        await quiet(sim)
        for number in range(3_000):
            partition = f"{share.tenant}|{number:05d}"
            put(sim.tables, "Leases", partition, "lease", body00="{}")
        await leave(sim, share.tenant)
        sim.adversary.calm = False
        for _ in range(3):
            await sim.wait(45)
            sim.host.vanish(sim.host.worker("leave_tenant/0"))
        sim.adversary.calm = True
        await quiet(sim)
        left = {table for table in sim.tables.tables if rows(sim, table, share.tenant)}
        assert left == {"Ledger"}

    sim = Simulation("script", {"storage_slow": 0.1})
    sim.adversary.calm = True
    with silence():
        sim.run(script(sim))


def test_rows_whose_owner_is_gone_are_swept_and_all_others_stay() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        import_ = await imported(sim, share)
        await quiet(sim)
        before = {name: set(rows(sim, name)) for name in sim.tables.tables}
        nobody, tenant = _TENANT.format(7), share.tenant
        gone = "0000000000000000000000000000dead"
        orphans = [
            ("Shares", nobody, gone),
            ("Imports", nobody, gone),
            ("Results", f"{nobody}|run", "m"),
            ("Leases", f"{nobody}|m", "lease"),
            ("MailboxHeads", f"{tenant}|{gone}", "m"),
            ("MailboxContacts", f"{tenant}|{gone}|m", "0000"),
            ("ShareFacts", tenant, gone),
            ("ShareFacts", tenant, f"~{gone}"),
            ("Consumers", f"{tenant}|{share.id}", f"{tenant}|{gone}"),
            ("Consumers", f"{tenant}|~new", f"{gone}|{nobody}"),
        ]
        put(sim.tables, "Consumers", f"{tenant}|~new", f"{share.id}|{nobody}", body00="{}")
        before["Consumers"] = set(rows(sim, "Consumers"))
        for table, partition, row in orphans:
            put(sim.tables, table, partition, row, body00="{}")
        put(sim.tables, "Seats", tenant, f"~import|{gone}", body00='{"number":1}')
        await sim.until(sim.now().replace(hour=4, minute=31) + timedelta(days=1))
        await quiet(sim)
        for name, keys in before.items():
            assert keys <= set(rows(sim, name)) or name in {"Runs", "Results", "Snapshots"}
        for table, partition, row in orphans:
            assert (partition, row) not in rows(sim, table), table
        assert (tenant, f"~import|{gone}") not in rows(sim, "Seats")
        assert contents(sim, import_.targets[0])

    run_script(script)


def test_idle_days_write_no_head_and_a_changed_mailbox_goes_on_from_the_latest_link() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        import_ = await imported(sim, share)
        await quiet(sim)
        partition = f"{share.tenant}|{import_.id}"
        heads = sim.tables.tables["MailboxHeads"].rows
        before = {user: heads[partition, user].etag for user in import_.targets}
        for _ in range(3):
            await next_day(sim)
        assert {user: heads[partition, user].etag for user in import_.targets} == before
        assert len(heads) == len(before) + 1
        user = import_.targets[0]
        mailbox = sim.mailbox(user)
        assert mailbox is not None
        _, _, contact = next(iter(sim.ours(mailbox)))
        with sim.as_user(mailbox):
            mailbox.change_contact(mailbox.where[contact.core], contact, {"displayName": "Mine"})
        sent = noted(sim, "mailbox-syncs")
        await next_day(sim)
        assert [(message["mailbox"], bool(message["link"])) for message in sent] == [(user, True)]
        assert contents(sim, user) == contents(sim, import_.targets[1])

    run_script(script)


def test_whole_read_of_a_large_default_folder_goes_on_where_it_was_cut_off() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, mailboxes=1)
        (user,) = sim.world.mailboxes
        mailbox = sim.mailbox(user)
        assert mailbox is not None
        default = next(folder for folder in mailbox.folders.values() if folder.default)
        own = 2_400
        with sim.as_user(mailbox):
            for number in range(own):
                mailbox.add_contact(default, {"displayName": f"Own {number}"})
        sim.outside.latency = (4, 6)
        before = cost(sim)
        import_ = await imported(sim, share, destination={"folder": None})
        await quiet(sim)
        assert len(contents(sim, user)) == 3
        run = (await sim.api(share.tenant, "GET", f"imports/{import_.id}/runs")).body["items"][0]
        assert run["status"] == "succeeded"
        seconds = datetime.fromisoformat(run["ended"]) - datetime.fromisoformat(run["started"])
        assert seconds > 2 * TIME_BUDGET
        assert cost(sim) - before < 1.15 * own
        assert not [key for key in rows(sim, "MailboxContacts") if key[1] == "read"]

    run_script(script)


def test_first_fill_looks_for_its_folder_and_for_older_contacts_in_one_request() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, people=40, mailboxes=1)
        await imported(sim, share)
        await quiet(sim)
        [run] = (await sim.api(share.tenant, "GET", "runs")).body["items"]
        [result] = (await sim.api(share.tenant, "GET", f"runs/{run['id']}/results")).body["items"]
        assert result["contacts"]["created"] == 40
        # The look, the folder, two batches of contacts, and the delta of our own writes.
        assert result["graphRequests"] == 5

    assert not broken(run_script(script))
