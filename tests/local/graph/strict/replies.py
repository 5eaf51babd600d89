"""What Graph adds to every answer: the OData context, links, and headers.

Docs: best-practices-concept (request-id, client-request-id), outlook-immutable-id.
"""

import base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from tests.local.graph.protocol import Answer, Request
from tests.local.graph.strict.rules import Rule

JSON_TYPE: Final = (
    "application/json;odata.metadata=minimal;odata.streaming=true;"
    "IEEE754Compatible=false;charset=utf-8"
)
STANDARD_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "OData-Version": "4.0",
    "Strict-Transport-Security": "max-age=31536000",
    "Vary": "Accept-Encoding",
    "x-ms-ags-diagnostic": (
        '{"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"003",'
        '"RoleInstance":"SIM0000"}}'
    ),
}
_WITH_KEY: Final = frozenset({"users", "contactFolders", "childFolders", "contacts"})
_WITHOUT_KEY: Final = frozenset({"delta", "$count"})


def complete(
    rule: Rule, values: Mapping[str, str], request: Request, answer: Answer, base: str
) -> None:
    """Add to a successful answer what the handlers do not know."""
    body = answer.body
    if not isinstance(body, dict):
        return
    if rule.context:
        context = _context(rule.context, tuple(values.items()), request.query.get("$select"))
        answer.body = body = {"@odata.context": f"{base}/$metadata#{context}", **body}
    if not rule.many and "@odata.etag" in body:
        answer.headers.setdefault("ETag", body["@odata.etag"])
    if answer.status == 201 and rule.context:
        place = rule.context.removesuffix("/$entity").format_map(values)
        answer.headers.setdefault("Location", f"{base}/{place}('{quote(str(body['id']))}')")
    if not rule.directory and (applied := _applied(request.headers.get("prefer", ""))):
        answer.headers.setdefault("Preference-Applied", applied)


def batch_part(id_: str, answer: Answer, *, url_safe: bool) -> dict[str, Any]:
    """Return an answer as a part of a batch's (docs: json-batching)."""
    part: dict[str, Any] = {
        "id": id_,
        "status": answer.status,
        "headers": dict(answer.headers),
        "body": None,
    }
    if isinstance(answer.body, bytes):
        encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
        part["body"] = encode(answer.body).decode()
    elif answer.body is not None:
        part["headers"].setdefault("Content-Type", JSON_TYPE)
        part["body"] = answer.body
    return part


def link(base: str, path: str) -> str:
    """Return the URL of a path as Outlook's links have it: `users('…')/contacts`."""
    parts = path.strip("/").split("/")
    shown: list[str] = []
    at = 0
    while at < len(parts):
        part, following = parts[at], parts[at + 1] if at + 1 < len(parts) else ""
        if part in _WITH_KEY and following and following not in _WITHOUT_KEY:
            key = quote(following.replace("'", "''"), safe="")
            shown.append(f"{part}('{key}')")
            at += 2
        else:
            shown.append(quote(part, safe="$"))
            at += 1
    return f"{base}/{'/'.join(shown)}"


@lru_cache(maxsize=512)
def _context(context: str, values: tuple[tuple[str, str], ...], select: str | None) -> str:
    context = context.format_map({name: value.replace("'", "''") for name, value in values})
    if not select:
        return context
    names = ",".join(name.strip() for name in select.split(","))
    if context.endswith("/$entity"):
        return f"{context.removesuffix('/$entity')}({names})/$entity"
    return context if context.startswith("Collection(") else f"{context}({names})"


@lru_cache(maxsize=64)
def _applied(prefer: str) -> str:
    """Return the preferences of a request that Outlook honors."""
    parts = [part.strip() for part in prefer.split(",")]
    known = ("idtype=", "odata.maxpagesize=")
    return ", ".join(part for part in parts if part.lower().startswith(known))
