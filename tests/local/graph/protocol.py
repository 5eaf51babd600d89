"""One Graph request and its answer, alone or in a batch."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.local.graph.quirks import DEFAULTS, Value
from tests.local.graph.sources import sources

ADVANCED_QUERY = "eventual"
_KEY = re.compile(r"([^()]+)\((?:'((?:[^']|'')*)')?\)")
_NAMESPACE = re.compile(r"(?:microsoft\.)?graph\.(\w+)", re.IGNORECASE)
_FUNCTIONS = frozenset({"delta", "permanentDelete", "getByIds"})
_REFUSALS = {
    "Authorization_RequestDenied": "Insufficient privileges to complete the operation.",
    "ErrorAccessDenied": "Access is denied. Check credentials and try again.",
}


@dataclass(slots=True)
class Request:
    """One request. `path` is below /v1.0, header names are lower-case; `quirks` are in force.

    `name_of` returns the directory's name for a mail address.
    """

    tenant: str
    roles: frozenset[str]
    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any = None
    quirks: Mapping[str, Value] = field(default_factory=lambda: DEFAULTS)
    name_of: Callable[[str], str | None] = lambda _: None

    @classmethod
    def parse(
        cls,
        tenant: str,
        roles: frozenset[str],
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Any,
    ) -> "Request":
        """Return the request; `users('x')` is the same as `users/x`. Raises a 400 if malformed."""
        try:
            parts = urlsplit(url)
            given = parse_qsl(parts.query, keep_blank_values=True)
        except ValueError as error:
            raise GraphError(400, "BadRequest", "The request URL is not valid.") from error
        query = dict(given)
        if len(query) < len(given):
            raise GraphError(400, "BadRequest", "A query option was specified more than once.")
        path = "/".join(map(_plain, parts.path.split("/")))
        return cls(tenant, roles, method.upper(), path, query, headers, body)

    @property
    def url(self) -> str:
        """The decoded path and query, which faults match."""
        query = "&".join(f"{name}={value}" for name, value in self.query.items())
        return f"{self.path}?{query}" if query else self.path

    @property
    def preferences(self) -> dict[str, str]:
        """The parts of the Prefer header."""
        found: dict[str, str] = {}
        for part in self.headers.get("prefer", "").split(","):
            name, _, value = part.strip().partition("=")
            found[name.lower()] = value.strip('"')
        return found

    @property
    def immutable(self) -> bool:
        """Whether immutable ids are requested."""
        return self.preferences.get("idtype", "").lower() == "immutableid"

    @property
    def advanced(self) -> bool:
        """Whether this is an advanced query (docs: aad-advanced-queries)."""
        return self.headers.get("consistencylevel", "").lower() == ADVANCED_QUERY

    def quirk(self, name: str) -> Value:
        """Return the value of a quirk."""
        return self.quirks[name]

    def require(self, code: str, *roles: str) -> None:
        """Refuse a token without one of these application permissions."""
        if not self.roles & set(roles):
            raise GraphError(403, code, _REFUSALS[code])


def _plain(part: str) -> str:
    """Return a part of a path as the routes have it: keys as parts, types with their namespace."""
    part = unquote(part)
    if match := _KEY.fullmatch(part):
        key = match[2]
        name = _plain(match[1])
        return name if key is None else f"{name}/{key.replace("''", "'")}"
    if match := _NAMESPACE.fullmatch(part):
        return match[1] if match[1] in _FUNCTIONS else f"microsoft.graph.{match[1]}"
    return part


@dataclass(slots=True)
class Answer:
    """One answer. A body of bytes is sent unchanged."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class GraphError(Exception):
    """An error as Graph words it."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def answer(self) -> Answer:
        """Return the error as an answer (docs: errors)."""
        inner = {
            "date": sources().now().strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": sources().guid(),
        }
        error = {"code": self.code, "message": self.message, "innerError": inner}
        return Answer(self.status, {"error": error}, self.headers)


class DropConnection(Exception):
    """Cut the connection instead of answering."""


def not_found(what: str) -> GraphError:
    """Return the error for a directory object that does not exist."""
    message = f"Resource '{what}' does not exist or one of its queried references is not present."
    return GraphError(404, "Request_ResourceNotFound", message)


def unsupported(message: str = "Unsupported or invalid query filter clause.") -> GraphError:
    """Return the error for a query that the directory does not support."""
    return GraphError(400, "Request_UnsupportedQuery", message)


def now_text() -> str:
    """Return the current time as Graph writes it."""
    return sources().now().strftime("%Y-%m-%dT%H:%M:%SZ")
