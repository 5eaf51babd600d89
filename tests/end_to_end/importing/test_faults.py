"""Faults of Microsoft Graph, queues and workers: nothing is lost, duplicated or emptied."""

import asyncio
import base64
import json
import signal
from pathlib import Path
from uuid import uuid4

import pytest
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from shared.domain.importing.messages import MAILBOX_SYNCS, SyncMailbox
from tests.local.client import Client, Json
from tests.local.cloud import LocalCloud
from tests.world import World

CREATES = r"/contactFolders/[^/]+/contacts$"
TRANSIENT: list[Json] = [
    {"status": 429, "headers": {"Retry-After": "1"}},
    {"status": 429, "headers": {"Retry-After": "0.4"}},
    {"status": 429},
    {"status": 500},
    {"status": 503, "headers": {"Retry-After": "1"}},
    {"status": 504},
    {"drop": "before"},
    {"drop": "after"},
]


@pytest.fixture
async def many(client: Client) -> World:
    """A tenant with a target mailbox for each transient error."""
    return await World.create(client, targets=len(TRANSIENT))


async def holds_everybody_once(world: World) -> None:
    for mailbox in world.targets:
        assert await world.names(mailbox) == world.expected()


async def test_create_with_any_transient_error_is_done_exactly_once(many: World) -> None:
    share = await many.share()
    for mailbox, effect in zip(many.targets, TRANSIENT, strict=True):
        path = f"^/users/{mailbox}{CREATES}"
        await many.client.fault(path, effect, method="POST", tenant=many.tenant, after=2, times=3)
    made = await many.import_(share["id"])
    await holds_everybody_once(many)
    run = await many.api.get(f"/runs/{made['firstRun']}")
    assert run["status"] == "succeeded"
    assert run["throttled"] == 3 * sum(effect.get("status") == 429 for effect in TRANSIENT)


async def test_batch_with_any_transient_error_is_done_exactly_once(many: World) -> None:
    share = await many.share()
    for effect in TRANSIENT:
        await many.client.fault(r"^/\$batch", effect, tenant=many.tenant, after=1, times=2)
    await many.import_(share["id"])
    await holds_everybody_once(many)


async def test_delta_with_any_transient_error_is_read_again(many: World) -> None:
    made = await many.import_((await many.share())["id"])
    for mailbox, effect in zip(many.targets, TRANSIENT, strict=True):
        path = f"^/users/{mailbox}/.*/contacts/delta"
        await many.client.fault(path, effect, tenant=many.tenant, times=3)
    await many.change(many.people[0], jobTitle="Boss")
    await many.next_day()
    await holds_everybody_once(many)
    run = await many.last_run(made["id"])
    assert run["status"] == "succeeded"
    assert run["throttled"] == 3 * sum(effect.get("status") == 429 for effect in TRANSIENT)


async def test_transient_error_on_a_source_page_removes_nobody(client: Client) -> None:
    world = await World.create(client, people=1_010, targets=1)
    made = await world.import_((await world.share())["id"])
    for effect in (TRANSIENT[0], TRANSIENT[5], TRANSIENT[7]):
        await client.fault(
            "transitiveMembers/microsoft.graph.user", effect, tenant=world.tenant, after=1, times=4
        )
        await world.next_day()
        run = await world.last_run(made["id"])
        assert (run["trigger"], run["status"]) == ("schedule", "succeeded"), effect
        assert run["contacts"] == {"created": 0, "updated": 0, "deleted": 0, "unchanged": 1_010}
        await client.clear_faults()


async def test_unreadable_source_fails_the_run_and_removes_nobody(
    world: World,
) -> None:
    made = await world.import_((await world.share())["id"])
    await world.client.fault("transitiveMembers", {"status": 403}, tenant=world.tenant, times=1_000)
    await world.next_day()
    run = await world.last_run(made["id"])
    assert (run["status"], run["reason"]) == ("failed", "consent_missing")
    await holds_everybody_once(world)


async def test_deleted_group_fails_the_run_with_group_not_found(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    await world.client.fault("transitiveMembers", {"status": 404}, tenant=world.tenant, times=1_000)
    await world.next_day()
    run = await world.last_run(made["id"])
    assert (run["status"], run["reason"]) == ("failed", "group_not_found")
    await holds_everybody_once(world)


async def test_expired_delta_link_leads_to_full_read_and_no_change(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    before = await world.client.mailbox(world.tenant, world.targets[0])
    await world.client.expire_delta(world.tenant)
    await world.next_day()
    run = await world.last_run(made["id"])
    assert run["contacts"] == {"created": 0, "updated": 0, "deleted": 0, "unchanged": 10}
    assert await world.client.mailbox(world.tenant, world.targets[0]) == before


async def test_mailbox_without_access_fails_with_reason_and_others_are_synced(
    world: World,
) -> None:
    share = await world.share()
    closed, open_ = world.targets
    await world.client.fault(f"/users/{closed}/", {"status": 403}, tenant=world.tenant, times=1_000)
    made = await world.import_(share["id"])
    results = await world.results(made["firstRun"])
    assert (results[closed]["outcome"], results[closed]["reason"]) == ("failed", "access_denied")
    assert results[open_]["outcome"] == "succeeded"
    assert (await world.api.get(f"/runs/{made['firstRun']}"))["status"] == "partial"


async def test_rejected_contact_is_reported_and_others_are_written(
    world: World,
) -> None:
    share = await world.share()
    await world.client.fault(
        CREATES, {"status": 400}, method="POST", tenant=world.tenant, after=1, times=1
    )
    made = await world.import_(share["id"])
    run = await world.api.get(f"/runs/{made['firstRun']}")
    assert (run["status"], run["reason"]) == ("partial", "contacts_rejected")
    rejected = [r["rejected"] for r in (await world.results(made["firstRun"])).values()]
    assert sum(map(len, rejected)) == 1
    assert run["contacts"]["created"] == 9


async def test_run_succeeds_after_rejected_token(world: World) -> None:
    share = await world.share()
    await world.client.fault(
        "/contactFolders", {"status": 401}, method="GET", tenant=world.tenant, times=3
    )
    await world.import_(share["id"])
    await holds_everybody_once(world)


async def test_withdrawn_consent_of_publisher_fails_the_run_and_removes_nobody(
    world: World, partner: World, cloud: LocalCloud
) -> None:
    share = await world.share()
    await partner.import_(share["shareId"])
    await cloud.client.consent(world.tenant, granted=False)
    await cloud.stop_host()
    await cloud.start_host()  # drops its tokens, which would expire after an hour
    await partner.next_day()
    imports = await partner.api.all("/imports")
    run = await partner.last_run(imports[0]["id"])
    assert (run["status"], run["reason"]) == ("failed", "publisher_consent_missing")
    assert await partner.names(partner.targets[0]) == world.expected()


async def test_long_retry_after_returns_message_to_the_queue(
    world: World,
) -> None:
    share = await world.share()
    effect = {"status": 429, "headers": {"Retry-After": "7"}}
    await world.client.fault(CREATES, effect, method="POST", tenant=world.tenant, after=1)
    await world.import_(share["id"], settle=False)
    delayed = 0
    for _ in range(100):
        counts = (await world.client.queues()).get(MAILBOX_SYNCS, {})
        delayed = max(delayed, counts.get("invisible", 0))
        await asyncio.sleep(0.05)
    assert delayed >= 1
    await world.client.settle()
    await holds_everybody_once(world)


async def send(cloud: LocalCloud, queue: str, *texts: str) -> None:
    service = QueueServiceClient.from_connection_string(cloud.addresses["storage"])
    async with service:
        for text in texts:
            await service.get_queue_client(queue).send_message(text)


async def test_foreign_message_of_any_form_is_recorded_and_ended(
    cloud: LocalCloud, world: World
) -> None:
    bodies = (b"hello", b'{"tenant": "t", "run": 7}', b"\xff\xfe is no text")
    texts = ("not base64 at all", "unpadde", "url-safe_", "")
    log = cloud.logs / "host.log"
    before = log.read_text("utf-8").count(f"on {MAILBOX_SYNCS} is not ours")
    share = await world.share()
    await send(cloud, MAILBOX_SYNCS, *(base64.b64encode(body).decode() for body in bodies), *texts)
    await world.import_(share["id"])
    await world.client.settle()
    await holds_everybody_once(world)
    recorded = log.read_text("utf-8").count(f"on {MAILBOX_SYNCS} is not ours") - before
    assert recorded == len(bodies) + len(texts)
    assert (await world.client.queues())[MAILBOX_SYNCS]["poison"] == 0


async def snapshot_of(cloud: LocalCloud, tenant: str, run: str) -> str:
    """The id of the snapshot that a run's row names."""
    async with TableServiceClient.from_connection_string(cloud.addresses["storage"]) as service:
        row = await service.get_table_client("Runs").get_entity(tenant, run)
        return str(json.loads(row["body00"])["snapshot"])


async def test_concurrent_duplicate_messages_create_no_duplicates(
    cloud: LocalCloud, world: World
) -> None:
    made = await world.import_((await world.share())["id"], settle=False)
    for _ in range(1_500):
        run = await world.api.get(f"/runs/{made['firstRun']}")
        if run["status"] != "queued":
            break
        await asyncio.sleep(0.02)
    copies = [
        SyncMailbox(
            tenant=world.tenant,
            import_id=made["id"],
            run=made["firstRun"],
            number=1,
            snapshot=await snapshot_of(cloud, world.tenant, made["firstRun"]),
            mailbox=mailbox,
            fingerprint="whatever",
        ).model_dump_json(by_alias=True)
        for mailbox in world.targets
        for _ in range(6)
    ]
    await send(cloud, MAILBOX_SYNCS, *(base64.b64encode(c.encode()).decode() for c in copies))
    # Each copy that finds the mailbox locked waits twice as long as before.
    await world.client.settle(200)
    await holds_everybody_once(world)


async def test_next_host_completes_the_run_of_a_killed_host(
    tmp_path: Path,
) -> None:
    # Its own cloud: messages of the killed host stay invisible as long as a worker may hold them.
    async with LocalCloud(build=tmp_path, settings={"LOCAL_HOST_HELD_FOR": "5"}) as cloud:
        world = await World.create(cloud.client, people=60, targets=4)
        share = await world.share()
        await cloud.client.latency(30)
        made = await world.import_(share["id"], settle=False)
        for _ in range(200):
            if await world.names(world.targets[0]):
                break
            await asyncio.sleep(0.02)
        await cloud.stop_host(signal.SIGKILL)
        await cloud.client.latency(0)
        await cloud.start_host()
        await world.days_pass(1)
        await world.until_closed(made["id"], "schedule")
        await holds_everybody_once(world)


async def test_import_of_unknown_share_is_refused(world: World) -> None:
    unknown = uuid4().hex
    reply = await world.api.send(
        "POST",
        "/imports",
        {"name": "I", "shareId": unknown, "targets": {"users": world.targets}},
    )
    assert reply.status == 400
    assert [e["field"] for e in reply.body["errors"]] == ["shareId"]
