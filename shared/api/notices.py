"""HTTP: notices to the organization's admins, and the webhook that receives them."""

from datetime import datetime
from typing import Self

import azure.functions as func

from shared.adapters.storage.records import Stored
from shared.domain.model import Model
from shared.domain.notices.causes import NoticeKind
from shared.domain.notices.deliveries import (
    AttemptOutcome,
    Delivery,
    DeliveryState,
    NoticeState,
)
from shared.domain.notices.settings import NoticeSettings, NoticesInput, Webhook, WebhookInput
from shared.web.admission import WRITERS
from shared.web.calls import Call, api
from shared.web.operations import ApiResponse, Paging
from shared.web.views import ItemPage, Tagged

bp = func.Blueprint()


class WebhookView(Model):
    """The webhook. Its address and secret are stored encrypted, and only its host is shown."""

    host: str
    """The host of the address."""
    since: datetime
    """When it was set (UTC)."""
    disabled: datetime | None
    """When it was turned off (UTC), or null. Set it again to turn it on."""
    reason: AttemptOutcome | None
    """Why it was turned off, or null: the outcome of the last try, such as `gone` (410),
    `rejected` (an error), `unreachable`, `timed-out`, `address-refused` (not public), `secret-lost`
    or `unknown` (interrupted); never `accepted`."""

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        """Return the view of a webhook."""
        return cls(
            host=webhook.host,
            since=webhook.since,
            disabled=webhook.disabled,
            reason=webhook.reason,
        )


class NoticesView(Tagged):
    """What notices are sent about, and where to."""

    kinds: list[NoticeKind]
    """What notices are sent about."""
    webhook: WebhookView | None
    """The webhook, or null if there is none. Without one, no notices are sent."""


class WebhookSecretView(Model):
    """The webhook that was set, and its secret."""

    webhook: WebhookView
    """The webhook."""
    secret: str
    """The secret that signs notices, as Standard Webhooks defines it. It is shown only here."""


class NoticeLineView(Model):
    """What a notice says about one kind: counts, a date and a link, never names."""

    kind: NoticeKind
    """`consent-lost`: the consent was withdrawn (and `ended`: it is back). `changes-held`: changes
    wait for a review. `licenses-short`: mailboxes have no license. `trial-ending`: the trial ends
    in seven days, or in one. `importing-company`: another organization began to import a share."""
    state: NoticeState
    """`open`: it has begun. `ended`: it is over."""
    causes: int
    """How many there are, for example how many imports wait for a review."""
    mailboxes: int
    """How many mailboxes they concern."""
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
    it answered 410. `unreachable`: no connection, or an invalid certificate. `timed-out`: no answer
    in time. `address-refused`: the address is not public. `secret-lost`: the secret can no longer
    be read. `unknown`: the try was interrupted."""
    status: int | None
    """The HTTP status of the answer, or null if there was none."""


class DeliveryView(Model):
    """A notice and the tries to deliver it. A test has no items."""

    id: str
    """The id, which receivers get as `webhook-id`. It is the same in every try."""
    created: datetime
    """When the notice was written (UTC)."""
    state: DeliveryState
    """`pending`: it is sent, or will be again. `delivered`: it has arrived. `failed`: all tries
    failed. `cancelled`: the webhook was removed or turned off before."""
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
    url = call.input(WebhookInput).url
    webhook, secret = await call.app.notices.preferences.set_webhook(call.caller, url)
    return ApiResponse(WebhookSecretView(webhook=WebhookView.of(webhook), secret=secret))


@api(bp, "DELETE", "api/v1/tenant/notices/webhook", WRITERS, responses={204: None})
async def remove_webhook(call: Call) -> ApiResponse:
    """Remove the webhook. Notices that have not arrived are cancelled."""
    await call.app.notices.preferences.remove_webhook(call.caller)
    return ApiResponse(status=204)


@api(
    bp,
    "POST",
    "api/v1/tenant/notices/test",
    WRITERS,
    conflicts=True,
    responses={202: DeliveryView},
)
async def send_test_notice(call: Call) -> ApiResponse:
    """Send a test to the webhook. `GET /tenant/notices/deliveries` shows what came of it."""
    notice = await call.app.notices.log.test(call.caller)
    return ApiResponse(DeliveryView.of(notice), 202, at="tenant/notices/deliveries")


@api(
    bp,
    "GET",
    "api/v1/tenant/notices/deliveries",
    WRITERS,
    query=Paging,
    responses={200: ItemPage[DeliveryView]},
)
async def list_notice_deliveries(call: Call) -> ApiResponse:
    """List the notices of the last 30 days with the tries to deliver them, newest first."""
    query = call.query(Paging)
    found = await call.app.notices.log.page(call.caller, query.top, query.next)
    items = [DeliveryView.of(stored.value) for stored in found.items]
    return ApiResponse(ItemPage[DeliveryView](items=items, next=found.token))


def _shown(stored: Stored[NoticeSettings]) -> ApiResponse:
    settings = stored.value
    webhook = WebhookView.of(settings.webhook) if settings.webhook is not None else None
    return ApiResponse(NoticesView(etag=stored.etag, kinds=settings.kinds, webhook=webhook))
