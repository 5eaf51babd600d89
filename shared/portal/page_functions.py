"""Turn handlers into functions for browsers, and keep pages, forms and downloads safe.

`page` turns a handler into a native function. A form is taken only from our own pages and with the
token of who is signed in, except for Entra ID's response; what was typed is never lost to a session
that ended. Scripts, styles and images come from us alone, and no other site may show a page in a
frame.
Docs: OWASP HTTP Headers Cheat Sheet; Fetch (Origin header); CSP3.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

import azure.functions as func

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.sealing import Purpose
from shared.domain.errors import (
    Forbidden,
    SignInTooOld,
    TooManyRequests,
    TransientError,
    Unauthenticated,
)
from shared.domain.tenancy.departures import Departure
from shared.portal import rendering, sessions
from shared.portal.sent_forms import FormKind, parsed, require_acceptable, token_of
from shared.portal.visits import SWITCH, Page, Visit
from shared.services.tenancy.tenants import ConsentMissing, TenantGone
from shared.web.admission import Requirement, Role, count_stranger, enter
from shared.web.calls import PAGE_HEADERS
from shared.web.problems import problem
from shared.wiring.app import App, app, new_id

_LANGUAGE: Final = "language"
_OPENED: Final = frozenset({None, "navigate"})
"""What browsers send as Sec-Fetch-Mode when a person opens a page; old ones send nothing."""
_YEAR: Final = timedelta(days=365)
_ROOT: Final = "{nothing:maxlength(0)?}"
"""The route of the root path; the host accepts no empty route (Azure-Functions#2473)."""


type PageHandler = Callable[[Visit], Awaitable[Page]]


def page(
    bp: func.Blueprint,
    method: Literal["GET", "POST"],
    path: str,
    roles: tuple[Role, ...] = (),
    *,
    joined: bool = True,
    leaving: bool = False,
    form: FormKind = "own",
    again: bool = False,
    fresh: bool = False,
) -> Callable[[PageHandler], Any]:
    """Make a handler a function that answers a browser.

    With `roles`, only signed-in callers that have one of them, and whose tenant has `joined`
    (unless that is False), are admitted; without, everyone is. A `form` (POST) needs its token
    unless it is open or foreign; then it changes only what this browser stores. The cookie of a
    sign-in in progress is the only one that comes with a foreign form. While a tenant is leaving,
    only forms for `leaving` are accepted. A `fresh` form, which cannot be undone, needs a new
    sign-in. A handler with `again` shows its form as it was typed if no button was pressed
    (`Visit.do`), and so in another language as well.
    """
    access = Requirement(roles, joined, changes=method == "POST", leaving=leaving, fresh=fresh)

    def decorate(handler: PageHandler) -> Any:
        async def function(req: func.HttpRequest) -> func.HttpResponse:
            services, correlation = app(), new_id()
            visit = Visit(services, req, _language(req))
            # What a redirect of Entra ID brought counts only once; it leads to pages that any
            # company may open, joined or not.
            settled = bool(roles) and joined
            failed = partial(_problem, handler, correlation, again=settled and method == "GET")
            keep: dict[Purpose, Mapping[str, Any]] = {}
            try:
                visit, keep, due = await _known(replace(visit, network=await enter(req)))
                if due is not None and (roles or not path) and _navigates(req):
                    return await _response(visit, await _confirm(visit, due), {}, correlation)
                visit, shown_to = await _accepted(visit, form)
                if method == "POST" and form == "own":
                    _require_shown_to(visit, shown_to)
                if roles:
                    visit = await visit.admitted(access)
                here = Page(location=visit.path)
                shown = await handler(visit) if again or not visit.switched else here
                _require_live(visit, closed=bool(roles))
            except Unauthenticated as error:
                shown = _sign_in_first(visit, error)
            except (ConsentMissing, TenantGone) as error:
                # The start page tells what to do; a form on it shows what went wrong.
                to = sessions.invited_start(visit.path)
                shown = Page(location=to) if settled else failed(visit, error)
            except Exception as error:  # noqa: BLE001 - the person gets a page whatever happens
                shown = failed(visit, error)
            try:
                return await _response(visit, shown, keep, correlation)
            except Exception as error:  # noqa: BLE001 - a template that fails must not show its insides
                plain = replace(visit, notice=None)
                return await _response(plain, failed(plain, error), {}, correlation)

        # The worker looks at the signature, so the handler's name is all that is taken over.
        function.__name__ = function.__qualname__ = handler.__name__
        function.__doc__ = handler.__doc__
        return bp.route(path or _ROOT, methods=[method])(function)

    return decorate


async def _known(
    visit: Visit,
) -> tuple[Visit, dict[Purpose, Mapping[str, Any]], Mapping[str, Any] | None]:
    """Return the visit with its caller and notice, and the session if it was renewed.

    The last value is the session if Entra ID has to confirm it before the next page.
    """
    notice = await visit.kept(sessions.NOTICE)
    session = await visit.kept(sessions.SESSION)
    if session is None:
        return replace(visit, notice=notice), {}, None
    now = visit.app.clock()
    someone = sessions.holder(session, now, visit.network)
    again = sessions.renewed(session, now)
    keep = {sessions.SESSION: again} if again is not None and someone is not None else {}
    due = session if sessions.due(session, now) else None
    return replace(visit, notice=notice, someone=someone), dict(keep), due


def _navigates(req: func.HttpRequest) -> bool:
    """Return whether a browser opens a page, so that a redirect may lead through Entra ID.

    Scripts that fetch parts of a page cannot follow one (Fetch Metadata, Sec-Fetch-Mode).
    """
    fetched = "X-Parts" in req.headers
    return req.method == "GET" and not fetched and req.headers.get("Sec-Fetch-Mode") in _OPENED


async def _confirm(visit: Visit, session: Mapping[str, Any]) -> Page:
    """Redirect to Entra ID, which confirms the session without asking, and back to the page."""
    visit.app.tenancy.limiter.count_visit(visit.network)
    begun = await visit.app.tenancy.joining.begin("none", str(session.get("hint", "")))
    kept = sessions.started(begun.flow, visit.path, visit.language, session)
    return Page(location=begun.url, keep={sessions.SIGN_IN: kept})


async def _language_before(visit: Visit) -> str:
    """Return the language of the page on which the sign-in in progress began."""
    kept = await visit.kept(sessions.SIGN_IN) or {}
    return str(kept.get("language", visit.language))


class _UnknownFormError(Unauthenticated):
    """A stranger sent a form that no page of ours contained; it is not shown again."""


async def _accepted(visit: Visit, form: FormKind) -> tuple[Visit, Mapping[str, Any] | None]:
    """Return the visit with its form, and the user that the form was shown to, as its token says.

    The visit is in the language that the form switches to, if it does. Rejects a form that may not
    come from where it does, and strangers whose network sends too much.
    """
    req = visit.request
    if form == "foreign":
        visit = replace(visit, language=await _language_before(visit))
    if visit.someone is None:
        count_stranger(visit.app, visit.network)
    if req.method == "GET":
        return visit, None
    require_acceptable(req, visit.app.settings.portal_origin, form)
    if form != "own":
        return replace(visit, form=await parsed(req)), None
    shown_to = await visit.app.entra.seal.open(sessions.FORM, token_of(req))
    if visit.someone is None and shown_to is None:
        raise _UnknownFormError("not_signed_in")
    return _switched(replace(visit, form=await parsed(req))), shown_to


def _require_live(visit: Visit, *, closed: bool) -> None:
    """Show nothing of a `closed` page to a caller who was signed out while it was read."""
    if closed and visit.request.method == "GET":
        visit.app.tenancy.sessions.require_live(visit.caller)


def _require_shown_to(visit: Visit, shown_to: Mapping[str, Any] | None) -> None:
    """Reject a form that was shown to another caller than the one who sent it."""
    if shown_to != {"tenant": visit.caller.tenant, "oid": visit.caller.oid}:
        raise Forbidden("form_expired")


def _sign_in_first(visit: Visit, error: Unauthenticated) -> Page:
    """Ask the visitor to sign in; the page follows, and a form can be sent again."""
    drop = (sessions.SESSION,) if error.code == "session_ended" else ()
    if visit.request.method == "GET" or isinstance(error, _UnknownFormError):
        to = sessions.own_path(visit.path)
        return Page("sign_in/needed", {"to": to}, status=error.status, drop=drop)
    again = isinstance(error, SignInTooOld)
    values = {"form": _Sent.of(visit), "again": visit.trouble(error) if again else ""}
    return Page("sign_in/again", values, status=error.status, drop=drop)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A form that was not accepted, to send again: its address, token and fields."""

    action: str
    token: str
    fields: Sequence[tuple[str, str]]

    @classmethod
    def of(cls, visit: Visit) -> Self:
        """Return the form that this visit sent."""
        sent = visit.form
        fields = [
            (str(name), str(value))
            for name, value in sent.items(multi=True)
            if name not in {"token", SWITCH}
        ]
        return cls(visit.path, str(sent.get("token", "")), fields)


def _problem(
    handler: PageHandler, correlation: str, visit: Visit, error: Exception, *, again: bool
) -> Page:
    """Return the page of an error, with a link to try `again` or to the start page."""
    answer = problem(error, handler.__name__, correlation, visit.error_texts)
    values: dict[str, Any] = {"problem": answer.body, "again": "", "form": None}
    if isinstance(error, TransientError):
        values["again"] = visit.path if again else ""
    if isinstance(error, TransientError | TooManyRequests) and visit.form:
        values["form"] = _Sent.of(visit)
    return Page("problem", values, status=answer.status)


def _switched(visit: Visit) -> Visit:
    """Return the visit in the language that the form switches to, if it does."""
    wanted = str(visit.form.get(SWITCH, ""))
    if wanted not in rendering.LANGUAGES:
        return visit
    return replace(visit, language=wanted, switched=True)


def _language(req: func.HttpRequest) -> str:
    chosen = sessions.cookie(req, _LANGUAGE)
    if chosen in rendering.LANGUAGES:
        return chosen
    return rendering.preferred(str(req.headers.get("Accept-Language", "")))


async def _response(
    visit: Visit, shown: Page, renewed: Mapping[Purpose, Mapping[str, Any]], correlation: str
) -> func.HttpResponse:
    seal = visit.app.entra.seal
    keep = {**renewed, **shown.keep}
    drop = list(shown.drop)
    if sessions.SESSION in drop:
        visit = replace(visit, someone=None, tenant=None)
    if shown.location and shown.notice is not None:
        keep[sessions.NOTICE] = asdict(shown.notice)
    elif shown.template and visit.notice is not None:
        drop.append(sessions.NOTICE)
    response = await _content(visit, shown)
    for name, value in _headers(visit.app, correlation).items():
        response.headers[name] = value
    for purpose in drop:
        sessions.drop_cookie(response, purpose)
    for purpose, kept in keep.items():
        if purpose not in drop:
            sealed = await seal.close(purpose, kept)
            sessions.set_cookie(response, purpose.name, sealed, purpose.lives)
    if language := visit.language if visit.switched else shown.language:
        sessions.set_cookie(response, _LANGUAGE, language, _YEAR)
    return response


def is_api(path: str) -> bool:
    """Return whether a path is the API's, which answers errors as JSON."""
    return path.startswith("/api/")


async def _content(visit: Visit, shown: Page) -> func.HttpResponse:
    if shown.location:
        return func.HttpResponse(status_code=303, headers={"Location": shown.location})
    if shown.template == "problem" and is_api(visit.path):
        body = shown.values["problem"].model_dump_json(by_alias=True)
        return func.HttpResponse(
            body, status_code=shown.status, mimetype="application/problem+json"
        )
    if shown.file is not None:
        headers = {"Content-Disposition": f'attachment; filename="{shown.file.name}"'}
        return func.HttpResponse(shown.file.content, headers=headers, mimetype=shown.file.mimetype)
    view = await _view(visit, shown)
    text = rendering.render(shown.template, visit.language, page=view, **shown.values)
    return func.HttpResponse(text, status_code=shown.status, mimetype="text/html")


@dataclass(frozen=True, slots=True)
class View:
    """The values that every template has as `page`: the caller, the path, the language.

    `token` is for the page's forms, `area` is the part of the navigation that it belongs to.
    `leaving` is the organization's wish to leave, and `begun` whether leaving has begun. `support`
    is the address at which people get help, or empty.
    """

    language: str
    path: str
    area: str
    caller: Caller | None
    may_write: bool
    company: str
    token: str
    leaving: Departure | None
    begun: bool
    notice: Mapping[str, Any] | None
    support: str


async def _view(visit: Visit, shown: Page) -> View:
    token, tenant = "", visit.tenant or shown.tenant
    if visit.someone is not None:
        shown_to = {"tenant": visit.someone.tenant, "oid": visit.someone.oid}
        token = await visit.app.entra.seal.close(sessions.FORM, shown_to)
    return View(
        language=visit.language,
        # What a redirect brought is not to be shown again, nor sent on.
        path="/" if shown.template == "problem" else sessions.own_path(visit.path),
        area=urlsplit(visit.path).path.split("/")[1] or "start",
        caller=visit.someone,
        may_write=visit.may_write,
        company=tenant.display_name if tenant is not None else "",
        token=token,
        leaving=tenant.departure if tenant is not None else None,
        begun=tenant is not None and tenant.removing,
        notice=visit.notice,
        support=visit.app.settings.support_contact,
    )


def _headers(services: App, correlation: str) -> dict[str, str]:
    parts = urlsplit(services.settings.entra_authority)
    entra = f"{parts.scheme}://{parts.netloc}"
    return {
        **PAGE_HEADERS,
        # Not 'no-referrer': forms would then say that they come from nowhere (Fetch, Origin).
        "Referrer-Policy": "same-origin",
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            "connect-src 'self'; base-uri 'none'; "
            # A form's redirect counts as its action (CSP3, form-action).
            f"form-action 'self' {entra}; frame-ancestors 'none'"
        ),
        "X-Correlation-Id": correlation,
    }
