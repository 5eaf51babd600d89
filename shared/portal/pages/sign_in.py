"""Pages that sign in and out with Microsoft, change the language, and serve static files."""

import azure.functions as func

from shared.adapters.entra.sign_in import SignInFailed
from shared.domain.errors import ContactSyncError, NotFound, Unauthenticated
from shared.portal import rendering, sessions
from shared.portal.page_functions import page
from shared.portal.visits import Page, Visit
from shared.services.tenancy.joining import SIGNED_IN
from shared.web.admission import READERS, enter, holds
from shared.web.calls import SAFE_HEADERS
from shared.web.problems import problem
from shared.wiring.app import new_id

bp = func.Blueprint()


@page(bp, "POST", "sign-in", form="open")
async def sign_in(visit: Visit) -> Page:
    """Redirect the browser to Entra ID to sign in; `to` is the page that follows.

    With `again`, Entra ID asks for the sign-in even if the person is still signed in there.
    """
    visit.app.tenancy.limiter.count_visit(visit.network)
    session = await visit.kept(sessions.SESSION) if visit.form.get("again") else None
    begun = (
        await visit.app.tenancy.joining.begin("login", str(session.get("hint", "")))
        if session is not None
        else await visit.app.tenancy.joining.begin()
    )
    kept = sessions.started(begun.flow, str(visit.form.get("to", "/")), visit.language)
    return Page(location=begun.url, keep={sessions.SIGN_IN: kept})


@page(bp, "POST", SIGNED_IN.removeprefix("/"), form="foreign")
async def signed_in(visit: Visit) -> Page:
    """Complete the sign-in with the response that Entra ID lets the browser post.

    If Entra ID does not confirm a session, the session ends and the person can sign in.
    """
    visit.app.tenancy.limiter.count_visit(visit.network)
    kept = await visit.kept(sessions.SIGN_IN) or {}
    before = kept.get("confirms")
    to = sessions.own_path(str(kept.get("to", "/")))
    ended = Page(
        "sign_in/needed",
        {"to": to},
        status=Unauthenticated.status,
        drop=(sessions.SIGN_IN, sessions.SESSION),
    )
    try:
        answer = {str(name): str(value) for name, value in visit.form.items()}
        who = await visit.app.tenancy.joining.signed_in(kept.get("flow"), answer)
    except SignInFailed:
        if before is not None:
            return ended
        raise
    if before is not None and not sessions.belongs(before, who):
        return ended
    if before is None:
        await visit.app.tenancy.reads.signed_in(who.caller)
    session = sessions.begun(who, visit.app.clock(), before)
    return Page(location=to, keep={sessions.SESSION: session}, drop=(sessions.SIGN_IN,))


@page(bp, "GET", SIGNED_IN.removeprefix("/"))
async def show_signed_in(visit: Visit) -> Page:
    """Redirect whoever opens the address of a sign-in that is over to the start page.

    Entra ID posts its response, so one in the query completes nothing.
    """
    if visit.query:
        raise SignInFailed("sign_in_expired")
    return Page(location="/")


@page(bp, "GET", "signed-in-again")
async def signed_in_again(visit: Visit) -> Page:
    """Tell a caller who signed in from a form to return to it."""
    del visit
    return Page("sign_in/back")


@page(bp, "POST", "sign-out", form="open")
async def sign_out(visit: Visit) -> Page:
    """End the person's sessions here and at Entra ID. One that has already ended is no error.

    A form that was shown to somebody else ends only what this browser stores.
    """
    someone = visit.someone
    if someone is not None and holds(someone, READERS):
        shown_to = await visit.app.entra.seal.open(sessions.FORM, visit.form.get("token", ""))
        own = shown_to == {"tenant": someone.tenant, "oid": someone.oid}
        if own or "token" not in visit.form:
            await visit.app.tenancy.sessions.sign_out(someone)
    return Page(
        location=visit.app.tenancy.joining.signed_out("/"),
        drop=(sessions.SESSION, sessions.SIGN_IN, sessions.CONSENT),
    )


@page(bp, "POST", "language", form="open")
async def change_language(visit: Visit) -> Page:
    """Change the language of all pages."""
    wanted = str(visit.form.get("language", ""))
    to = sessions.own_path(str(visit.form.get("to", "/")))
    return Page(location=to, language=wanted if wanted in rendering.LANGUAGES else "")


@bp.route("static/{name}", methods=["GET"])
async def get_static(req: func.HttpRequest) -> func.HttpResponse:
    """Serve a static file. Its address changes with its content, so browsers may cache it."""
    try:
        await enter(req)
    except ContactSyncError as error:
        # Nobody reads the answer to a style sheet: its status says enough.
        answer = problem(error, "get_static", new_id())
        headers = {**SAFE_HEADERS, **answer.headers}
        return func.HttpResponse(status_code=answer.status, headers=headers)
    found = rendering.static_file(str(req.route_params["name"]))
    if found is None:
        return func.HttpResponse(status_code=NotFound.status, headers=SAFE_HEADERS)
    content, kind = found
    headers = {
        **SAFE_HEADERS,
        "Cache-Control": "public, max-age=31536000, immutable",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    return func.HttpResponse(content, headers=headers, mimetype=kind)
