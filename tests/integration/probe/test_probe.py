"""The probe answers every question on the simulator, and leaves nothing behind."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import pytest

from tests.integration.engine.graph import Graph, graph_token
from tests.local.cloud import LocalCloud
from tests.probe.__main__ import probe
from tests.probe.outside import NAME, Given, Outside
from tests.probe.questions import QUESTIONS
from tests.probe.run import Answered, NotEmptyError, as_json, require_empty, run, table
from tests.world import World

UNASKED = {"users_with_managers", "moved_contact", "foreign_contact", "no_mailbox"}


@pytest.fixture
async def outside(world: World) -> AsyncIterator[Outside]:
    """The spare mailbox of a new tenant."""
    token = await graph_token(world.client, world.tenant)

    async def same() -> str:
        return token

    given = Given(world.client.addresses["graph"], world.targets[0], world.group)
    async with Outside(given, same) as found:
        yield found


async def asked(outside: Outside, name: str) -> Answered:
    """Ask one question."""
    (answer,), _ = await run(outside, [q for q in QUESTIONS if q.name == name])
    return answer


async def test_every_question_has_an_answer_and_nothing_stays(
    outside: Outside, world: World
) -> None:
    await require_empty(outside)
    answers, left = await run(outside)
    assert {a.name for a in answers if a.holds is None} == UNASKED, answers
    assert left == []
    await require_empty(outside)
    graph = Graph(world, await outside.token())
    categories = await graph("GET", f"{graph.box}/outlook/masterCategories")
    assert categories.body["value"] == []
    shown = table(answers)
    assert all(question.assumption in shown for question in QUESTIONS)
    assert all(a["requests"] for a in as_json([a for a in answers if a.holds is not None]))
    assert all(a.meaning for a in answers if a.holds is False)


async def test_probe_asks_for_the_move_that_graph_cannot_do(outside: Outside, world: World) -> None:
    async def by_hand(contact: str, folder: str) -> None:
        id_ = contact.rpartition("/")[2]
        for place in (None, folder):
            await world.client.move_contact(world.tenant, world.targets[0], id_, place)

    outside.by_hand = by_hand
    for value, holds in (("shown", True), ("removed", False)):
        await world.client.quirks(world.tenant, movedBack=value)
        answer = await asked(outside, "moved_contact")
        assert answer.holds is holds, answer


async def test_probe_asks_other_mailboxes_if_they_are_given(outside: Outside, world: World) -> None:
    other, none = world.targets[1], world.people[0]
    await world.client.add_contact(world.tenant, other, displayName="Theirs")
    user = {"id": none, "mailbox": False}
    await world.client.change_tenant(world.tenant, users=[user])
    outside.given = replace(outside.given, other_mailbox=other, no_mailbox=none)
    assert (await asked(outside, "foreign_contact")).holds is not None
    for code in ("MailboxNotEnabledForRESTAPI", "ResourceNotFound"):
        await world.client.quirks(world.tenant, missingMailbox=code)
        answer = await asked(outside, "no_mailbox")
        assert answer.holds is (code == "MailboxNotEnabledForRESTAPI"), answer


@pytest.mark.parametrize(
    ("name", "quirk", "pleasant", "unpleasant"),
    [
        ("null_address", "nullAddress", "cleared", "refused"),
        ("null_parts", "nullAddress", "cleared", "partsRefused"),
        ("partial_address", "partialAddress", "replaced", "merged"),
        ("mail_names", "mailNames", "written", "directory"),
        ("whole_delta_items", "deltaItems", "whole", "changedOnly"),
        ("dead_link", "deadLink", "SyncStateNotFound", "SyncStateInvalid"),
        ("deleted_folder", "deletedFolder", "gone", "deletedItems"),
        ("delete_folder_twice", "deletedName", "free", "refused"),
        ("delete_folder_twice", "deletedName", "free", "ignored"),
        ("permanent_delete", "permanentDelete", "allowed", "refused"),
        ("photo_in_batch", "batchPhotos", "standard", "urlSafe"),
        ("category_exists", "categoryExists", "409", "400"),
    ],
)
async def test_probe_recognizes_both_answers_of_a_quirk(
    outside: Outside, world: World, name: str, quirk: str, pleasant: str, unpleasant: str
) -> None:
    for value, holds in ((pleasant, True), (unpleasant, False)):
        await world.client.quirks(world.tenant, **{quirk: value})
        answer = await asked(outside, name)
        assert answer.holds is holds, answer


async def test_pages_of_users_with_managers_are_counted(outside: Outside, world: World) -> None:
    users = [{"id": str(uuid4()), "displayName": f"N {number}"} for number in range(101)]
    await world.client.change_tenant(world.tenant, users=users)
    answer = await asked(outside, "users_with_managers")
    assert (answer.holds, answer.answer) == (False, "200, 100 users")


async def test_mailbox_that_is_in_use_is_refused(outside: Outside, world: World) -> None:
    graph = Graph(world, await outside.token())
    folder = await graph.folder()
    await require_empty(outside)
    for place in ("", f"/contactFolders/{folder}"):
        made = await graph("POST", f"{graph.box}{place}/contacts", {"displayName": "Own"})
        with pytest.raises(NotEmptyError):
            await require_empty(outside)
        await graph("DELETE", f"{graph.box}/contacts/{made.expect(201).body['id']}")


async def test_throttled_request_is_sent_again(outside: Outside, world: World) -> None:
    effect = {"status": 429, "headers": {"Retry-After": "0"}}
    await world.client.fault("/contactFolders$", effect, tenant=world.tenant, times=2)
    assert (await asked(outside, "partial_address")).requests[0].endswith("201")


async def test_command_signs_in_with_the_environment_and_prints_the_record(
    cloud: LocalCloud, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {
        "PROBE_TENANT": world.tenant,
        "PROBE_CLIENT_ID": cloud.addresses["clientId"],
        "PROBE_CLIENT_SECRET": cloud.addresses["clientSecret"],
        "PROBE_MAILBOX": world.targets[0],
        "PROBE_GRAPH": cloud.addresses["graph"],
        "PROBE_AUTHORITY": cloud.addresses["authority"],
        "PROBE_CA_FILE": cloud.addresses["caFile"],
    }
    assert await probe(environment, as_record=True, not_empty=False) == 0
    printed = capsys.readouterr()
    record = json.loads(printed.out)
    assert [found["name"] for found in record] == [question.name for question in QUESTIONS]
    assert world.targets[0] not in printed.out
    assert NAME not in printed.err


@pytest.mark.parametrize(
    ("name", "method", "path", "status"),
    [
        ("org_contacts_of_groups", "GET", "orgContact", 400),
        ("mail_by_ids", "POST", "getByIds", 403),
        ("malformed_ids", "POST", "getByIds", 200),
        ("two_marks", "GET", "singleValueExtendedProperties", 400),
        ("marks_at_once", "GET", "singleValueExtendedProperties", 400),
        ("empty_values", "PATCH", "/contacts/", 400),
        ("photo_in_batch", "PUT", "/photo/", 400),
        ("malformed_contact", "GET", "/contacts/nonsense", 400),
        ("default_folder", "GET", "/contactFolders/contacts", 404),
        ("removed_id", "DELETE", "/contacts/", 400),
        ("long_texts", "POST", "/contacts", 400),
    ],
)
async def test_unexpected_answer_refutes_the_assumption(
    outside: Outside, world: World, name: str, method: str, path: str, status: int
) -> None:
    await world.client.fault(path, {"status": status}, method=method, tenant=world.tenant, times=99)
    answer = await asked(outside, name)
    assert answer.holds is False
    assert answer.meaning


@pytest.mark.parametrize(
    ("name", "method", "path", "status"),
    [
        ("malformed_address", "POST", "/contacts$", 400),
        ("default_folder", "GET", "/contactFolders/contacts", 200),
    ],
)
async def test_expected_answer_confirms_the_assumption(
    outside: Outside, world: World, name: str, method: str, path: str, status: int
) -> None:
    await world.client.fault(path, {"status": status}, method=method, tenant=world.tenant)
    assert (await asked(outside, name)).holds
