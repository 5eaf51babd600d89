"""Pages of notices: what they are about, the webhook that receives them, what has been sent."""

from typing import Any, Final

import azure.functions as func

from shared.adapters.storage.records import Stored
from shared.domain.errors import CallerError, TooManyRequests
from shared.domain.notices.settings import NoticeSettings, NoticesInput, WebhookInput
from shared.portal.forms.short_forms import NOTICE_LABELS, NOTICES, WEBHOOK
from shared.portal.forms.showing import Refusal, show
from shared.portal.forms.submitting import submit
from shared.portal.forms.tables import Draft
from shared.portal.page_functions import page
from shared.portal.visits import Page, Visit, done
from shared.web.admission import WRITERS

bp = func.Blueprint()
_PATH: Final = "/settings/notices"
_SHOWN: Final = 20


@page(bp, "GET", "settings/notices", WRITERS)
async def show_notices(visit: Visit) -> Page:
    """Show what notices are about, the webhook, and the last deliveries."""
    return await _shown(visit)


@page(bp, "POST", "settings/notices", WRITERS, again=True)
async def change_notice_settings(visit: Visit) -> Page:
    """Change what notices are about, or set, test or remove the webhook."""
    match visit.do:
        case "webhook":
            return await _set_webhook(visit)
        case "remove":
            await visit.app.notices.preferences.remove_webhook(visit.caller)
            return done(_PATH, visit.gettext("The webhook was removed."))
        case "test":
            return await _test(visit)
        case "save":
            return await _save(visit)
    return await _shown(visit, NOTICES.read(visit.form))


async def _save(visit: Visit) -> Page:
    draft = NOTICES.read(visit.form)

    async def save() -> Page:
        wanted = draft.input()
        preferences = visit.app.notices.preferences
        await preferences.change(visit.caller, lambda _: wanted, draft.etag or None)
        return done(_PATH, visit.gettext("Saved."))

    async def again(filled: Draft[Any], refusal: Refusal) -> Page:
        return await _shown(visit, filled, refusal)

    async def latest() -> Stored[NoticeSettings]:
        return await visit.app.notices.preferences.read(visit.caller.tenant)

    return await submit(visit, draft, save=save, show=again, latest=latest)


async def _set_webhook(visit: Visit) -> Page:
    draft = WEBHOOK.read(visit.form)

    async def save() -> Page:
        url = draft.input().url
        _, secret = await visit.app.notices.preferences.set_webhook(visit.caller, url)
        # No redirect: the secret is shown once, and kept nowhere in the browser.
        return await _shown(visit, secret=secret)

    async def again(filled: Draft[Any], refusal: Refusal) -> Page:
        return await _shown(visit, webhook=filled, refusal=refusal)

    return await submit(visit, draft, save=save, show=again)


async def _test(visit: Visit) -> Page:
    try:
        await visit.app.notices.log.test(visit.caller)
    except TooManyRequests:
        raise
    except CallerError as error:
        return await _shown(visit, refusal=Refusal.of(visit, error))
    return done(_PATH, visit.gettext("The test was sent. The list below shows what came of it."))


async def _shown(
    visit: Visit,
    draft: Draft[NoticesInput] | None = None,
    refusal: Refusal | None = None,
    *,
    webhook: Draft[WebhookInput] | None = None,
    secret: str = "",
) -> Page:
    stored = await visit.app.notices.preferences.read(visit.caller.tenant)
    log = await visit.app.notices.log.page(visit.caller, _SHOWN, None)
    refusal = refusal or Refusal()
    kinds = {"kinds": [str(kind) for kind in stored.value.kinds]}
    of_webhook = refusal if webhook is not None else Refusal()
    values = {
        "form": show(
            visit,
            draft or NOTICES.of_json(kinds, stored.etag),
            Refusal() if webhook is not None else refusal,
        ),
        "webhook_form": show(visit, webhook or WEBHOOK.blank(), of_webhook),
        "webhook": stored.value.webhook,
        "secret": secret,
        "deliveries": [each.value for each in log.items],
        "labels": {str(kind): visit.gettext(label) for kind, label in NOTICE_LABELS.items()},
        "waiting": any(each.value.due is not None for each in log.items),
    }
    return Page("settings/notices", values, refusal.status)
