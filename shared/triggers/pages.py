"""How a browser meets the app: pages, forms, redirects and downloads, with what keeps them safe.

`page` turns a handler into a native function. A form is taken only from our own pages and with the
token of who is signed in; what was typed is never lost to a session that ended. Scripts, styles and
images come from us alone, and no other site may show a page in a frame.
Docs: OWASP HTTP Headers Cheat Sheet; Fetch (Origin header); CSP3.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import azure.functions as func

from shared import portal
from shared.adapters.identity import Caller
from shared.adapters.sealing import Purpose
from shared.domain.errors import (
    CallerError,
    Conflict,
    ContactSyncError,
    Forbidden,
    InvalidInput,
    NeedsAdmin,
    NotFound,
    PassingError,
    PayloadTooLarge,
    Unauthenticated,
)
from shared.domain.models import Tenant, TenantStatus
from shared.services.directory_search import Kind
from shared.services.tenants import ConsentMissing, TenantLeft
from shared.triggers import sessions
from shared.triggers.http import SAFE_HEADERS, is_id, network_of
from shared.triggers.operations import Role
from shared.triggers.problems import Problem, problem
from shared.triggers.sessions import Notice, Undo
from shared.wiring import App, app, new_id

_log = logging.getLogger(__name__)
_MAX_FORM: Final = 1024 * 1024
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_LANGUAGE: Final = "language"
_NAMED: Final = 300
_YEAR: Final = timedelta(days=365)
_ROOT: Final = "{nothing:maxlength(0)?}"
"""The root as a route: the host takes no empty one (Azure-Functions#2473)."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a handler answers: a template with its values, a redirect, or a file to keep.

    `keep` are values that the browser keeps, sealed, by their purpose; `drop` ends such keeping.
    A `notice` is shown by the page that `location` leads to. A handler that lets anybody in tells
    the `tenant` itself.
    """

    template: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    location: str = ""
    notice: Notice | None = None
    keep: Mapping[Purpose, Mapping[str, Any]] = field(default_factory=dict)
    drop: tuple[Purpose, ...] = ()
    file: "File | None" = None
    language: str = ""
    tenant: Tenant | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file that the browser stores: its name, type and content."""

    name: str
    mimetype: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a browser: `someone` is signed in, of a `tenant` that has joined."""

    app: App
    request: func.HttpRequest
    language: str
    someone: Caller | None = None
    tenant: Tenant | None = None
    notice: Mapping[str, Any] | None = None

    @property
    def caller(self) -> Caller:
        """Who is signed in; raises `Unauthenticated`."""
        if self.someone is None:
            raise Unauthenticated("You are not signed in: sign in first.")
        return self.someone

    @property
    def may_write(self) -> bool:
        """Whether who is signed in may change things."""
        return self.someone is not None and Role.ADMIN in self.someone.roles

    @property
    def path(self) -> str:
        """The path that was asked for, with its query."""
        parts = urlsplit(str(self.request.url))
        return f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""
        return {str(name): str(value) for name, value in self.request.params.items()}

    @property
    def form(self) -> Any:
        """The fields of the form that was sent, with `get` and `getlist`; empty if none was."""
        return self.request.form

    @property
    def id(self) -> str:
        """The id in the path; `NotFound` if no id of ours looks like it."""
        return self.segment("id")

    def segment(self, name: str) -> str:
        """A part of the path; `NotFound` if no id of ours looks like it."""
        value = str(self.request.route_params[name])
        if not is_id(value):
            raise NotFound("There is nothing of this id in your tenant.")
        return value

    def gettext(self, text: str) -> str:
        """A text in the visitor's language."""
        return portal.gettext(self.language)(text)

    def ngettext(self, one: str, many: str, num: int) -> str:
        """A text with a number in the visitor's language."""
        return portal.ngettext(self.language)(one, many, num) % {"num": num}

    def wrong(self, error: CallerError | None) -> dict[str, str]:
        """What is wrong, in the visitor's language, by each field's JSON path, or '' for it all."""
        if error is None:
            return {}
        translate = portal.message(self.language)
        by_field = {e.field: translate(e.message) for e in error.errors}
        return by_field or {"": translate(error.detail)}

    def trouble(self, error: ContactSyncError) -> str:
        """What stood in the way, and what to do, in the visitor's language; nothing of our own."""
        translate = portal.message(self.language)
        match error:
            case NeedsAdmin():
                return translate(error.reason.remedy)
            case PassingError() | CallerError():
                return translate(error.detail)
        raise error

    async def names(self, ids: Sequence[str], kind: Kind) -> dict[str, str]:
        """What the directory calls these (the first 300); whom it does not name is left out."""
        try:
            found = await self.app.directory.name(self.caller, ids[:_NAMED], [kind])
        except ContactSyncError as error:
            _log.warning("the names of %d of kind %s cannot be read: %s", len(ids), kind, error)
            return {}
        return {id_: entry.name for id_, entry in found.items()}

    async def addresses(self, mailboxes: Sequence[str]) -> dict[str, str]:
        """The mail addresses of mailboxes, as the directory has them now; none if it is silent."""
        if not mailboxes:
            return {}
        try:
            return await self.app.addresses(self.caller.tenant, mailboxes)
        except ContactSyncError as error:
            _log.warning("the addresses of %d mailboxes cannot be read: %s", len(mailboxes), error)
            return {}

    async def kept(self, purpose: Purpose) -> dict[str, Any] | None:
        """What this browser keeps for a purpose; None if there is nothing, or it is too old."""
        return await self.app.seal.open(purpose, sessions.cookie(self.request, purpose.name))


type Handler = Callable[[Visit], Awaitable[Page]]


def page(
    bp: func.Blueprint,
    method: Literal["GET", "POST"],
    path: str,
    roles: tuple[Role, ...] = (),
    *,
    leaving: bool = False,
    open_form: bool = False,
) -> Callable[[Handler], Any]:
    """Make a handler a function that answers a browser.

    With `roles`, only who is signed in and has one of them gets in, and only with a company that
    has joined; without, anybody does. A form (POST) needs its token unless it is an `open_form`,
    which changes nothing but what this browser keeps. While a tenant leaves, only forms that are
    for `leaving` are taken.
    """

    def decorate(handler: Handler) -> Any:
        async def function(req: func.HttpRequest) -> func.HttpResponse:
            services, correlation = app(), new_id()
            visit = Visit(services, req, _language(req))
            keep: dict[Purpose, Mapping[str, Any]] = {}
            try:
                visit, keep = await _entered(visit)
                if method == "POST":
                    await _require_own_form(visit, token=not open_form)
                if roles:
                    visit = await _admitted(visit, roles, changes=method == "POST" and not leaving)
                shown = await handler(visit)
            except Unauthenticated as error:
                shown = _sign_in_first(visit, error)
            except (ConsentMissing, TenantLeft) as error:
                # The start page tells what to do; a form on it shows what went wrong.
                shown = Page(location="/") if roles else _problem(error, handler, correlation)
            except Exception as error:  # noqa: BLE001 - the person gets a page whatever happens
                shown = _problem(error, handler, correlation)
            try:
                return await _response(visit, shown, keep, correlation)
            except Exception as error:  # noqa: BLE001 - a template that fails must not show its insides
                plain = replace(visit, notice=None)
                return await _response(
                    plain, _problem(error, handler, correlation), {}, correlation
                )

        # The worker looks at the signature, so the handler's name is all that is taken over.
        function.__name__ = function.__qualname__ = handler.__name__
        function.__doc__ = handler.__doc__
        return bp.route(path or _ROOT, methods=[method])(function)

    return decorate


def done(location: str, text: str, *, kind: str = "ok", undo: Undo | None = None) -> Page:
    """Lead to a page that says what was done."""
    return Page(location=location, notice=Notice(text, kind, undo))


async def _entered(visit: Visit) -> tuple[Visit, dict[Purpose, Mapping[str, Any]]]:
    """The visit with who is signed in and what is to be told; and the session, if renewed."""
    notice = await visit.kept(sessions.NOTICE)
    session = await visit.kept(sessions.SESSION)
    if session is None:
        return replace(visit, notice=notice), {}
    now = visit.app.clock()
    someone = sessions.holder(session, now, network_of(visit.request))
    again = sessions.renewed(session, now)
    keep = {sessions.SESSION: again} if again is not None and someone is not None else {}
    return replace(visit, notice=notice, someone=someone), dict(keep)


async def _require_own_form(visit: Visit, *, token: bool) -> None:
    """Refuse a form that is not of our own pages, or was shown to somebody else.

    Browsers tell with every POST which site it comes from (Fetch, Origin header).
    """
    req = visit.request
    if len(req.get_body()) > _MAX_FORM:
        raise PayloadTooLarge(f"A form may have at most {_MAX_FORM // 1024} KiB.")
    if req.headers.get("Origin") != visit.app.settings.portal_origin:
        raise Forbidden("This was not sent from a page of Contact Sync: open it and try again.")
    if req.get_body() and not str(req.headers.get("Content-Type")).startswith(_FORM_TYPE):
        raise InvalidInput(f"A form has the type {_FORM_TYPE}.")
    if not token:
        return
    caller = visit.caller
    shown_to = await visit.app.seal.open(sessions.FORM, str(req.form.get("token", "")))
    if shown_to != {"tenant": caller.tenant, "oid": caller.oid}:
        raise Forbidden("This page was shown to somebody else, or too long ago: open it anew.")


async def _admitted(visit: Visit, roles: tuple[Role, ...], *, changes: bool) -> Visit:
    """The visit of somebody who may; raises what sends anybody else away."""
    caller = visit.caller
    visit.app.limiter.count_call(caller.tenant)
    if not caller.roles & set(roles):
        raise Forbidden(
            "Your account may not do this. An administrator of your company assigns the app role "
            "Admin or Reader: Entra admin center, Enterprise applications, Contact Sync."
        )
    tenant = (await visit.app.tenants.known(caller)).value
    if changes and tenant.status is TenantStatus.LEAVING:
        raise Conflict("Your company is leaving: nothing can be changed any more.")
    return replace(visit, tenant=tenant)


def _sign_in_first(visit: Visit, error: Unauthenticated) -> Page:
    """Ask who is not signed in to do so: the page comes after it, and a form can be sent again."""
    if visit.request.method == "GET":
        return Page("sign_in/needed", {"to": visit.path}, status=error.status)
    fields = [
        (str(name), str(value))
        for name, value in visit.request.form.items(multi=True)
        if name != "token"
    ]
    token = str(visit.request.form.get("token", ""))
    values = {"action": visit.path, "fields": fields, "form_token": token}
    return Page("sign_in/again", values, status=error.status)


def _problem(error: Exception, handler: Handler, correlation: str) -> Page:
    answer = problem(error, handler.__name__, correlation)
    shown = Problem.model_validate(answer.body)
    return Page("problem", {"problem": shown}, status=answer.status)


def _language(req: func.HttpRequest) -> str:
    chosen = sessions.cookie(req, _LANGUAGE)
    if chosen in portal.LANGUAGES:
        return chosen
    return portal.preferred(str(req.headers.get("Accept-Language", "")))


async def _response(
    visit: Visit, shown: Page, renewed: Mapping[Purpose, Mapping[str, Any]], correlation: str
) -> func.HttpResponse:
    seal = visit.app.seal
    keep = {**renewed, **shown.keep}
    drop = list(shown.drop)
    headers: dict[str, str] = {}
    if shown.location:
        headers["Location"] = shown.location
        response = func.HttpResponse(status_code=303, headers=headers)
        if shown.notice is not None:
            keep[sessions.NOTICE] = asdict(shown.notice)
    elif shown.file is not None:
        headers["Content-Disposition"] = f'attachment; filename="{shown.file.name}"'
        response = func.HttpResponse(
            shown.file.content, headers=headers, mimetype=shown.file.mimetype
        )
    else:
        if visit.notice is not None:
            drop.append(sessions.NOTICE)
        text = portal.render(
            shown.template, visit.language, page=await _view(visit, shown), **shown.values
        )
        response = func.HttpResponse(text, status_code=shown.status, mimetype="text/html")
    for name, value in _headers(visit.app, correlation).items():
        response.headers[name] = value
    for purpose in drop:
        sessions.set_cookie(response, purpose.name, "", purpose.lives)
    for purpose, kept in keep.items():
        if purpose not in drop:
            sealed = await seal.close(purpose, kept)
            sessions.set_cookie(response, purpose.name, sealed, purpose.lives)
    if shown.language:
        sessions.set_cookie(response, _LANGUAGE, shown.language, _YEAR)
    return response


@dataclass(frozen=True, slots=True)
class View:
    """What every template may show, as `page`: who is here, where, in which language.

    `token` is that of the page's forms; `area` the part of the navigation it belongs to.
    """

    language: str
    path: str
    area: str
    caller: Caller | None
    may_write: bool
    company: str
    token: str
    notice: Mapping[str, Any] | None


async def _view(visit: Visit, shown: Page) -> View:
    token, tenant = "", visit.tenant or shown.tenant
    if visit.someone is not None:
        shown_to = {"tenant": visit.someone.tenant, "oid": visit.someone.oid}
        token = await visit.app.seal.close(sessions.FORM, shown_to)
    return View(
        language=visit.language,
        # What a redirect brought is not to be shown again, nor sent on.
        path="/" if shown.template == "problem" else visit.path,
        area=urlsplit(visit.path).path.split("/")[1] or "start",
        caller=visit.someone,
        may_write=visit.may_write,
        company=tenant.called if tenant is not None else "",
        token=token,
        notice=visit.notice,
    )


def _headers(services: App, correlation: str) -> dict[str, str]:
    parts = urlsplit(services.settings.entra_authority)
    entra = f"{parts.scheme}://{parts.netloc}"
    return {
        **SAFE_HEADERS,
        # Not 'no-referrer': forms would then say that they come from nowhere (Fetch, Origin).
        "Referrer-Policy": "same-origin",
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            "connect-src 'self'; base-uri 'none'; "
            # A form's redirect counts as its action (CSP3, form-action).
            f"form-action 'self' {entra}; frame-ancestors 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "X-Correlation-Id": correlation,
    }
