"""Telemetry of whole runs: linked traces, events that match their schema, no personal data."""

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


class Telemetry:
    """The telemetry that the functions host has recorded."""

    def __init__(self, telemetry: Json) -> None:
        self.all = telemetry
        self.spans: list[Json] = telemetry["spans"]
        self.by_id = {span["span"]: span for span in self.spans}

    @classmethod
    async def read(cls, client: Client) -> "Telemetry":
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

    def ancestors(self, span: Json) -> list[Json]:
        """Return the span and all its ancestors, by parents and links."""
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


def traced(telemetry: Telemetry, world: World, run: str, origin: str) -> list[Json]:
    """Return the spans of a run's mailboxes, all of which lead back to one span named `origin`."""
    spans = telemetry.named("sync_mailbox", run=run)
    assert {span["attributes"]["mailbox"] for span in spans} == set(world.targets)
    origins = set()
    for span in spans:
        assert span["kind"] == "CONSUMER"
        before = telemetry.ancestors(span)
        consumers = [s["name"] for s in before if (s["scope"], s["kind"]) == (SCOPE, "CONSUMER")]
        # A tick that takes long hands the rest of its tenants on in messages.
        assert [name for name in consumers if name != "maintain_range"] == [
            "sync_mailbox",
            "check_mailboxes",
            "start_run",
        ]
        origins |= {s["span"] for s in before if (s["scope"], s["name"]) == ("host", origin)}
    assert len(origins) == 1
    return spans


async def test_mailbox_spans_lead_back_to_the_call_that_created_the_import(
    world: World,
) -> None:
    share = await world.share()
    trace, caller = uuid4().hex, uuid4().hex[:16]
    body = {"name": "Import", "shareId": share["id"], "targets": {"users": world.targets}}
    reply = await world.api.send("POST", "/imports", body, traceparent=f"00-{trace}-{caller}-01")
    await world.client.settle()
    run = reply.expect(201).body["firstRun"]
    telemetry = await Telemetry.read(world.client)

    spans = traced(telemetry, world, run, "create_import")

    origin = next(s for s in telemetry.ancestors(spans[0]) if s["name"] == "create_import")
    assert (origin["trace"], origin["parent"]) == (trace, caller)
    (start,) = telemetry.named("start_run", run=run)
    assert start["trace"] != trace
    (resolved,) = telemetry.named("resolve_share", run=run)
    assert resolved["parent"] == start["span"]
    asked = [s for s in telemetry.spans if s["parent"] in {s["span"] for s in spans}]
    assert "POST /$batch" in {s["name"] for s in asked}


async def test_mailbox_spans_of_a_scheduled_run_lead_back_to_the_timer(world: World) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    await world.client.reset_telemetry()
    await world.change(world.people[0], jobTitle="Boss")
    await world.next_day()
    run = await world.last_run(made["id"])

    traced(await Telemetry.read(world.client), world, run["id"], "start_due_runs")


async def test_run_emits_each_event_once_with_consistent_numbers(world: World) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    telemetry = await Telemetry.read(world.client)
    ids = {"tenant": world.tenant, "importId": made["id"], "run": made["firstRun"]}
    run = await world.last_run(made["id"])

    (resolved,) = telemetry.events("share_resolved", **ids)
    (started,) = telemetry.events("run_started", **ids)
    mailboxes = telemetry.events("mailbox_sync_finished", **ids)
    (closed,) = telemetry.events("run_closed", **ids)
    assert (resolved["contacts"], resolved["publisher"]) == (5, world.tenant)
    assert (started["mailboxes"], started["shareContacts"]) == (3, 5)
    assert sorted(m["mailbox"] for m in mailboxes) == sorted(world.targets)
    assert [(m["task"], m["outcome"], m["created"]) for m in mailboxes] == [
        ("sync", "succeeded", 5)
    ] * 3
    assert (closed["status"], closed["trigger"], closed["succeeded"]) == ("succeeded", "created", 3)
    assert closed["created"] == sum(m["created"] for m in mailboxes) == 15
    assert closed["graphRequests"] == run["graphRequests"]
    assert closed["graphRequests"] == sum(
        event["graphRequests"] for event in (started, resolved, *mailboxes)
    )
    requests = [s for s in telemetry.spans if s["kind"] == "CLIENT"]
    counted = [m for m in telemetry.all["metrics"] if m["name"] == "contact_sync.graph.requests"]
    assert sum(m["value"] for m in counted) == len(requests) >= closed["graphRequests"]
    ages = [m for m in telemetry.all["metrics"] if m["name"] == "contact_sync.queue.age"]
    assert {m["attributes"]["queue"] for m in ages} == {
        "import-runs",
        "mailbox-checks",
        "mailbox-syncs",
        "run-closings",
    }


async def test_requests_for_a_foreign_share_are_the_publishers(
    world: World, partner: World
) -> None:
    share = await world.share()
    made = await partner.import_(share["shareId"])
    run = await partner.last_run(made["id"])
    telemetry = await Telemetry.read(partner.client)
    ids = {"tenant": partner.tenant, "importId": made["id"], "run": made["firstRun"]}

    (resolved,) = telemetry.events("share_resolved", **ids)
    (started,) = telemetry.events("run_started", **ids)
    (closed,) = telemetry.events("run_closed", **ids)
    mailboxes = telemetry.events("mailbox_sync_finished", **ids)
    assert resolved["publisher"] == world.tenant
    assert resolved["graphRequests"] > 0
    assert run["graphRequests"] == closed["graphRequests"] == sum(
        event["graphRequests"] for event in (started, *mailboxes)
    )  # fmt: skip


async def send(cloud: LocalCloud, queue: str, text: str) -> None:
    storage = QueueServiceClient.from_connection_string(cloud.addresses["storage"])
    async with storage:
        client = storage.get_queue_client(queue, message_encode_policy=TextBase64EncodePolicy())
        await client.send_message(text)


async def cause_every_event(world: World) -> list[str]:
    """Cause every kind of event. Return the texts that no telemetry may contain."""
    client, api = world.client, world.api
    share = await world.share()
    made = await world.import_(share["id"], guard={"deletes": 0, "deleteShare": 0})
    await api.put("/licenses", {"booked": 3})
    effect = {"status": 429, "headers": {"Retry-After": "7"}}
    # Three answers for the check of all mailboxes, and one for a mailbox by itself.
    await client.fault("/contacts/delta", effect, times=4, tenant=world.tenant)
    await world.members(world.people[:3])
    await world.next_day()
    held = await world.last_run(made["id"])
    assert held["status"] == "held"
    await api.post(f"/runs/{held['id']}/discard", None)
    await api.post(f"/runs/{held['id']}/approve", None)
    await client.settle()
    await client.fire("start_due_runs")
    await client.fire("sweep_leftovers")
    await client.consent(world.tenant, granted=False)
    # A cached token keeps working until it expires.
    await client.fault(".*", {"status": 403}, times=1000, tenant=world.tenant)
    await world.next_day()
    await client.clear_faults()
    await client.consent(world.tenant)
    await world.next_day()
    code = (await api.delete("/tenant", 200))["confirm"]
    await api.delete(f"/tenant?confirm={code}&tenant={world.tenant}", 202)
    await world.hours_pass(25)
    people = [value for user in world.users.values() for value in _values(user)]
    return [*people, share["id"], share["name"], "Ada Admin", api.token, "Person"]


def _values(user: Json) -> list[str]:
    fields = ("mail", "displayName", "surname", "mobilePhone", "faxNumber", "city")
    return [str(user[name]) for name in fields] + list(user["businessPhones"])


async def test_events_match_their_schema_and_hold_no_personal_data(
    cloud: LocalCloud, world: World, client: Client
) -> None:
    await send(cloud, MAILBOX_SYNCS, json.dumps({"mailbox": "Person 1"}))
    never = await cause_every_event(world)
    telemetry = await Telemetry.read(client)
    tries = telemetry.events("message_given_back", tenant=world.tenant, queue=MAILBOX_SYNCS)
    assert {given["mailbox"] for given in tries} <= set(world.targets)
    assert any(given["graphRequests"] for given in tries), "what a try has cost that ended early"
    known = schemas()
    seen = set()
    for log in telemetry.all["logs"]:
        name = log["attributes"].pop(EVENT_NAME, None)
        if name is not None:
            seen.add(name)
            assert log["attributes"].keys() == known[name].keys(), name
            for attribute, value in log["attributes"].items():
                kind = TYPES[known[name][attribute]]
                assert isinstance(value, kind), (name, attribute, value)
                assert isinstance(value, bool) == (kind is bool)
    text = json.dumps(telemetry.all, ensure_ascii=False)

    # No run of this test is open for half an hour, and nobody here receives notices.
    assert seen == known.keys() - {"run_open", "notice_sent"}
    assert any(log["attributes"].get("status") == "discarded" for log in telemetry.all["logs"])
    assert [word for word in never if word in text] == []
    assert {s["scope"] for s in telemetry.spans} == {"host", SCOPE}
    assert {key for s in telemetry.spans for key in s["attributes"]} <= {
        "importId",
        "run",
        "mailbox",
        "http.request.method",
        "http.response.status_code",
        "url.full",
        "contact_sync.client_request_id",
        "contact_sync.request_id",
        "contact_sync.throttled",
        "error.type",
    }
    assert all(
        not s["recorded"] and not s["description"] for s in telemetry.spans if s["scope"] == SCOPE
    )
    ids = {*world.users, world.tenant, world.group}
    assert not any(id_ in s["name"] for s in telemetry.spans for id_ in ids)
