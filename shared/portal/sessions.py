"""Values that the portal keeps in a browser, encrypted: the session, sign-ins in progress, notices.

A session ends an hour after the last page, and at most eight hours after the sign-in, so that a
role that was removed in Entra ID is lost by then. Docs: OWASP Session Management and Cross-Site
Request Forgery Prevention Cheat Sheets; RFC 6265bis (cookie prefixes).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import azure.functions as func
from werkzeug.http import dump_cookie, parse_cookie

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.sealing import Purpose

SIGN_IN: Final = Purpose("sign-in", timedelta(minutes=15))
"""A sign-in in progress: state, nonce, PKCE verifier, and the page that follows."""

CONSENT: Final = Purpose("consent", timedelta(minutes=30))
"""A consent in progress: its state, and the admin and tenant that requested it."""

SESSION: Final = Purpose("session", timedelta(hours=1))
"""The signed-in caller."""

NOTICE: Final = Purpose("notice", timedelta(minutes=5))
"""The notice for the next page."""

FORM: Final = Purpose("form", timedelta(hours=24))
"""A form's token: the caller that its page was shown to. It outlives a session, so that the form
can be sent after signing in again. Only the portal can make one, and only for that caller."""

_AT_MOST: Final = timedelta(hours=8)
_RENEWED_AFTER: Final = timedelta(minutes=5)


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


def begun(caller: Caller, now: datetime) -> dict[str, Any]:
    """Start the session of a caller who has just signed in."""
    return {
        "tenant": caller.tenant,
        "oid": caller.oid,
        "name": caller.name,
        "roles": sorted(caller.roles),
        "began": now.timestamp(),
        "seen": now.timestamp(),
    }


def holder(session: Mapping[str, Any], now: datetime, network: str) -> Caller | None:
    """Return the signed-in caller; None if the sign-in is too long ago."""
    if now.timestamp() - session["began"] >= _AT_MOST.total_seconds():
        return None
    return Caller(
        tenant=session["tenant"],
        oid=session["oid"],
        name=session["name"],
        roles=frozenset(session["roles"]),
        origin="portal",
        network=network,
    )


def renewed(session: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
    """Return the renewed session; None if it is too early to renew it."""
    if now.timestamp() - session["seen"] < _RENEWED_AFTER.total_seconds():
        return None
    return {**session, "seen": now.timestamp()}


def own_path(text: str) -> str:
    """Return the path if it stays on this site, otherwise '/'."""
    odd = "\\" in text or any(c <= " " or c == "\x7f" for c in text)
    if odd or not text.startswith("/") or text.startswith("//") or len(text) > 1000:
        return "/"
    parts = urlsplit(text)
    return "/" if parts.scheme or parts.netloc else text


def cookie(req: func.HttpRequest, name: str) -> str:
    """Return a cookie of the portal; '' if there is none. Other sites cannot replace it."""
    return parse_cookie(str(req.headers.get("Cookie", ""))).get(f"__Host-{name}", "")


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
        samesite="Lax",
        max_size=0,  # the seal takes no more than browsers keep
    )
    response.headers.add_header("Set-Cookie", kept)
