"""Sharing between tenants: who may import, what each side sees, and how either side ends it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.end_to_end.checks import UNKNOWN, fields, problem
from tests.local.client import Client
from tests.world import World


async def test_subscriber_sees_publisher_fields_and_contact_count(
    world: World, partner: World
) -> None:
    await world.api.patch("/tenant", {"name": "Contoso"}, 200)
    expires = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    share = await world.share(
        fields=["displayName", "emailAddresses"],
        access={"rule": "anyone_with_id", "expires": expires},
    )

    seen = await partner.api.get(f"/publications/{share['shareId']}")

    assert seen["publisher"]["tenant"] == world.tenant
    assert seen["publisher"]["name"] == "Contoso"
    assert seen["fields"] == ["displayName", "emailAddresses"]
    assert (seen["name"], seen["contacts"], seen["own"]) == ("People", 5, False)
    assert datetime.fromisoformat(seen["expires"]) == datetime.fromisoformat(expires)
    assert (await world.api.get(f"/publications/{share['shareId']}"))["own"] is True


async def test_publisher_sees_subscribers_and_mailbox_counts_but_no_mailbox_ids(
    world: World, partner: World
) -> None:
    share = await world.share()
    await partner.api.patch("/tenant", {"name": "Fabrikam"}, 200)
    await partner.import_(share["shareId"])

    listed = await world.api.get(f"/shares/{share['id']}/subscribers")

    (subscriber,) = listed["items"]
    assert subscriber["since"] <= datetime.now(UTC).isoformat()
    del subscriber["since"]
    assert subscriber == {
        "tenant": partner.tenant, "name": "Fabrikam", "domain": subscriber["domain"],
        "imports": 1, "mailboxes": 2, "state": "admitted", "remaining": None, "unreachable": None,
    }  # fmt: skip
    assert not any(mailbox in str(listed) for mailbox in partner.targets)
    foreign = await partner.api.send("GET", f"/shares/{share['id']}/subscribers")
    problem(foreign, 404, "not-found")


async def test_deleting_the_import_removes_subscriber_from_list(
    world: World, partner: World
) -> None:
    share = await world.share()
    made = await partner.import_(share["shareId"])

    await partner.api.delete(f"/imports/{made['id']}", 202)
    await partner.client.settle()

    assert (await world.api.get(f"/shares/{share['id']}/subscribers"))["items"] == []
    assert await partner.names(partner.targets[0]) == []


async def test_blocking_removes_contacts_at_once_and_unblocking_restores_them(
    world: World, partner: World
) -> None:
    share = await world.share()
    made = await partner.import_(share["shareId"])

    await world.api.delete(f"/shares/{share['id']}/subscribers/{partner.tenant}", 204)
    await world.api.delete(f"/shares/{share['id']}/subscribers/{partner.tenant}", 204)
    await partner.client.settle()

    (run,) = (
        run
        for run in await partner.api.all(f"/imports/{made['id']}/runs")
        if run["contacts"]["deleted"]
    )
    assert (run["reason"], run["contacts"]["deleted"]) == ("share_withdrawn", 10)
    assert await partner.names(partner.targets[0]) == []
    hidden = await partner.api.send("GET", f"/publications/{share['shareId']}")
    problem(hidden, 404, "not-found")
    await world.api.patch(f"/shares/{share['id']}", {"blocked": []}, 200)
    await partner.next_day()
    assert await partner.names(partner.targets[0]) == world.expected()


async def test_only_other_subscribers_can_be_blocked(
    world: World,
) -> None:
    share = await world.share()
    await world.import_(share["id"])

    stranger = await world.api.send("DELETE", f"/shares/{share['id']}/subscribers/{uuid4()}")
    oneself = await world.api.send("DELETE", f"/shares/{share['id']}/subscribers/{world.tenant}")

    problem(stranger, 404, "not-found")
    problem(oneself, 409, "conflict")


async def test_rotation_cuts_off_dropped_subscribers_and_leaves_kept_ones_unchanged(
    client: Client, world: World, partner: World
) -> None:
    outsider = await World.create(client)
    share = await world.share()
    own = await world.import_(share["id"])
    stays = await partner.import_(share["shareId"])
    goes = await outsider.import_(share["shareId"])

    rotated = await world.api.post(f"/shares/{share['id']}/rotate", {"keep": [partner.tenant]}, 200)
    await client.reset_requests()
    await partner.next_day()

    assert rotated["shareId"] != share["shareId"]
    assert {**rotated, "shareId": "", "etag": "", "changed": ""} == {
        **share, "shareId": "", "etag": "", "changed": "",
    }  # fmt: skip
    for of, made in ((world, own), (partner, stays)):
        run = await of.last_run(made["id"])
        assert (run["status"], run["contacts"]["unchanged"]) == ("succeeded", 10)
        seen = (await client.requests())["tenants"][of.tenant]["mailboxes"]
        assert {seen[mailbox]["batchItems"] for mailbox in of.targets} == {1}
    listed = await outsider.api.all(f"/imports/{goes['id']}/runs")
    (cut,) = (run for run in listed if run["trigger"] == "revocation")
    assert (cut["reason"], cut["contacts"]["deleted"]) == ("share_withdrawn", 10)
    problem(await outsider.api.send("GET", f"/publications/{share['shareId']}"), 404, "not-found")
    assert (await partner.api.get(f"/publications/{share['shareId']}"))["contacts"] == 5
    listed = await world.api.get(f"/shares/{rotated['id']}/subscribers")
    assert {c["tenant"] for c in listed["items"]} == {world.tenant, partner.tenant}
    late = {"name": "Late", "shareId": share["shareId"], "targets": {"users": outsider.targets}}
    problem(await outsider.api.send("POST", "/imports", late), 400, "invalid-input")


async def test_withdrawal_reaches_subscribers_after_two_rotations(
    world: World, partner: World
) -> None:
    share = await world.share()
    made = await partner.import_(share["shareId"])
    for _ in range(2):
        await world.api.post(f"/shares/{share['id']}/rotate", {}, 200)
    await partner.next_day()
    assert (await partner.last_run(made["id"]))["status"] == "succeeded"

    await world.api.delete(f"/shares/{share['id']}", 204)
    await partner.next_day()

    assert (await partner.last_run(made["id"]))["reason"] == "share_withdrawn"
    assert await partner.names(partner.targets[0]) == []


async def test_expired_access_removes_contacts(world: World, partner: World) -> None:
    expires = (datetime.now(UTC) + timedelta(hours=12)).isoformat()
    share = await world.share(access={"rule": "anyone_with_id", "expires": expires})
    made = await partner.import_(share["shareId"])

    await partner.next_day()

    assert (await partner.last_run(made["id"]))["reason"] == "share_withdrawn"
    assert await partner.names(partner.targets[0]) == []


@pytest.mark.parametrize("rule", ["tenant", "tenants"])
async def test_share_without_access_looks_like_unknown_share(
    world: World, partner: World, rule: str
) -> None:
    named = [str(uuid4())] if rule == "tenants" else []
    share = await world.share(access={"rule": rule, "tenants": named})

    shut = await partner.api.send("GET", f"/publications/{share['shareId']}")
    unknown = await partner.api.send("GET", f"/publications/{UNKNOWN}")

    shown = problem(shut, 404, "not-found"), problem(unknown, 404, "not-found")
    assert shown[0]["detail"] == shown[1]["detail"]


async def test_guessing_share_ids_is_throttled_for_the_guesser_only(
    world: World, partner: World
) -> None:
    share = await world.share()
    answers = [await partner.api.send("GET", f"/publications/{uuid4().hex}") for _ in range(101)]

    slowed = problem(answers[-1], 429, "too-many-guesses")
    body = {"name": "I", "shareId": share["shareId"], "targets": {"users": partner.targets}}
    refused = await partner.api.send("POST", "/imports", body)

    assert {answer.status for answer in answers[:100]} == {404}
    assert slowed["detail"]
    assert int({k.lower(): v for k, v in answers[-1].headers.items()}["retry-after"]) > 0
    problem(refused, 429, "too-many-guesses")
    assert (await world.api.get(f"/publications/{share['shareId']}"))["contacts"] == 5


async def test_partners_reader_cannot_make_the_publishers_directory_be_read_without_end(
    client: Client, world: World, partner: World
) -> None:
    made = await partner.import_((await world.share())["shareId"])
    reader = await client.api(partner.tenant, oid="rita", roles=("Reader",))
    query = f"mailbox={partner.targets[0]}&person={world.people[0]}"
    await client.reset_requests()

    replies = [
        await reader.send("GET", f"/imports/{made['id']}/explain?{query}") for _ in range(40)
    ]
    read = (await client.requests())["tenants"][world.tenant]["http"]
    admin = await partner.api.send(
        "POST", f"/imports/{made['id']}/preview", {"mailbox": partner.targets[0]}
    )

    assert [reply.status for reply in replies] == [200] * 30 + [429] * 10
    assert problem(replies[-1], 429, "too-many-requests")["code"] == "too_many_reads"
    assert read <= 100
    assert admin.status == 200


async def test_readers_wrong_share_ids_do_not_stop_an_admins_import_of_an_own_share(
    client: Client, world: World
) -> None:
    share = await world.share()
    reader = await client.api(world.tenant, oid="rita", roles=("Reader",))
    answers = [await reader.send("GET", f"/publications/{uuid4().hex}") for _ in range(101)]

    own = await reader.send("GET", f"/publications/{share['id']}")
    await world.import_(share["id"])

    assert [answers[99].status, answers[100].status, own.status] == [404, 429, 200]


async def test_rotation_with_invalid_keep_list_changes_nothing(world: World) -> None:
    share = await world.share()

    refused = await world.api.send("POST", f"/shares/{share['id']}/rotate", {"keep": ["a/b"]})

    assert fields(problem(refused, 400, "invalid-input")) == {"keep.0"}
    assert (await world.api.get(f"/shares/{share['id']}"))["etag"] == share["etag"]
