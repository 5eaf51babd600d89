"""What a browser keeps for us, sealed: who is signed in, what is under way, what was just done.

A session ends an hour after the last page, and eight hours after the sign-in at the latest, so that
a role that was taken away in Entra ID is gone by then. Docs: OWASP Session Management and
Cross-Site Request Forgery Prevention Cheat Sheets; RFC 6265bis (cookie prefixes).
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
"""A sign-in under way: state, nonce and PKCE verifier, and the page it leads to."""

CONSENT: Final = Purpose("consent", timedelta(minutes=30))
"""A consent under way: its state, and which admin of which tenant asked for it."""

SESSION: Final = Purpose("session", timedelta(hours=1))
"""Who is signed in."""

NOTICE: Final = Purpose("notice", timedelta(minutes=5))
"""What was just done, for the page that is shown next."""

FORM: Final = Purpose("form", timedelta(hours=24))
"""A form's token: for whom we showed the page. It outlives a session, so that what was typed can be
sent after signing in again; nobody but us can make one, and it serves nobody else."""

_AT_MOST: Final = timedelta(hours=8)
_RENEWED_AFTER: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Undo:
    """A form that takes back what was done: where it is sent, and with what."""

    action: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """What the next page says on top: what was done, and how to take it back."""

    text: str
    undo: Undo | None = None


def begun(caller: Caller, now: datetime) -> dict[str, Any]:
    """The session of somebody who has just signed in."""
    return {
        "tenant": caller.tenant,
        "oid": caller.oid,
        "name": caller.name,
        "roles": sorted(caller.roles),
        "began": now.timestamp(),
        "seen": now.timestamp(),
    }


def holder(session: Mapping[str, Any], now: datetime, network: str) -> Caller | None:
    """Who is signed in; None once the sign-in is too long ago."""
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
    """The session to be kept from now on, if it is time to renew it."""
    if now.timestamp() - session["seen"] < _RENEWED_AFTER.total_seconds():
        return None
    return {**session, "seen": now.timestamp()}


def own_path(text: str) -> str:
    """A path of ours to go to; '/' for anything that leads, or may be read to lead, elsewhere."""
    odd = "\\" in text or any(c <= " " or c == "\x7f" for c in text)
    if odd or not text.startswith("/") or text.startswith("//") or len(text) > 1000:
        return "/"
    parts = urlsplit(text)
    return "/" if parts.scheme or parts.netloc else text


def cookie(req: func.HttpRequest, name: str) -> str:
    """A cookie of ours; '' if there is none. What another site has set cannot get in its way."""
    return parse_cookie(str(req.headers.get("Cookie", ""))).get(f"__Host-{name}", "")


def set_cookie(response: func.HttpResponse, name: str, value: str, lives: timedelta) -> None:
    """Let the browser keep a value for so long; an empty value removes it."""
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
