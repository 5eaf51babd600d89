"""Pages of the start, and of the consent with which an organization joins."""

from dataclasses import replace

import azure.functions as func

from shared.domain.errors import Forbidden
from shared.domain.tenancy.permissions import PERMISSIONS
from shared.portal import sessions
from shared.portal.page_functions import page
from shared.portal.visits import Page, Visit, done
from shared.services.tenancy.joining import CONSENTED
from shared.services.tenancy.tenants import ConsentMissing, ConsentPending, TenantGone
from shared.web.admission import READERS, WRITERS, Requirement

bp = func.Blueprint()


@page(bp, "GET", "")
async def show_start(visit: Visit) -> Page:
    """Show the welcome page, or to a signed-in caller the overview."""
    if visit.someone is None:
        days = visit.app.settings.trial_days
        return Page("start/welcome", {"permissions": PERMISSIONS, "trial_days": days})
    try:
        visit = await visit.admitted(Requirement(READERS, joined=False))
    except Forbidden:
        return Page("start/no_role", status=Forbidden.status)
    try:
        overview = await visit.app.insight.overviews.read(visit.caller)
    except (ConsentMissing, TenantGone) as error:
        return _join(visit, left=isinstance(error, TenantGone), pending=await _is_pending(visit))
    if (to := sessions.invited(visit.query.get("to", ""))) != "/":
        return Page(location=to)
    values = {
        "overview": overview,
        "trial_days": visit.app.licensing.licenses.trial_left(overview.license),
        "removal": (
            await visit.app.licensing.removals.next(overview.tenant.id)
            if overview.license.waiting
            else None
        ),
        "next_run": min((i.next_run for i in overview.imports if i.next_run), default=None),
    }
    return Page("start/start", values, tenant=overview.tenant)


@page(bp, "GET", "consent")
async def show_consent(visit: Visit) -> Page:
    """Show the permissions, what each is for, and the button that grants them."""
    return _join(visit, pending=await _is_pending(visit))


@page(bp, "POST", "consent", WRITERS, joined=False)
async def ask_consent(visit: Visit) -> Page:
    """Redirect a signed-in admin to Entra ID to grant the consent.

    `to` is the invitation that brought the admin here, if one did.
    """
    begun = visit.app.tenancy.joining.ask_consent(visit.caller)
    to = sessions.invited(str(visit.form.get("to", "")))
    return Page(location=begun.url, keep={sessions.CONSENT: {**begun.flow, "to": to}})


@page(bp, "GET", CONSENTED.removeprefix("/"), WRITERS, joined=False)
async def finish_consent(visit: Visit) -> Page:
    """Complete the consent: check it, and join the organization."""
    kept = await visit.kept(sessions.CONSENT)
    to = sessions.invited(str((kept or {}).get("to", "")))
    try:
        await visit.app.tenancy.joining.finish_consent(kept, visit.caller, visit.query)
    except ConsentPending:
        words = visit.gettext(
            "Consent was granted but is not active yet. This usually takes minutes, sometimes "
            "hours. You do not need to grant it again."
        )
        # The start page checks again, and its address holds nothing of the redirect.
        given = {**(kept or {}), "given": True}
        return replace(done(sessions.invited_start(to), words), keep={sessions.CONSENT: given})
    words = visit.gettext("Your organization is connected. Nothing has been read or written yet.")
    return replace(done(to, words), drop=(sessions.CONSENT,))


async def _is_pending(visit: Visit) -> bool:
    """Return whether this admin has just granted the consent, and it is not active yet."""
    kept = await visit.kept(sessions.CONSENT)
    someone = visit.someone
    return bool(kept and kept.get("given") and someone and kept["tenant"] == someone.tenant)


def _join(visit: Visit, *, left: bool = False, pending: bool = False) -> Page:
    values = {
        "permissions": PERMISSIONS,
        "left": left,
        "pending": pending,
        "client_id": visit.app.settings.client_id,
        "to": sessions.invited(visit.query.get("to", "")),
        "again": sessions.invited_start(visit.query.get("to", "")),
    }
    return Page("start/join", values)
