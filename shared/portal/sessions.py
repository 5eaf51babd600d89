"""Values that the portal keeps in a browser, encrypted: the session, sign-ins in progress, notices.

A session ends an hour after the last page, and eight hours after the sign-in. Entra ID confirms it
at least once an hour, by a redirect that asks nothing of the person, so that a role or an account
that was removed there is lost by then. Docs: OWASP Session Management and Cross-Site Request
Forgery Prevention Cheat Sheets; RFC 6265bis (cookie prefixes).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import azure.functions as func
from werkzeug.http import dump_cookie, parse_cookie

from shared.adapters.entra.access_tokens import PORTAL, Caller, SignedIn
from shared.adapters.sealing import Purpose

SIGN_IN: Final = Purpose("sign-in", timedelta(minutes=15))
"""A sign-in in progress (see `started`). Its cookie is the only one that forms of other sites
carry, because Entra ID's page posts the response. It and the code in the response work only
together."""

CONSENT: Final = Purpose("consent", timedelta(minutes=30))
"""A consent in progress: its state, and the admin and tenant that requested it."""

SESSION: Final = Purpose("session", timedelta(hours=1))
"""The signed-in caller."""

NOTICE: Final = Purpose("notice", timedelta(minutes=5))
"""The notice for the next page."""

FORM: Final = Purpose("form", timedelta(hours=24))
"""A form's token: the caller that its page was shown to. It outlives a session, so that the form
can be sent after signing in again. Only the portal can make one, and only for that caller."""

_HINT: Final = 320
_COOKIES: Final = 60
_LONGEST_PATH: Final = 2_000
"""A query as long as the gateway accepts. With what else its cookie holds, below 4,096 bytes."""
_CONFIRMED: Final = ("tenant", "oid", "began", "signedIn")
"""What goes on of a session that Entra ID confirms."""
_AT_MOST: Final = timedelta(hours=8)
_RENEWED_AFTER: Final = timedelta(minutes=5)
_CONFIRMED_FOR: Final = timedelta(hours=1)
_CONFIRMED_AGAIN: Final = timedelta(minutes=45)
"""The next page is opened through Entra ID, so that a form on it has time left."""


@dataclass(frozen=True, slots=True)
class Undo:
    """A form that undoes an action: its address and its fields."""

    action: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """The notice at the top of the next page: what was done, and how to undo it."""

    text: str
    undo: Undo | None = None


def started(
    flow: Mapping[str, Any], path: str, language: str, session: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what the browser keeps until Entra ID responds.

    The `flow` holds state, nonce and PKCE verifier. The `path` is opened afterwards. A `session`
    that only has to be confirmed comes with it, since its own cookie does not.
    """
    kept = {"flow": dict(flow), "to": own_path(path), "language": language}
    if session is not None:
        kept["confirms"] = {name: session[name] for name in _CONFIRMED}
    return kept


def begun(who: SignedIn, now: datetime, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Start the session of a person who has just signed in.

    A session that Entra ID has only confirmed goes on as it was `before`, with today's roles.
    """
    caller = who.caller
    signed_in = caller.signed_in or now
    return {
        "tenant": caller.tenant,
        "oid": caller.oid,
        "name": caller.name,
        "hint": who.hint[:_HINT],
        "roles": sorted(caller.roles),
        "began": before["began"] if before else now.timestamp(),
        "signedIn": before["signedIn"] if before else signed_in.timestamp(),
        "confirmed": now.timestamp(),
        "seen": now.timestamp(),
    }


def belongs(session: Mapping[str, Any] | None, who: SignedIn) -> bool:
    """Return whether a session is that of this person."""
    if session is None:
        return False
    return bool(session["tenant"] == who.caller.tenant and session["oid"] == who.caller.oid)


def due(session: Mapping[str, Any], now: datetime) -> bool:
    """Return whether Entra ID has to confirm the session before the next page."""
    if now.timestamp() - session["began"] >= _AT_MOST.total_seconds():
        return False
    confirmed: float = session.get("confirmed", 0.0)
    return now.timestamp() - confirmed >= _CONFIRMED_AGAIN.total_seconds()


def holder(session: Mapping[str, Any], now: datetime, network: str) -> Caller | None:
    """Return the signed-in caller; None if sign-in or confirmation is too long ago."""
    if "confirmed" not in session:  # from an older version of the app
        return None
    if now.timestamp() - session["began"] >= _AT_MOST.total_seconds():
        return None
    if now.timestamp() - session["confirmed"] >= _CONFIRMED_FOR.total_seconds():
        return None
    return Caller(
        tenant=session["tenant"],
        oid=session["oid"],
        name=session["name"],
        roles=frozenset(session["roles"]),
        origin=PORTAL,
        network=network,
        issued=_moment(session["began"]),
        signed_in=_moment(session["signedIn"]),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def renewed(session: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
    """Return the renewed session; None if it is too early to renew it."""
    if now.timestamp() - session["seen"] < _RENEWED_AFTER.total_seconds():
        return None
    return {**session, "seen": now.timestamp()}


def own_path(text: str) -> str:
    """Return the path if it stays on this site, otherwise '/'."""
    odd = "\\" in text or any(not " " < c < "\x7f" for c in text)
    if odd or not text.startswith("/") or text.startswith("//") or len(text) > _LONGEST_PATH:
        return "/"
    parts = urlsplit(text)
    return "/" if parts.scheme or parts.netloc else text


INVITATION: Final = "/imports/new?share="
"""The path of an invitation to import a share, up to the share ID."""


def invited(text: str) -> str:
    """Return the path if it is an invitation, otherwise '/'."""
    return own_path(text) if text.startswith(INVITATION) else "/"


def invited_start(text: str) -> str:
    """Return the start page's path; it leads on to the invitation, if the path is one."""
    return f"/?{urlencode({'to': text})}" if invited(text) != "/" else "/"


def cookie(req: func.HttpRequest, name: str) -> str:
    """Return a cookie of the portal; '' if there is none. Other sites cannot replace it.

    More cookies than a browser has of us are not read.
    """
    sent = str(req.headers.get("Cookie", ""))
    if sent.count(";") > _COOKIES:
        return ""
    return parse_cookie(sent).get(f"__Host-{name}", "")


def drop_cookie(response: func.HttpResponse, purpose: Purpose) -> None:
    """Remove a cookie; with the session, the browser forgets what else it keeps of this site."""
    set_cookie(response, purpose.name, "", purpose.lives)
    if purpose is SESSION:
        response.headers["Clear-Site-Data"] = '"cache", "storage"'


def set_cookie(response: func.HttpResponse, name: str, value: str, lives: timedelta) -> None:
    """Store a value in the browser for some time; an empty value removes it."""
    kept = dump_cookie(
        f"__Host-{name}",
        value,
        max_age=lives if value else 0,
        secure=True,
        httponly=True,
        samesite="None" if name == SIGN_IN.name else "Lax",
        max_size=0,  # the seal takes no more than browsers keep
    )
    response.headers.add_header("Set-Cookie", kept)
