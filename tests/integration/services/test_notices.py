"""Whatever happens to a notice on its way: a cause is reported once, and nothing of it stays."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.sealing import GivenKeys
from shared.adapters.storage.models import Newcomer, SubscribedImport
from shared.adapters.storage.store import NOTICE_SETTINGS, newcomers_of, subscribers_of
from shared.adapters.webhook_post import Posted
from shared.domain.errors import Conflict, InvalidInput, PreconditionFailed, TooManyRequests
from shared.domain.importing.messages import MaintainRange, MaintenanceTask
from shared.domain.notices.causes import NoticeKind
from shared.domain.notices.deliveries import (
    BACKOFF,
    BETWEEN,
    CLAIMED_FOR,
    KEPT_FOR,
    AttemptOutcome,
    Channel,
    DeliveryState,
)
from shared.domain.notices.settings import NoticesInput
from shared.domain.notices.texts import NoticeLanguage
from shared.domain.tenancy.tenants import Tenant, TenantStatus
from shared.services.notices.receiver_keys import BOTH_SIGN, SEALED_AGAIN
from shared.wiring import app as wiring
from tests.integration.services.noticed import ACCEPTED, FAILED, HOOK, URL, Company, no_check


class Killed(BaseException):
    """The worker was killed."""


async def test_cause_is_told_once_while_it_is_open(company: Company) -> None:
    for _ in range(3):
        await company.later()

    assert company.receiver.told == [["consent_lost open"]]
    (notice,) = await company.log()
    assert notice.state is DeliveryState.DELIVERED
    assert company.tenant in str(company.receiver.got)
    assert "Ada" not in str(company.receiver.got)


async def test_each_channel_gets_its_own_notice_and_may_fail_alone(company: Company) -> None:
    preferences = company.app.notices.preferences
    german = NoticesInput(language=NoticeLanguage.GERMAN)
    await preferences.change(company.caller, lambda _: german, None)
    await preferences.set_receiver(company.caller, Channel.TEAMS, URL)
    await company.later()
    teams, hook = sorted(company.receiver.got, key=lambda got: "webhook-id" in got[0])

    assert "Die Zustimmung wurde widerrufen." in str(teams[1])
    assert hook[1]["type"] == "notice.created"
    receiver = (await preferences.read(company.tenant)).value.receivers[Channel.TEAMS]
    gone = AttemptOutcome.GONE
    await preferences.disable(company.tenant, Channel.TEAMS, receiver, gone)
    await company.status(TenantStatus.CONNECTED)
    await company.later()
    assert len(company.receiver.got) == 3
    assert [str(each.channel) for each in await company.log()].count("teams") == 1


async def test_partner_that_removes_nothing_for_days_is_told_until_it_does(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, subscribers = company.app.base.store, company.app.sharing.subscribers
    left = {"partner": (3, 1), "lost": (2, 2)}
    since, withdrawn = wiring.utc_now(), subscribers_of(company.tenant, "withdrawn")
    for tenant in (*left, company.tenant):
        taken = SubscribedImport(tenant=tenant, import_id="i", since=since, mailboxes=3)
        await store.subscribers.insert(withdrawn, f"{tenant}|i", taken)
    newcomer = Newcomer(share="withdrawn", tenant="partner", since=since)
    await store.newcomers.insert(newcomers_of(company.tenant), "withdrawn|partner", newcomer)

    async def remaining(publisher: str, share: str, tenant: str) -> tuple[int, int]:
        assert (publisher, share) == (company.tenant, "withdrawn")
        return left[tenant]

    monkeypatch.setattr(subscribers, "left", remaining)
    for _ in range(4):
        await company.later(timedelta(days=1))

    assert company.receiver.told == [["consent_lost open"], ["not_removed open"]]
    ((item,),) = [body["data"]["items"] for _, body in company.receiver.got[1:]]
    assert (item["mailboxes"], item["url"].rpartition("/")[2]) == (2, "shares")
    assert "partner" not in str(item)


async def test_consent_that_is_back_is_told_and_lost_again_is_news(company: Company) -> None:
    await company.later()
    await company.status(TenantStatus.CONNECTED)
    await company.later()
    await company.status(TenantStatus.DISCONNECTED)
    await company.later()

    assert company.receiver.told == [
        ["consent_lost open"],
        ["consent_lost ended"],
        ["consent_lost open"],
    ]


async def test_what_comes_and_goes_within_an_hour_is_not_told(company: Company) -> None:
    await company.later()
    for status in (TenantStatus.CONNECTED, TenantStatus.DISCONNECTED) * 2:
        await company.status(status)
        await company.later(timedelta(minutes=10))
    await company.later()

    assert len(company.receiver.got) == 1


async def test_two_looks_at_once_write_one_notice(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, overviews = company.app.notices.watch, company.app.insight.overviews
    real = overviews.of

    async def interrupted(tenant: Tenant) -> Any:
        monkeypatch.setattr(overviews, "of", real)
        await watch.look(company.tenant)
        return await real(tenant)

    monkeypatch.setattr(overviews, "of", interrupted)
    await company.later()

    assert len(await company.log()) == 1


async def test_worker_killed_before_it_queues_the_notice_loses_nothing(company: Company) -> None:
    await company.app.notices.watch.look(company.tenant)
    company.sent.messages.clear()

    await company.later(timedelta(minutes=15))

    assert company.receiver.told == [["consent_lost open"]]


async def test_worker_killed_after_sending_sends_again_with_the_same_id(company: Company) -> None:
    await company.app.notices.watch.look(company.tenant)
    company.receiver.answer = Killed
    with pytest.raises(Killed):
        await company.deliver()
    company.receiver.answer = ACCEPTED
    await company.later(CLAIMED_FOR)

    assert len(set(company.receiver.ids)) == 1
    (notice,) = await company.log()
    outcomes = [each.outcome for each in notice.attempts]
    assert outcomes == [AttemptOutcome.UNKNOWN, AttemptOutcome.ACCEPTED]


async def test_failed_try_is_repeated_after_its_wait(company: Company) -> None:
    company.receiver.answer = FAILED
    await company.later()
    ((message, delay),) = company.sent.messages
    assert delay == BACKOFF[0].total_seconds()
    await company.app.notices.courier.deliver(message)  # too early
    company.receiver.answer = ACCEPTED
    company.ahead += BACKOFF[0]
    await company.deliver()

    assert len(company.receiver.ids) == 2
    assert len(set(company.receiver.ids)) == 1


async def test_webhook_is_turned_off_when_all_tries_failed(company: Company) -> None:
    company.receiver.answer = FAILED
    for wait in (BETWEEN, *BACKOFF):
        await company.later(max(wait, timedelta(seconds=1)))

    assert len(company.receiver.got) == len(BACKOFF) + 1
    webhook = await company.webhook()
    assert (webhook.disabled is not None, webhook.reason) == (True, AttemptOutcome.REJECTED)
    with pytest.raises(Conflict):
        await company.send_test()
    # Set again, it is notified of what is open then.
    company.receiver.answer = ACCEPTED
    await company.later()
    await company.app.notices.preferences.set_receiver(company.caller, HOOK, URL)
    await company.later()
    assert company.receiver.told[-1] == ["consent_lost open"]
    assert [notice.state for notice in await company.log()] == [
        DeliveryState.DELIVERED,
        DeliveryState.FAILED,
    ]


async def test_receiver_that_is_gone_gets_nothing_more(company: Company) -> None:
    company.receiver.answer = Posted(AttemptOutcome.GONE, 410)
    await company.later()
    await company.status(TenantStatus.CONNECTED)
    await company.later()

    assert len(company.receiver.got) == 1
    assert (await company.webhook()).reason is AttemptOutcome.GONE


async def test_notice_on_its_way_is_cancelled_when_the_webhook_is_removed(
    company: Company,
) -> None:
    await company.app.notices.watch.look(company.tenant)
    await company.app.notices.preferences.remove_receiver(company.caller, HOOK)
    await company.deliver()

    assert company.receiver.got == []
    assert [notice.state for notice in await company.log()] == [DeliveryState.CANCELLED]


async def test_kinds_that_are_not_wanted_are_not_told(company: Company) -> None:
    wanted = NoticesInput(kinds=[NoticeKind.CHANGES_HELD])
    preferences = company.app.notices.preferences
    changed = await preferences.change(company.caller, lambda _: wanted, None)
    await company.later()
    assert company.receiver.got == []
    with pytest.raises(PreconditionFailed):
        await preferences.change(company.caller, lambda _: NoticesInput(), 'W/"other"')
    await preferences.change(company.caller, lambda _: NoticesInput(), changed.etag)
    await company.later()

    assert company.receiver.told == [["consent_lost open"]]


async def test_new_secret_of_the_same_address_signs_beside_the_former_one_for_a_day(
    company: Company,
) -> None:
    _, secret = await company.app.notices.preferences.set_receiver(company.caller, HOOK, URL)
    await company.later()
    await company.status(TenantStatus.CONNECTED)
    await company.later(BOTH_SIGN)

    counts = [len(headers["webhook-signature"].split()) for headers, _ in company.receiver.got]
    assert counts == [2, 1]
    rows = await company.app.tenancy.tenant_data.page(company.tenant, 100, None)
    assert secret not in str(rows)
    assert URL not in str(rows)


async def test_secret_outlives_every_renewal_of_the_key_that_seals_it(company: Company) -> None:
    seal = company.app.entra.seal
    new = "bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmU="
    old = [str(key) for key in await seal._keys.read()]
    object.__setattr__(seal, "_keys", GivenKeys([new, *old]))
    await company.later(SEALED_AGAIN)
    object.__setattr__(seal, "_keys", GivenKeys([new]))
    await company.status(TenantStatus.CONNECTED)
    await company.later()
    assert len(company.receiver.got) == 2

    object.__setattr__(seal, "_keys", GivenKeys([new[::-1].replace("=", "") + "="]))
    await company.later(SEALED_AGAIN)
    assert (await company.webhook()).reason is AttemptOutcome.UNREADABLE


async def test_tenant_that_leaves_is_told_nothing_and_leaves_nothing(company: Company) -> None:
    await company.app.notices.watch.look(company.tenant)
    await company.status(TenantStatus.LEAVING)
    await company.deliver()
    assert company.receiver.got == []

    await company.app.tenancy.tenant_data.erase(company.tenant, "", no_check)
    assert await company.log() == []
    assert await company.app.base.store.notice_settings.get(company.tenant, NOTICE_SETTINGS) is None


async def test_late_worker_of_a_tenant_that_left_writes_nothing(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def erased_meanwhile(*_: Any) -> Posted:
        await company.app.tenancy.tenant_data.erase(company.tenant, "", no_check)
        return ACCEPTED

    monkeypatch.setattr(company.receiver, "post", erased_meanwhile)
    await company.later()

    assert await company.log() == []


async def test_test_is_sent_once_a_minute_and_repeated_never(company: Company) -> None:
    company.receiver.answer = FAILED
    await company.send_test()
    with pytest.raises(TooManyRequests):
        await company.send_test()
    await company.deliver()
    assert company.receiver.got[0][1]["type"] == "notice.test"
    assert company.sent.messages == []
    company.ahead += timedelta(minutes=1)
    await company.send_test()


@pytest.mark.parametrize("step", ["update", "insert", "send"])
async def test_repeated_test_call_sends_one_notice_wherever_the_first_was_killed(
    company: Company, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    first = company.app.idempotency.once()
    place: Any = {
        "update": company.app.notices.preferences,
        "insert": company.app.base.store.deliveries,
        "send": company.app.notices.watch,
    }[step]
    real = getattr(place, step)

    async def killed(*given: Any, **more: Any) -> None:
        if step != "send":
            await real(*given, **more)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(place, step, killed)
        with pytest.raises(Killed):
            await company.send_test(first)

    for _ in range(2):
        await company.send_test(replace(first, again=True))
        await company.deliver()

    assert [got[1]["type"] for got in company.receiver.got] == ["notice.test"]
    assert len(await company.log()) == 1


async def test_address_that_is_not_public_cannot_be_set(company: Company) -> None:
    for url in ("https://10.0.0.1/", "https://intranet/", "http://hooks.contoso.example/"):
        with pytest.raises(InvalidInput):
            await company.app.notices.preferences.set_receiver(company.caller, HOOK, url)


async def test_tick_looks_at_tenants_with_settings_and_the_sweep_erases_old_notices(
    company: Company,
) -> None:
    def task(task: MaintenanceTask) -> MaintainRange:
        low = company.tenant[:-1]
        return MaintainRange(
            task=task, at=wiring.utc_now() + company.ahead, low=low, high=company.tenant
        )

    await company.app.maintenance.ranges.maintain(task(MaintenanceTask.NOTICES))
    await company.deliver()
    assert len(company.receiver.got) == 1
    await company.app.maintenance.ranges.maintain(task(MaintenanceTask.DELIVERIES))
    assert len(await company.log()) == 1
    company.ahead += KEPT_FOR
    await company.app.maintenance.ranges.maintain(task(MaintenanceTask.DELIVERIES))
    assert await company.log() == []
    assert (await company.webhook()).disabled is None


async def test_message_that_fails_for_a_fault_of_ours_gives_its_notice_up(
    company: Company,
) -> None:
    await company.app.notices.watch.look(company.tenant)
    ((message, _),) = company.sent.messages
    await company.app.notices.courier.give_up(message)
    await company.deliver()

    assert company.receiver.got == []
    assert [notice.state for notice in await company.log()] == [DeliveryState.FAILED]
