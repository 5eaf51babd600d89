"""Pages of an organization's security: applications that may act for people, signing people out."""

from typing import Any

import azure.functions as func

from shared.adapters.storage.records import Stored
from shared.domain.tenancy.security import SecurityInput
from shared.domain.tenancy.sessions import SignOutInput
from shared.portal.forms.short_forms import SECURITY, SIGN_OUT
from shared.portal.forms.showing import Refusal, show
from shared.portal.forms.submitting import submit
from shared.portal.forms.tables import Draft
from shared.portal.page_functions import page
from shared.portal.visits import Page, Visit, done
from shared.web.admission import WRITERS

bp = func.Blueprint()


@page(bp, "GET", "settings/security", WRITERS)
async def show_security(visit: Visit) -> Page:
    """Show the form with the security settings."""
    return await _security(visit)


@page(bp, "POST", "settings/security", WRITERS, again=True, fresh=True)
async def change_security_settings(visit: Visit) -> Page:
    """Change the security settings."""
    draft = SECURITY.read(visit.form)
    if not visit.do:
        return await _security(visit, draft)

    async def save() -> Page:
        wanted = draft.input()
        tenants = visit.app.tenancy.tenants
        await tenants.secure(visit.caller, lambda _: wanted, draft.etag or None)
        return done("/settings/security", visit.gettext("Saved."))

    async def again(filled: Draft[Any], refusal: Refusal) -> Page:
        return await _security(visit, filled, refusal)

    async def latest() -> Stored[SecurityInput]:
        stored = await visit.app.tenancy.tenants.read(visit.caller.tenant)
        return Stored(stored.value.security, stored.etag)

    return await submit(visit, draft, save=save, show=again, latest=latest)


async def _security(
    visit: Visit, draft: Draft[SecurityInput] | None = None, refusal: Refusal | None = None
) -> Page:
    stored = await visit.app.tenancy.tenants.read(visit.caller.tenant)
    security, refusal = stored.value.security, refusal or Refusal()
    values = {"clients": security.clients, "secondAdmin": security.second_admin}
    draft = draft or SECURITY.of_json(values, stored.etag)
    form = show(visit, draft, refusal)
    return Page("settings/security", {"form": form}, refusal.status)


@page(bp, "GET", "settings/sign-out", WRITERS)
async def show_sign_out(visit: Visit) -> Page:
    """Show the form that signs people out everywhere."""
    return await _sign_out(visit)


@page(bp, "POST", "settings/sign-out", WRITERS, leaving=True)
async def sign_people_out(visit: Visit) -> Page:
    """Sign out a person, or everyone."""
    draft = SIGN_OUT.read(visit.form)

    async def save() -> Page:
        person = draft.input().person
        await visit.app.tenancy.sessions.end(
            visit.caller.tenant, visit.caller, person, visit.once()
        )
        return done("/settings", visit.gettext("Signed out. All sessions and tokens have ended."))

    async def again(filled: Draft[Any], refusal: Refusal) -> Page:
        return await _sign_out(visit, filled, refusal)

    return await submit(visit, draft, save=save, show=again)


async def _sign_out(
    visit: Visit, draft: Draft[SignOutInput] | None = None, refusal: Refusal | None = None
) -> Page:
    refusal = refusal or Refusal()
    form = show(visit, draft or SIGN_OUT.blank(), refusal)
    return Page("settings/sign_out", {"form": form}, refusal.status)
