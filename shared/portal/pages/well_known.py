"""Addresses that standards fix (RFC 9116: where to report a vulnerability), and unknown ones."""

from datetime import UTC, datetime
from typing import Final

import azure.functions as func

from shared.domain.errors import ContactSyncError, NotFound
from shared.portal.page_functions import is_api, page
from shared.portal.visits import Page, Visit
from shared.web.admission import enter
from shared.web.calls import SAFE_HEADERS
from shared.web.problems import problem
from shared.wiring.app import app, new_id
from shared.wiring.settings import Settings

bp = func.Blueprint()
_PATH: Final = ".well-known/security.txt"


@bp.route(_PATH, methods=["GET"])
async def get_security_txt(req: func.HttpRequest) -> func.HttpResponse:
    """Say how to report a vulnerability, as the settings say; 404 without a contact."""
    try:
        await enter(req)
        text = _security_txt(app().settings, app().clock())
    except ContactSyncError as error:
        answer = problem(error, "get_security_txt", new_id())
        headers = {**SAFE_HEADERS, **answer.headers}
        return func.HttpResponse(status_code=answer.status, headers=headers)
    return func.HttpResponse(text, headers=SAFE_HEADERS, mimetype="text/plain", charset="utf-8")


@page(bp, "GET", "{*unknown}")
async def show_unknown_page(visit: Visit) -> Page:
    """Say that there is no such page; below `/api/`, as the API says it."""
    raise NotFound("unknown_call" if is_api(visit.path) else "unknown_page")


def _security_txt(settings: Settings, now: datetime) -> str:
    """Return the file. Raises `NotFound` without a contact, or once the file has expired."""
    expires = settings.security_expires
    if not settings.security_contact or expires is None or expires <= now:
        raise NotFound("unknown_id")
    lines = [f"Contact: {contact}" for contact in settings.security_contact.split()]
    lines.append(f"Expires: {expires.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}")
    lines.append("Preferred-Languages: de, en")
    lines.append(f"Canonical: {settings.portal_origin}/{_PATH}")
    if settings.security_policy:
        lines.append(f"Policy: {settings.security_policy}")
    return "".join(f"{line}\n" for line in lines)
