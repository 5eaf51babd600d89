"""A tenant's own check against the Graph simulator: every line, both ways."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.domain.errors import TransientError
from shared.domain.importing.messages import CheckTenant
from shared.domain.tenancy.tenant_checks import (
    CheckInput,
    CheckReason,
    CheckState,
    LineCode,
    LineState,
)
from tests.integration.services.checked import DIRECTORY_ONLY, MAILBOX, Checked
from tests.local.client import Json
from tests.world import person


async def test_check_of_a_connected_tenant_is_ok_and_leaves_nothing(checked: Checked) -> None:
    found = await checked.run()

    check = await checked.read()
    assert found == {**dict.fromkeys(LineCode), LineCode.SCOPE: CheckReason.ALL_MAILBOXES}
    assert (check.state, check.result) == (CheckState.DONE, LineState.OK)
    assert check.tested == checked.world.targets[0]
    assert check.by == checked.caller.oid
    assert check.left == []
    assert await checked.left() == ([], [], [])


async def test_first_target_of_an_import_is_checked_if_none_is_named(checked: Checked) -> None:
    world = checked.world
    await world.import_((await world.share())["id"], active=False, settle=False)
    start = checked.app.checks.tenant_checks.start
    check = await start(checked.caller, CheckInput(), checked.app.idempotency.once())

    await checked.app.checks.worker.run(CheckTenant(tenant=world.tenant, check=check.id))

    assert (await checked.read()).tested in world.targets


async def test_without_a_target_the_mailbox_is_skipped(checked: Checked) -> None:
    check = await checked.app.checks.tenant_checks.start(
        checked.caller, CheckInput(), checked.app.idempotency.once()
    )

    await checked.app.checks.worker.run(CheckTenant(tenant=checked.world.tenant, check=check.id))

    found = await checked.reasons()
    assert {found[line] for line in MAILBOX} == {CheckReason.NO_TARGET}
    assert (await checked.read()).result is LineState.OK


async def test_missing_consent_fails_one_line_and_skips_the_others(checked: Checked) -> None:
    await checked.world.client.consent(checked.world.tenant, granted=False)

    found = await checked.run()

    rest = dict.fromkeys(list(LineCode)[1:], CheckReason.NOT_REACHED)
    assert found == {LineCode.CONSENT: CheckReason.CONSENT_MISSING, **rest}
    assert (await checked.read()).result is LineState.FAILED


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (90002, CheckReason.TENANT_NOT_FOUND),
        (53003, CheckReason.ACCESS_POLICY_BLOCKS),
        (501051, CheckReason.ASSIGNMENT_REQUIRED),
        (500014, CheckReason.GRAPH_DISABLED),
    ],
)
async def test_refusal_of_entra_is_named(checked: Checked, code: int, reason: CheckReason) -> None:
    world = checked.world
    refusal = {"tenant": world.tenant, "refusal": code}
    (await world.client.send("POST", f"{world.client.entra}/_sim/consent", refusal)).expect(200)

    assert (await checked.run())[LineCode.CONSENT] is reason


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (LineCode.USERS, "User.Read.All"),
        (LineCode.GROUPS, "GroupMember.Read.All"),
        (LineCode.ORG_CONTACTS, "OrgContact.Read.All"),
    ],
)
async def test_missing_permission_fails_its_line(
    checked: Checked, line: LineCode, name: str
) -> None:
    all_roles = [*DIRECTORY_ONLY, "Contacts.ReadWrite", "MailboxSettings.ReadWrite"]
    roles = [role for role in all_roles if role != name]
    await checked.world.client.consent(checked.world.tenant, roles=roles)

    found = await checked.run()

    assert found[line] is CheckReason.PERMISSION_MISSING
    assert [n for n in list(LineCode)[:6] if found[n] is not None] == [line]


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (LineCode.USERS, "^/users"),
        (LineCode.GROUPS, "^/groups"),
        (LineCode.ORG_CONTACTS, "^/contacts"),
    ],
)
async def test_refused_read_is_a_matter_of_time_while_the_consent_is_new(
    checked: Checked, line: LineCode, path: str
) -> None:
    world = checked.world
    denied = {"status": 403, "body": {"error": {"code": "Authorization_RequestDenied"}}}
    await world.client.fault(f"{path}\\?", denied, tenant=world.tenant, times=2)
    young = await checked.run()
    checked.watch.ahead = timedelta(hours=3)

    old = await checked.run()

    assert young[line] is CheckReason.CONSENT_SETTLING
    assert old[line] is CheckReason.READ_REFUSED


@pytest.mark.parametrize("quirk", ["ResourceNotFound", "ErrorNonExistentMailbox"])
async def test_missing_mailbox_is_said_and_no_failure(checked: Checked, quirk: str) -> None:
    world = checked.world
    user = person(9, mailbox=False)
    await world.client.change_tenant(world.tenant, users=[user])
    await world.client.quirks(world.tenant, missingMailbox=quirk)

    found = await checked.run(mailbox=user["id"])

    assert found[LineCode.MAILBOX_READ] is CheckReason.NO_MAILBOX
    assert {found[line] for line in MAILBOX[1:]} == {CheckReason.NOT_REACHED}
    assert (await checked.read()).result is LineState.WARNING


async def test_unknown_user_is_said(checked: Checked) -> None:
    found = await checked.run(mailbox=str(uuid4()))

    assert found[LineCode.MAILBOX_READ] is CheckReason.USER_NOT_FOUND


async def test_scope_in_exchange_is_checked_from_both_sides(checked: Checked) -> None:
    world = checked.world
    inside, outside = world.targets
    await world.client.consent(world.tenant, roles=DIRECTORY_ONLY)
    await world.client.assign(world.tenant, contacts=[inside], settings=[inside])
    right = await checked.run(outside=outside)
    await world.client.assign(world.tenant, contacts=[inside], settings=[inside, outside])
    checked.watch.ahead = timedelta(minutes=5)
    wide = await checked.run(outside=outside)

    await world.client.assign(world.tenant)
    checked.watch.ahead = timedelta(hours=3)
    closed = await checked.run(outside=outside)

    assert (
        right[LineCode.CONTACTS] is right[LineCode.MAILBOX_SETTINGS] is CheckReason.EXCHANGE_DECIDES
    )
    assert {right[line] for line in (*MAILBOX, LineCode.SCOPE)} == {None}
    assert wide[LineCode.SCOPE] is CheckReason.OPEN_IN_EXCHANGE
    assert closed[LineCode.MAILBOX_READ] is CheckReason.ACCESS_DENIED
    assert closed[LineCode.SCOPE] is CheckReason.SCOPE_UNPROVEN


async def test_tenant_wide_consent_opens_the_mailbox_outside(checked: Checked) -> None:
    found = await checked.run(outside=checked.world.targets[1])

    assert found[LineCode.SCOPE] is CheckReason.OPEN_IN_ENTRA


async def test_scope_without_a_mailbox_outside_is_skipped_or_unproven(checked: Checked) -> None:
    world = checked.world
    await world.client.consent(world.tenant, roles=DIRECTORY_ONLY)
    await world.client.assign(world.tenant, contacts=[world.targets[0]])
    unnamed = await checked.run()
    checked.watch.ahead = timedelta(minutes=5)

    absent = await checked.run(outside=str(uuid4()))

    assert unnamed[LineCode.SCOPE] is CheckReason.NO_MAILBOX_NAMED
    assert unnamed[LineCode.CATEGORY] is CheckReason.CATEGORY_REFUSED
    assert absent[LineCode.SCOPE] is CheckReason.SCOPE_UNPROVEN


@pytest.mark.parametrize(
    ("line", "path", "effect", "reason"),
    [
        (
            LineCode.CONTACT_WRITTEN,
            "/contacts$",
            {"status": 400, "body": {"error": {"code": "ErrorInvalidArgument"}}},
            CheckReason.WRITE_REFUSED,
        ),
        (
            LineCode.CONTACT_PHOTO,
            "/contacts/[^/]+/photo",
            {"status": 400, "body": {"error": {"code": "ErrorInvalidImage"}}},
            CheckReason.PHOTO_REFUSED,
        ),
        (
            LineCode.USER_PHOTO,
            "^/users/[^/]+/photo$",
            {"status": 500, "body": {"error": {"code": "ErrorStoreInternalServerError"}}},
            CheckReason.PHOTO_REFUSED,
        ),
        (
            LineCode.CATEGORY,
            "masterCategories$",
            {"status": 403, "body": {"error": {"code": "ErrorAccessDenied"}}},
            CheckReason.CATEGORY_REFUSED,
        ),
    ],
)
async def test_refusal_of_one_line_fails_only_that_line(
    checked: Checked, line: LineCode, path: str, effect: Json, reason: CheckReason
) -> None:
    world = checked.world
    method = "GET" if line is LineCode.USER_PHOTO else None
    times = 9 if line is LineCode.USER_PHOTO else 1
    given: dict[str, Any] = {"tenant": world.tenant, "times": times}
    await world.client.fault(
        path, effect, method=method or ("PUT" if "photo" in path else "POST"), **given
    )

    found = await checked.run()

    wrong = {n: r for n, r in found.items() if n in MAILBOX and r is not None}
    skipped = {LineCode.CONTACT_PHOTO: CheckReason.NOT_REACHED} if "WRITTEN" in line.name else {}
    assert wrong == {line: reason, **skipped}
    assert await checked.left() == ([], [], [])


@pytest.mark.parametrize(
    ("quirk", "reason"),
    [("quota", "MAILBOX_FULL"), ("storage", "MAILBOX_FULL"), ("names", "MAILBOX_PROPERTIES_FULL")],
)
async def test_full_mailbox_is_named(checked: Checked, quirk: str, reason: str) -> None:
    world = checked.world
    await world.client.quirks(world.tenant, fullMailbox=quirk)

    assert (await checked.run())[LineCode.CONTACT_WRITTEN] is CheckReason[reason]


async def test_contact_goes_to_deleted_items_where_it_cannot_be_deleted_for_good(
    checked: Checked,
) -> None:
    world = checked.world
    await world.client.quirks(world.tenant, permanentDelete="refused")

    found = await checked.run()

    assert found[LineCode.CONTACT_REMOVED] is CheckReason.IN_DELETED_ITEMS
    assert await checked.left() == ([], ["Contact Sync test"], [])


async def test_throttled_check_says_so_after_a_few_tries(checked: Checked) -> None:
    world = checked.world
    message = await checked.start()
    slow = {"status": 503, "headers": {"Retry-After": "0"}}
    await world.client.fault("^/groups", slow, tenant=world.tenant, times=99)

    with pytest.raises(TransientError):
        await checked.app.checks.worker.run(message.copy_with(attempt=0))
    await checked.app.checks.worker.run(message)

    assert (await checked.reasons())[LineCode.GROUPS] is CheckReason.MICROSOFT_UNAVAILABLE
