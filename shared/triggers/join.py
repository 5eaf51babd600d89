"""HTTP: the pages by which a company joins, and the files they link to."""

from typing import Final

import azure.functions as func

from shared import portal
from shared.domain.errors import NotFound
from shared.domain.permissions import PERMISSIONS, mailbox_access
from shared.triggers.http import network_of
from shared.triggers.pages import Page, Visit, page

bp = func.Blueprint()
_COOKIE: Final = "join"


@page(bp, "GET", "join")
async def join(visit: Visit) -> Page:
    """Say what joining means, which permissions it takes and why, and offer the sign-in."""
    del visit
    return Page("join", {"permissions": PERMISSIONS})


@page(bp, "POST", "join")
async def begin_joining(visit: Visit) -> Page:
    """Send the admin to Entra ID to sign in."""
    visit.app.limiter.count_visit(network_of(visit.request))
    step = await visit.app.joining.begin()
    return Page(location=step.url, cookie=(_COOKIE, step.sealed))


@page(bp, "GET", "join/signed-in")
async def signed_in(visit: Visit) -> Page:
    """Take who signed in back, and explain the consent that comes next."""
    sealed = visit.cookie(_COOKIE)
    caller, kept = await visit.app.joining.signed_in(sealed, visit.parameters)
    return Page("consent", {"caller": caller, "permissions": PERMISSIONS}, cookie=(_COOKIE, kept))


@page(bp, "POST", "join/consent")
async def ask_consent(visit: Visit) -> Page:
    """Send the admin to Entra ID to grant the consent."""
    return Page(location=await visit.app.joining.consent_url(visit.cookie(_COOKIE)))


@page(bp, "GET", "join/consented")
async def consented(visit: Visit) -> Page:
    """Prove the consent and say what comes next."""
    stored = await visit.app.joining.consented(
        visit.cookie(_COOKIE), visit.parameters, network_of(visit.request)
    )
    tenant = stored.value
    access = mailbox_access(tenant.permissions)
    return Page("connected", {"tenant": tenant, "access": access}, cookie=(_COOKIE, ""))


@bp.route("static/{name}", methods=["GET"])
async def get_static(req: func.HttpRequest) -> func.HttpResponse:
    """Answer a file that pages link to."""
    name = str(req.route_params["name"])
    kind = portal.STATIC.get(name)
    if kind is None:
        return func.HttpResponse(status_code=NotFound.status)
    headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return func.HttpResponse(portal.static(name), headers=headers, mimetype=kind)
