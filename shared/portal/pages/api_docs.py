"""The API's reference page: Redoc shows the document that `/api/openapi.json` serves.

Like the document it is in English and needs no sign-in. It belongs to no session, so it is not made
by `page`. Redoc writes its styles into the page and searches in a worker that it makes itself,
which the content security policy of all other pages forbids.
"""

import secrets
from typing import Final

import azure.functions as func

from shared.domain.errors import ContactSyncError
from shared.portal import rendering
from shared.web.admission import count_stranger, enter
from shared.web.calls import PAGE_HEADERS, SAFE_HEADERS
from shared.web.problems import problem
from shared.wiring.app import app, new_id

bp = func.Blueprint()


@bp.route("api/docs", methods=["GET"])
async def show_api_docs(req: func.HttpRequest) -> func.HttpResponse:
    """Show the API's reference: every operation, property, limit and error."""
    try:
        count_stranger(app(), await enter(req))
    except ContactSyncError as error:
        answer = problem(error, "show_api_docs", new_id())
        headers = {**SAFE_HEADERS, **answer.headers}
        return func.HttpResponse(status_code=answer.status, headers=headers)
    nonce = secrets.token_urlsafe(16)
    text = rendering.render("api_docs", "en", nonce=nonce)
    return func.HttpResponse(text, headers=_headers(nonce), mimetype="text/html")


_SCROLLBARS: Final = (
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
)
"""The style that Redoc adds before it knows the nonce: an empty element, and what it then holds."""
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; "
    f"style-src 'self' 'nonce-{{nonce}}' {_SCROLLBARS}; img-src 'self' data:; "
    "connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def _headers(nonce: str) -> dict[str, str]:
    return {**PAGE_HEADERS, "Content-Security-Policy": _POLICY.format(nonce=nonce)}
