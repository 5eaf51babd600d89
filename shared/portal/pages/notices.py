"""Pages of notices: what they are about, who receives them, what has been sent."""

from typing import Any, Final

import azure.functions as func

from shared.adapters.storage.records import Stored
from shared.domain.errors import CallerError, FieldError, InvalidInput, TooManyRequests
from shared.domain.notices.deliveries import Channel
from shared.domain.notices.settings import NoticeSettings, NoticesInput, WebhookInput
from shared.portal.forms.short_forms import NOTICE_LABELS, NOTICES, TEAMS, WEBHOOK, TeamsInput
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
    """Show what notices are about, their receivers, and the last deliveries."""
    return await _shown(visit)


@page(bp, "POST", "settings/notices", WRITERS, again=True)
async def change_notice_settings(visit: Visit) -> Page:
    """Change what notices are about, or set, test or remove a receiver."""
    act, _, name = visit.do.partition(":")
    channel = Channel.TEAMS if name == Channel.TEAMS else Channel.WEBHOOK
    match act:
        case "set" if channel is Channel.TEAMS:
            return await _set_teams(visit)
        case "set":
            return await _set_webhook(visit)
        case "remove":
            await visit.app.notices.preferences.remove_receiver(visit.caller, channel)
            return done(_PATH, visit.gettext("Removed. No more notices are sent there."))
        case "test":
            return await _test(visit, channel)
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
        return await _shown(visit, filled, refusal=refusal)

    async def latest() -> Stored[NoticeSettings]:
        return await visit.app.notices.preferences.read(visit.caller.tenant)

    return await submit(visit, draft, save=save, show=again, latest=latest)


async def _set_webhook(visit: Visit) -> Page:
    draft = WEBHOOK.read(visit.form)

    async def save() -> Page:
        url, preferences = draft.input().url, visit.app.notices.preferences
        _, secret = await preferences.set_receiver(visit.caller, Channel.WEBHOOK, url)
        # No redirect: the secret is shown once, and kept nowhere in the browser.
        return await _shown(visit, secret=secret)

    async def again(filled: Draft[Any], refusal: Refusal) -> Page:
        return await _shown(visit, webhook=filled, refusal=refusal)

    return await submit(visit, draft, save=save, show=again)


async def _set_teams(visit: Visit) -> Page:
    draft = TEAMS.read(visit.form)

    async def save() -> Page:
        url, preferences = draft.input().teams, visit.app.notices.preferences
        try:
            await preferences.set_receiver(visit.caller, Channel.TEAMS, url)
        except InvalidInput as error:
            wrong = (FieldError("teams", each.code, each.values) for each in error.errors)
            raise InvalidInput.of(*wrong) from error
        return done(_PATH, visit.gettext("Saved. Send a test to see whether it arrives."))

    async def again(filled: Draft[Any], refusal: Refusal) -> Page:
        return await _shown(visit, teams=filled, refusal=refusal)

    return await submit(visit, draft, save=save, show=again)


async def _test(visit: Visit, channel: Channel) -> Page:
    try:
        await visit.app.notices.log.test(visit.caller, channel, visit.once())
    except TooManyRequests:
        raise
    except CallerError as error:
        return await _shown(visit, refusal=Refusal.of(visit, error))
    return done(_PATH, visit.gettext("The test was sent. The list below shows what came of it."))


async def _shown(
    visit: Visit,
    draft: Draft[NoticesInput] | None = None,
    *,
    webhook: Draft[WebhookInput] | None = None,
    teams: Draft[TeamsInput] | None = None,
    refusal: Refusal | None = None,
    secret: str = "",
) -> Page:
    stored = await visit.app.notices.preferences.read(visit.caller.tenant)
    log = await visit.app.notices.log.page(visit.caller, _SHOWN, None)
    refusal, none, settings = refusal or Refusal(), Refusal(), stored.value
    elsewhere = webhook is not None or teams is not None
    body = settings.model_dump(mode="json", by_alias=True, include=set(NoticesInput.model_fields))
    values = {
        "form": show(
            visit, draft or NOTICES.of_json(body, stored.etag), none if elsewhere else refusal
        ),
        "webhook_form": show(
            visit, webhook or WEBHOOK.blank(), refusal if webhook is not None else none
        ),
        "teams_form": show(visit, teams or TEAMS.blank(), refusal if teams is not None else none),
        "webhook": settings.receivers.get(Channel.WEBHOOK),
        "teams": settings.receivers.get(Channel.TEAMS),
        "secret": secret,
        "deliveries": [each.value for each in log.items],
        "labels": {str(kind): visit.gettext(label) for kind, label in NOTICE_LABELS.items()},
        "waiting": any(each.value.due is not None for each in log.items),
    }
    return Page("settings/notices", values, refusal.status)
