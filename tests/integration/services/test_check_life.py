"""Whatever happens to a check, it ends, and nothing of it stays in a mailbox or for ever."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from shared.adapters.storage.store import CHECK_ROW, TENANT_ROW
from shared.domain.errors import Busy, InvalidInput, NotFound, TooManyRequests, TransientError
from shared.domain.importing.messages import CheckTenant
from shared.domain.tenancy.tenant_checks import (
    KEPT_FOR,
    STALE,
    CheckInput,
    CheckReason,
    CheckState,
    Leftover,
    LineCode,
)
from shared.domain.tenancy.tenants import TenantStatus
from shared.services.checks.mailbox_trial import MailboxTrial
from tests.integration.services.checked import DIRECTORY_ONLY, MAILBOX, Checked

KILLED: Final = ("write_contact", "write_photo", "write_category", "clean_up", "read_photo")


class Killed(BaseException):
    """The worker was killed."""


def killed_in(name: str, *, late: bool) -> Callable[[MailboxTrial], Awaitable[Any]]:
    """Return a step of the trial that kills the worker, before or after its work."""
    real = getattr(MailboxTrial, name)

    async def step(trial: MailboxTrial) -> Any:
        if late:
            await real(trial)
        raise Killed

    return step


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", KILLED)
async def test_worker_killed_at_any_step_is_followed_by_one_that_finishes(
    checked: Checked, name: str, monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    message = await checked.start()
    real = getattr(MailboxTrial, name)
    monkeypatch.setattr(MailboxTrial, name, killed_in(name, late=late))
    with pytest.raises(Killed):
        await checked.app.checks.worker.run(message)
    monkeypatch.setattr(MailboxTrial, name, real)

    await checked.app.checks.worker.run(message)

    assert await checked.reasons() == {
        **dict.fromkeys(LineCode),
        LineCode.SCOPE: CheckReason.ALL_MAILBOXES,
    }
    assert (await checked.read()).left == []
    assert await checked.left() == ([], [], [])


@pytest.mark.parametrize("by", ["newer check", "sweep", "leaving"])
async def test_what_a_killed_worker_left_is_removed_by(
    checked: Checked, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = checked.world.targets
    message = await checked.start(mailbox=first)
    real = MailboxTrial.write_photo
    monkeypatch.setattr(MailboxTrial, "write_photo", killed_in("write_photo", late=True))
    with pytest.raises(Killed):
        await checked.app.checks.worker.run(message)
    monkeypatch.setattr(MailboxTrial, "write_photo", real)
    assert (await checked.left())[0] == ["Contact Sync test"]
    worker = checked.app.checks.worker
    if by == "newer check":
        checked.watch.ahead = STALE + timedelta(minutes=1)
        newer = await checked.start(mailbox=second)
        await worker.run(newer)
        await worker.run(message)
        assert (await checked.read()).id == newer.check
    elif by == "sweep":
        await worker.give_up(message)
        found = await checked.reasons()
        assert {found[line] for line in (*MAILBOX, LineCode.SCOPE)} == {CheckReason.GAVE_UP}
        await worker.run(message)
    else:
        assert await worker.settle(checked.world.tenant) == []

    assert (await checked.read()).left == []
    assert await checked.left() == ([], [], [])
    assert await checked.left(1) == ([], [], [])


async def test_message_delivered_twice_or_after_a_newer_check_changes_nothing(
    checked: Checked,
) -> None:
    old = await checked.start()
    await checked.app.checks.worker.run(old)
    first = await checked.read()
    await checked.app.checks.worker.run(old)
    twice = await checked.read()
    checked.watch.ahead = timedelta(minutes=2)
    newer = await checked.start()

    await checked.app.checks.worker.run(old)

    assert twice == first
    assert (await checked.read()).state is CheckState.QUEUED
    assert (await checked.read()).id == newer.check


async def test_unanswered_write_is_looked_for_until_it_can_no_longer_take_effect(
    checked: Checked,
) -> None:
    world = checked.world
    message = await checked.start()
    lost = {"drop": "after"}
    await world.client.fault("/contacts$", lost, tenant=world.tenant, method="POST")

    with pytest.raises(TransientError):
        await checked.app.checks.worker.run(message.copy_with(attempt=0))
    with pytest.raises(Busy):
        await checked.app.checks.worker.run(message.copy_with(attempt=0))
    checked.watch.ahead = timedelta(minutes=6)
    with pytest.raises(Busy):
        await checked.app.checks.worker.run(message)
    kept = (await checked.read()).left
    checked.watch.ahead = timedelta(minutes=12)
    await checked.app.checks.worker.run(message)

    assert [left.mailbox for left in kept] == world.targets[:1]
    assert (await checked.read()).left == []
    assert await checked.left() == ([], [], [])


async def test_consent_withdrawn_meanwhile_ends_the_check_and_the_sweep_cleans_up_later(
    checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = checked.world
    real = MailboxTrial.write_photo

    async def withdrawn(trial: MailboxTrial) -> Any:
        await world.client.consent(world.tenant, roles=DIRECTORY_ONLY)
        checked.app.base.credentials.forget(world.tenant)
        return await real(trial)

    monkeypatch.setattr(MailboxTrial, "write_photo", withdrawn)
    found = await checked.run()
    message = CheckTenant(tenant=world.tenant, check=(await checked.read()).id)
    await checked.app.checks.worker.run(message)
    kept = (await checked.read()).left
    await world.client.consent(world.tenant)
    checked.app.base.credentials.forget(world.tenant)
    await checked.app.checks.worker.run(message)

    assert found[LineCode.CONTACT_PHOTO] is CheckReason.ACCESS_DENIED
    assert found[LineCode.CONTACT_REMOVED] is CheckReason.NOT_REMOVED_YET
    assert kept == [Leftover(mailbox=world.targets[0])]
    assert await checked.left() == ([], [], [])
    assert (await checked.read()).left == []
    assert (await checked.reasons())[LineCode.CONTACT_REMOVED] is None


async def test_tenant_that_leaves_meanwhile_gets_nothing_written(checked: Checked) -> None:
    tenants, tenant = checked.app.base.store.tenants, checked.world.tenant
    message = await checked.start()
    stored = await tenants.get(tenant, TENANT_ROW)
    assert stored is not None
    await tenants.upsert(tenant, TENANT_ROW, stored.value.copy_with(status=TenantStatus.LEAVING))

    await checked.app.checks.worker.run(message)
    found = await checked.reasons()
    await checked.change(state=CheckState.RUNNING, lines=(await checked.read()).lines[:6])
    await checked.app.base.store.checks.delete(tenant, CHECK_ROW)
    await checked.app.checks.worker.run(message)

    assert set(found.values()) == {CheckReason.TENANT_LEAVING}
    with pytest.raises(NotFound):
        await checked.read()
    assert await checked.left() == ([], [], [])


async def test_check_under_way_is_joined_and_the_next_one_waits(checked: Checked) -> None:
    start, caller = checked.app.checks.tenant_checks.start, checked.caller
    once = checked.app.idempotency.once
    first = await start(caller, CheckInput(), once())
    joined = await start(caller, CheckInput(mailbox=checked.world.targets[1]), once())
    checked.watch.ahead = STALE
    lost = await start(caller, CheckInput(), once())
    await checked.app.checks.worker.run(CheckTenant(tenant=caller.tenant, check=lost.id))

    with pytest.raises(TooManyRequests) as early:
        await start(caller, CheckInput(), once())

    assert joined == first
    assert lost.id != first.id
    assert 0 < early.value.retry_after <= 60


async def test_mailbox_inside_and_outside_must_differ(checked: Checked) -> None:
    mailbox = checked.world.targets[0]

    with pytest.raises(InvalidInput):
        await checked.start(mailbox=mailbox, outside=mailbox.upper())


async def test_result_is_erased_after_thirty_days(checked: Checked) -> None:
    await checked.run()
    checked.watch.ahead = KEPT_FOR - timedelta(hours=1)
    await checked.app.checks.tenant_checks.sweep(checked.world.tenant)
    kept = await checked.read()
    checked.watch.ahead = KEPT_FOR + timedelta(hours=1)

    with pytest.raises(NotFound):
        await checked.read()
    swept = await checked.app.checks.tenant_checks.sweep(checked.world.tenant)

    assert kept.state is CheckState.DONE
    assert swept
    assert await checked.app.base.store.checks.get(checked.world.tenant, CHECK_ROW) is None
