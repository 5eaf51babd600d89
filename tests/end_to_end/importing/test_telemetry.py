"""Telemetry of whole runs: one trace by links, events as their schema says, nobody's data."""

import json
from typing import Any
from uuid import uuid4

import pytest
from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueServiceClient

from shared.adapters.telemetry import EVENT_NAME, SCOPE
from shared.domain.events import schemas
from shared.domain.importing.messages import MAILBOX_SYNCS
from tests.local.client import Client, Json
from tests.local.cloud import LocalCloud
from tests.world import World

TYPES: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "code": str,
    "count": int,
    "milliseconds": int,
    "seconds": (int, float),
    "flag": bool,
}


class Told:
    """What the functions host has told."""

    def __init__(self, telemetry: Json) -> None:
        self.all = telemetry
        self.spans: list[Json] = telemetry["spans"]
        self.by_id = {span["span"]: span for span in self.spans}

    @classmethod
    async def read(cls, client: Client) -> "Told":
        return cls(await client.telemetry())

    def events(self, name: str, **attributes: Any) -> list[Json]:
        given = [log["attributes"] for log in self.all["logs"]]
        wanted = {EVENT_NAME: name, **attributes}
        return [event for event in given if wanted.items() <= event.items()]

    def named(self, name: str, **attributes: Any) -> list[Json]:
        return [
            span
            for span in self.spans
            if span["name"] == name and attributes.items() <= span["attributes"].items()
        ]

    def leading_to(self, span: Json) -> list[Json]:
        """The span and all that it goes back to, by parents and links."""
        found: list[Json] = []
        waiting = [span]
        while waiting:
            span = waiting.pop()
            found.append(span)
            before = [span["parent"], *(link["span"] for link in span["links"])]
            waiting += [self.by_id[id_] for id_ in before if id_ in self.by_id]
        return found


@pytest.fixture
async def world(client: Client) -> World:
    made = await World.create(client, targets=3)
    await client.reset_telemetry()
    return made


def traced(told: Told, world: World, run: str, origin: str) -> list[Json]:
    """The spans of a run's mailboxes, each of which goes back to one span of the origin's name."""
    spans = told.named("sync_mailbox", run=run)
    assert {span["attributes"]["mailbox"] for span in spans} == set(world.targets)
    origins = set()
    for span in spans:
        assert span["kind"] == "CONSUMER"
        before = told.leading_to(span)
        assert [s["name"] for s in before if s["scope"] == SCOPE and s["kind"] == "CONSUMER"] == [
            "sync_mailbox",
            "start_run",
        ]
        origins |= {s["span"] for s in before if (s["scope"], s["name"]) == ("host", origin)}
    assert len(origins) == 1
    return spans


async def test_every_mailbox_of_a_run_leads_back_to_the_call_that_created_the_import(
    world: World,
) -> None:
    share = await world.share()
    trace, caller = uuid4().hex, uuid4().hex[:16]
    body = {"name": "Import", "shareId": share["id"], "targets": {"users": world.targets}}
    reply = await world.api.send("POST", "/imports", body, traceparent=f"00-{trace}-{caller}-01")
    await world.client.settle()
    run = reply.expect(201).body["firstRun"]
    told = await Told.read(world.client)

    spans = traced(told, world, run, "create_import")

    origin = next(s for s in told.leading_to(spans[0]) if s["name"] == "create_import")
    assert (origin["trace"], origin["parent"]) == (trace, caller)
    (start,) = told.named("start_run", run=run)
    assert start["trace"] != trace
    (resolved,) = told.named("resolve_share", run=run)
    assert resolved["parent"] == start["span"]
    asked = [s for s in told.spans if s["parent"] in {s["span"] for s in spans}]
    assert "POST /$batch" in {s["name"] for s in asked}


async def test_a_run_by_the_timer_leads_back_to_it(world: World) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    await world.client.reset_telemetry()
    await world.next_day()
    run = await world.last_run(made["id"])

    traced(await Told.read(world.client), world, run["id"], "start_daily_runs")


async def test_a_run_tells_what_it_did_once_and_in_numbers_that_agree(world: World) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    told = await Told.read(world.client)
    ids = {"tenant": world.tenant, "importId": made["id"], "run": made["firstRun"]}
    run = await world.last_run(made["id"])

    (resolved,) = told.events("share_resolved", **ids)
    (started,) = told.events("run_started", **ids)
    mailboxes = told.events("mailbox_sync_finished", **ids)
    (closed,) = told.events("run_closed", **ids)
    assert (resolved["contacts"], resolved["publisher"]) == (5, world.tenant)
    assert (started["mailboxes"], started["shareContacts"]) == (3, 5)
    assert sorted(m["mailbox"] for m in mailboxes) == sorted(world.targets)
    assert [(m["task"], m["outcome"], m["created"]) for m in mailboxes] == [
        ("sync", "succeeded", 5)
    ] * 3
    assert (closed["status"], closed["trigger"], closed["succeeded"]) == ("succeeded", "created", 3)
    assert closed["created"] == sum(m["created"] for m in mailboxes) == 15
    assert closed["graphRequests"] == run["graphRequests"]
    assert closed["graphRequests"] == (
        started["graphRequests"] + sum(m["graphRequests"] for m in mailboxes)
    )
    requests = [s for s in told.spans if s["kind"] == "CLIENT"]
    counted = [m for m in told.all["metrics"] if m["name"] == "contact_sync.graph.requests"]
    assert sum(m["value"] for m in counted) == len(requests) >= closed["graphRequests"]
    ages = [m for m in told.all["metrics"] if m["name"] == "contact_sync.queue.age"]
    assert {m["attributes"]["queue"] for m in ages} == {
        "import-runs",
        "mailbox-syncs",
        "run-closings",
    }


async def send(cloud: LocalCloud, queue: str, text: str) -> None:
    storage = QueueServiceClient.from_connection_string(cloud.addresses["storage"])
    async with storage:
        client = storage.get_queue_client(queue, message_encode_policy=TextBase64EncodePolicy())
        await client.send_message(text)


async def life(world: World) -> list[str]:
    """Have as many events as there are; answer what no telemetry may hold."""
    client, api = world.client, world.api
    share = await world.share()
    made = await world.import_(share["id"], guard={"deletes": 0, "deleteShare": 0})
    await api.put("/licenses", {"booked": 3})
    effect = {"status": 429, "headers": {"Retry-After": "7"}}
    await client.fault("/contacts/delta", effect, tenant=world.tenant)
    await world.members(world.people[:3])
    await world.next_day()
    held = await world.last_run(made["id"])
    assert held["status"] == "held"
    await api.post(f"/runs/{held['id']}/discard", None)
    await api.post(f"/runs/{held['id']}/approve", None)
    await client.settle()
    await client.fire("start_hourly_runs")
    await client.fire("sweep_leftovers")
    await client.consent(world.tenant, granted=False)
    # A kept token would go on to work until it expires.
    await client.fault(".*", {"status": 403}, times=1000, tenant=world.tenant)
    await world.next_day()
    await client.clear_faults()
    await client.consent(world.tenant)
    await world.next_day()
    code = (await api.delete("/tenant", 200))["confirm"]
    await api.delete(f"/tenant?confirm={code}&tenant={world.tenant}", 202)
    await client.settle()
    people = [value for user in world.users.values() for value in _values(user)]
    return [*people, share["id"], share["name"], "Ada Admin", api.token, "Person"]


def _values(user: Json) -> list[str]:
    fields = ("mail", "displayName", "surname", "mobilePhone", "faxNumber", "city")
    return [str(user[name]) for name in fields] + list(user["businessPhones"])


async def test_all_events_fit_their_schema_and_nothing_tells_of_anybody(
    cloud: LocalCloud, world: World, client: Client
) -> None:
    await send(cloud, MAILBOX_SYNCS, json.dumps({"mailbox": "Person 1"}))
    never = await life(world)
    told = await Told.read(client)
    known = schemas()
    seen = set()
    for log in told.all["logs"]:
        name = log["attributes"].pop(EVENT_NAME, None)
        if name is not None:
            seen.add(name)
            assert log["attributes"].keys() == known[name].keys(), name
            for attribute, value in log["attributes"].items():
                kind = TYPES[known[name][attribute]]
                assert isinstance(value, kind), (name, attribute, value)
                assert isinstance(value, bool) == (kind is bool)
    text = json.dumps(told.all, ensure_ascii=False)

    assert seen == known.keys()
    assert [word for word in never if word in text] == []
    assert {s["scope"] for s in told.spans} == {"host", SCOPE}
    assert {key for s in told.spans for key in s["attributes"]} <= {
        "importId",
        "run",
        "mailbox",
        "http.request.method",
        "http.response.status_code",
        "url.full",
        "contact_sync.throttled",
        "error.type",
    }
    assert all(
        not s["recorded"] and not s["description"] for s in told.spans if s["scope"] == SCOPE
    )
    ids = {*world.users, world.tenant, world.group}
    assert not any(id_ in s["name"] for s in told.spans for id_ in ids)
