"""HTTP: notices to the organization's admins, and who receives them."""

from datetime import datetime
from typing import Annotated, Literal, Self

import azure.functions as func
from pydantic import Field

from shared.adapters.storage.records import Stored
from shared.domain.model import NEVER_GROWS, Model
from shared.domain.notices.causes import NoticeKind
from shared.domain.notices.deliveries import (
    AttemptOutcome,
    Channel,
    Delivery,
    DeliveryState,
    NoticeState,
)
from shared.domain.notices.settings import (
    NoticeSettings,
    NoticesInput,
    Receiver,
    TestInput,
    WebhookInput,
)
from shared.domain.notices.texts import NoticeLanguage
from shared.web.admission import WRITERS
from shared.web.calls import Call, api
from shared.web.operations import ApiResponse, Paging
from shared.web.views import ItemPage, Tagged

bp = func.Blueprint()


class DeliveriesQuery(Paging):
    """The page and order of the notices."""

    sort: Annotated[Literal["-when"], Field(json_schema_extra=NEVER_GROWS)] = "-when"
    """The order: newest first. There is no other one."""


class ReceiverView(Model):
    """A receiver. Its address and secret are stored encrypted, and only its host is shown."""

    host: str
    """The host of the address."""
    since: datetime
    """When it was set (UTC)."""
    disabled: datetime | None
    """When it was turned off (UTC), or null. Set it again to turn it on."""
    reason: AttemptOutcome | None
    """Why it was turned off, or null: the outcome of the last try, such as `gone` (410),
    `rejected` (an error), `unreachable`, `timed_out`, `address_refused` (not public), `unreadable`
    or `unknown` (interrupted); never `accepted`."""

    @classmethod
    def of(cls, receiver: Receiver) -> Self:
        """Return the view of a receiver."""
        return cls(
            host=receiver.host,
            since=receiver.since,
            disabled=receiver.disabled,
            reason=receiver.reason,
        )


class NoticesView(Tagged):
    """What notices are sent about, and where to."""

    kinds: list[NoticeKind]
    """What notices are sent about."""
    language: NoticeLanguage
    """The language of notices that people read: `en` is English, `de` German."""
    failing_days: int
    """After how many days failing syncs, and partners that removed nothing, are reported."""
    webhook: ReceiverView | None
    """The webhook, or null if there is none."""
    teams: ReceiverView | None
    """The Teams workflow, or null if there is none."""


class WebhookSecretView(Model):
    """The webhook that was set, and its secret."""

    webhook: ReceiverView
    """The webhook."""
    secret: str
    """The secret that signs notices, as Standard Webhooks defines it. It is shown only here."""


class NoticeLineView(Model):
    """What a notice says about one kind: counts, a date and a link, never names."""

    kind: NoticeKind
    """`consent_lost`: the consent was withdrawn (and `ended`: it is back). `changes_held`: changes
    wait for a review. `syncs_failing`: syncs have been failing for
    days. `licenses_short`: mailboxes have no license. `trial_ending`: the trial ends
    in seven days, or in one. `not_removed`: a partner has not
    removed what was taken back. `importing_company`: another organization began to import a
    share. `weekly_summary`: mailboxes that receive contacts, and open problems."""
    state: NoticeState
    """`open`: it has begun. `ended`: it is over."""
    causes: int
    """How many there are, for example how many imports wait for a review."""
    mailboxes: int
    """How many mailboxes they concern."""
    problems: int
    """How many problems are open, in a weekly summary; otherwise 0."""
    date: datetime | None
    """What they lead to: the end of the trial, or the removal of contacts (UTC); or null."""
    path: str
    """The page of the portal that shows more, below its address."""


class AttemptView(Model):
    """One try to deliver a notice."""

    when: datetime
    """When it was made (UTC)."""
    outcome: AttemptOutcome
    """`accepted`: the receiver has it. `rejected`: it answered with an error or a redirect. `gone`:
    it answered 410. `unreachable`: no connection, or an invalid certificate. `timed_out`: no answer
    in time. `address_refused`: the address is not public. `unreadable`: the secret can no longer
    be read. `unknown`: the try was interrupted."""
    status: int | None
    """The HTTP status of the answer, or null if there was none."""


class DeliveryView(Model):
    """A notice and the tries to deliver it. A test has no items."""

    channel: Channel
    """Where it is sent. `webhook`: your own systems. `teams`: a workflow of Microsoft Teams."""
    id: str
    """The id, which receivers get as `webhook-id`. It is the same in every try."""
    created: datetime
    """When the notice was written (UTC)."""
    state: DeliveryState
    """`pending`: it is sent, or will be again. `delivered`: it has arrived. `failed`: all tries
    failed. `cancelled`: the receiver was removed or turned off before."""
    due: datetime | None
    """When the next try is due (UTC), or null if there is none."""
    items: list[NoticeLineView]
    """What the notice says."""
    attempts: list[AttemptView]
    """The tries so far."""

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Return the view of a delivery."""
        return cls(
            channel=delivery.channel,
            id=delivery.id,
            created=delivery.created,
            state=delivery.state,
            due=delivery.due,
            items=[
                NoticeLineView(
                    kind=line.kind,
                    state=line.state,
                    causes=line.causes,
                    mailboxes=line.mailboxes,
                    problems=line.problems,
                    date=line.when,
                    path=f"/{line.path}",
                )
                for line in delivery.lines
            ],
            attempts=[
                AttemptView(when=each.when, outcome=each.outcome, status=each.status)
                for each in delivery.attempts
            ],
        )


@api(bp, "GET", "api/v1/tenant/notices", WRITERS, responses={200: NoticesView})
async def get_notices(call: Call) -> ApiResponse:
    """Get what notices are sent about, and where to."""
    return _shown(await call.app.notices.preferences.read(call.caller.tenant))


@api(
    bp,
    "PATCH",
    "api/v1/tenant/notices",
    WRITERS,
    patch=NoticesInput,
    conditional=True,
    responses={200: NoticesView},
)
async def change_notices(call: Call) -> ApiResponse:
    """Change what notices are sent about."""
    patch = call.patch(NoticesInput)
    return _shown(await call.app.notices.preferences.change(call.caller, patch, call.if_match))


@api(
    bp,
    "PUT",
    "api/v1/tenant/notices/webhook",
    WRITERS,
    body=WebhookInput,
    responses={200: WebhookSecretView},
)
async def set_webhook(call: Call) -> ApiResponse:
    """Set the webhook that receives notices, and return its secret, which is shown only here.

    Notices are signed as Standard Webhooks defines it (`webhook-id`, `webhook-timestamp`,
    `webhook-signature`). Answer with a status below 300 within 15 seconds; otherwise the notice is
    sent again, nine times in two days, with the same `webhook-id`. A status of 410 turns the
    webhook off. To renew the secret, send the same address again; the former one signs as well for
    a day.
    """
    webhook, secret = await _set(call, Channel.WEBHOOK)
    return ApiResponse(WebhookSecretView(webhook=ReceiverView.of(webhook), secret=secret))


@api(bp, "DELETE", "api/v1/tenant/notices/webhook", WRITERS, responses={204: None})
async def remove_webhook(call: Call) -> ApiResponse:
    """Remove the webhook. Notices that have not arrived are cancelled."""
    await call.app.notices.preferences.remove_receiver(call.caller, Channel.WEBHOOK)
    return ApiResponse(status=204)


@api(
    bp,
    "PUT",
    "api/v1/tenant/notices/teams",
    WRITERS,
    body=WebhookInput,
    responses={200: ReceiverView},
)
async def set_teams_workflow(call: Call) -> ApiResponse:
    """Set the Teams workflow that receives notices as cards.

    In Teams, create a workflow that posts to a chat or channel when a webhook request is received,
    and send its address. Keep the address secret: whoever has it can post there.
    """
    workflow, _ = await _set(call, Channel.TEAMS)
    return ApiResponse(ReceiverView.of(workflow))


@api(bp, "DELETE", "api/v1/tenant/notices/teams", WRITERS, responses={204: None})
async def remove_teams_workflow(call: Call) -> ApiResponse:
    """Remove the Teams workflow. Notices that have not arrived are cancelled."""
    await call.app.notices.preferences.remove_receiver(call.caller, Channel.TEAMS)
    return ApiResponse(status=204)


@api(
    bp,
    "POST",
    "api/v1/tenant/notices/test",
    WRITERS,
    body=TestInput,
    may_be_empty=True,
    conflicts=True,
    responses={202: DeliveryView},
)
async def send_test_notice(call: Call) -> ApiResponse:
    """Send a test to the webhook or the Teams workflow.

    `GET /tenant/notices/deliveries` shows what came of it.
    """
    channel = call.input(TestInput).channel
    notice = await call.app.notices.log.test(call.caller, channel, call.execution)
    return ApiResponse(DeliveryView.of(notice), 202, at="tenant/notices/deliveries")


@api(
    bp,
    "GET",
    "api/v1/tenant/notices/deliveries",
    WRITERS,
    query=DeliveriesQuery,
    responses={200: ItemPage[DeliveryView]},
)
async def list_notice_deliveries(call: Call) -> ApiResponse:
    """List the notices of the last 30 days with the tries to deliver them, newest first."""
    query = call.query(DeliveriesQuery)
    found = await call.app.notices.log.page(call.caller, query.top, query.next)
    items = [DeliveryView.of(stored.value) for stored in found.items]
    return ApiResponse(ItemPage[DeliveryView](items=items, next=found.token))


def _shown(stored: Stored[NoticeSettings]) -> ApiResponse:
    settings = stored.value
    shown = {c: ReceiverView.of(receiver) for c, receiver in settings.receivers.items()}
    return ApiResponse(
        NoticesView(
            etag=stored.etag,
            kinds=settings.kinds,
            language=settings.language,
            failing_days=settings.failing_days,
            webhook=shown.get(Channel.WEBHOOK),
            teams=shown.get(Channel.TEAMS),
        )
    )


async def _set(call: Call, channel: Channel) -> tuple[Receiver, str]:
    url = call.input(WebhookInput).url
    return await call.app.notices.preferences.set_receiver(call.caller, channel, url)
