"""Invalid input: what the API refuses, field by field, before it changes anything."""

import asyncio
from uuid import uuid4

import pytest

from tests.end_to_end.checks import fields, problem, raw
from tests.local.client import Json
from tests.world import World

TENANT = "fabfabfa-0000-4000-8000-000000000002"
BAD_BODIES = {
    "not JSON": b"name=x",
    "empty": b"",
    "not an object": b'["x"]',
    "truncated": b'{"name": "x"',
    "not UTF-8": b'{"name": "\xff"}',
    "a lone surrogate": b'{"name": "\\ud800", "sources": {"allUsers": true}}',
    "a lone surrogate as duplicate key": b'{"\\ud800": 1, "\\ud800": 2}',
    "NaN": b'{"name": "x", "sources": {"allUsers": true}, "fields": NaN}',
    "an infinite number": b'{"name": "x", "sources": {"allUsers": true}, "fields": 1e400}',
    "a huge number": b'{"name": ' + b"9" * 5000 + b"}",
    "deep lists": b'{"name": ' + b"[" * 100 + b"]" * 100 + b"}",
    "very deep lists": b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "very deep objects": b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
}


@pytest.mark.parametrize("content", BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_malformed_json_is_refused(world: World, content: bytes) -> None:
    problem(await raw(world.api, "POST", "/shares", content), 400, "invalid-input")

    assert await world.api.all("/shares") == []


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # meant to be large
async def test_body_of_two_megabytes_is_refused(world: World) -> None:
    content = b'{"name": "' + b"x" * 2_000_000 + b'"}'

    problem(await raw(world.api, "POST", "/shares", content), 413, "payload-too-large")


async def test_body_of_another_content_type_is_refused(world: World) -> None:
    content = b'{"name": "x", "sources": {"allUsers": true}}'
    headers = {"Content-Type": "text/plain"}

    problem(
        await raw(world.api, "POST", "/shares", content, **headers), 415, "unsupported-media-type"
    )


async def test_share_too_large_for_storage_is_refused_and_stays_unchanged(
    world: World,
) -> None:
    share = await world.share()
    path = f"/shares/{share['id']}"
    contacts = [{"displayName": f"Äpfel {n}", "title": "x" * 400} for n in range(500)]
    ids = [str(uuid4()) for _ in range(5000)]

    await world.api.patch(path, {"sources": {"contacts": contacts}})
    reply = await world.api.send("PATCH", path, {"sources": {"users": ids}})

    problem(reply, 413, "payload-too-large")
    kept = (await world.api.get(path))["sources"]
    assert len(kept["contacts"]) == 500
    assert kept["users"] == []


async def test_names_in_any_script_are_kept(world: World) -> None:
    contacts = [{"displayName": "\U0001f600" * 200} for _ in range(300)]

    share = await world.api.post("/shares", {"name": "😀", "sources": {"contacts": contacts}}, 201)

    kept = (await world.api.get(f"/shares/{share['id']}"))["sources"]["contacts"]
    assert [contact["displayName"] for contact in kept] == ["\U0001f600" * 200] * 300


INVALID_SHARES: dict[str, tuple[Json, set[str]]] = {
    "no name": ({"sources": {"allUsers": True}}, {"name"}),
    "no sources": ({"name": "x"}, {"sources"}),
    "empty sources": ({"name": "x", "sources": {}}, {"sources"}),
    "an unknown field": ({"name": "x", "sources": {"allUsers": True}, "id": "1"}, {"id"}),
    "text for a boolean": ({"name": "x", "sources": {"allUsers": "yes"}}, {"sources.allUsers"}),
    "an invalid id": (
        {"name": "x", "sources": {"groups": [{"id": "mueller"}]}},
        {"sources.groups.0.id"},
    ),
    "a time as a number": (
        {"name": "x", "sources": {"allUsers": True}, "access": {"expires": 1893456000}},
        {"access.expires"},
    ),
    "an unknown contact field": (
        {"name": "x", "sources": {"allUsers": True}, "fields": ["password"]},
        {"fields"},
    ),
    "an invalid tenant id": (
        {
            "name": "x",
            "sources": {"allUsers": True},
            "access": {"rule": "tenants", "tenants": ["contoso.com"]},
        },
        {"access.tenants.0"},
    ),
    "an expiry in the past": (
        {
            "name": "x",
            "sources": {"allUsers": True},
            "access": {"expires": "2020-01-01T00:00:00Z"},
        },
        {"access.expires"},
    ),
    "tenants that the rule does not use": (
        {"name": "x", "sources": {"allUsers": True}, "access": {"tenants": [TENANT]}},
        {"access"},
    ),
    "an unknown filter": (
        {"name": "x", "sources": {"allUsers": True, "filter": {"password": ["x"]}}},
        {"sources.filter"},
    ),
}


@pytest.mark.parametrize(("body", "wrong"), INVALID_SHARES.values(), ids=INVALID_SHARES.keys())
async def test_invalid_share_is_refused_by_field(world: World, body: Json, wrong: set[str]) -> None:
    reply = await world.api.send("POST", "/shares", body)

    assert fields(problem(reply, 400, "invalid-input")) == wrong


async def test_removing_absent_filter_succeeds(world: World) -> None:
    share = await world.share()
    filters = {"department": ["Sales"], "city": []}

    changed = await world.api.patch(f"/shares/{share['id']}", {"sources": {"filter": filters}})

    assert changed["sources"]["filter"] == {"department": ["Sales"]}


async def test_whole_number_may_have_a_zero_fraction(world: World) -> None:
    reply = await raw(world.api, "PUT", "/licenses", b'{"booked": 8.0}')
    refused = await raw(world.api, "PUT", "/licenses", b'{"booked": 8.5}')

    assert reply.expect(200).body["booked"] == 8
    assert fields(problem(refused, 400, "invalid-input")) == {"booked"}


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\u202e", "\u2066"], ids=ascii)
async def test_controls_and_turned_text_are_refused_by_field(world: World, char: str) -> None:
    name = f"Con{char}toso"
    share = {"sources": {"allUsers": True}}
    hotline = {"displayName": "Hotline", "jobTitle": name}
    for method, path, body, field in (
        ("PATCH", "/tenant", {"name": name}, "name"),
        ("POST", "/shares", {"name": name, **share}, "name"),
        (
            "POST",
            "/shares",
            {"name": "A", "sources": {"contacts": [hotline]}},
            "sources.contacts.0.jobTitle",
        ),
    ):
        refused = problem(await world.api.send(method, path, body), 400, "invalid-input")

        assert [(e["field"], e["code"]) for e in refused["errors"]] == [
            (field, "text_has_controls")
        ]


async def test_first_calls_of_a_new_tenant_at_once_all_succeed(world: World) -> None:
    replies = await asyncio.gather(*(world.api.send("GET", "/shares") for _ in range(24)))

    assert {reply.status for reply in replies} == {200}
