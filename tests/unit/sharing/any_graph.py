"""A Microsoft Graph that has an answer to every read, whatever collection is asked for.

It makes objects up from `$select`, so that a new source is tested without a word about it here. The
Graph simulator is the place for Graph's real rules.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode
from zlib import crc32

import httpx
import orjson
from azure.core.credentials import AccessToken

from shared.adapters.graph.directory import PROOF
from shared.adapters.graph.transport import Graph, GraphSession
from shared.adapters.graph.wire import SdkWire

ROOT: Final = "https://graph.example/v1.0"
GONE: Final = "0dead000"
"""An id that begins so is in no directory."""

type Json = dict[str, Any]

_FULL: Final[Json] = {
    "accountEnabled": True,
    "showInAddressList": None,
    "userType": "Member",
    "businessPhones": ["+49 1", " +49 2\x00", "+49 3"],
    "proxyAddresses": ["SMTP:a@x.example", "smtp:b@x.example", "smtp:c@x.example", "SIP:d"],
    "phones": [{"type": kind, "number": "+1 2"} for kind in ("business", "mobile", "home")],
    "addresses": [{"city": "Bern", "street": "", "officeLocation": "HQ"}],
    "imAddresses": ["im"],
    "emailAddresses": [{"address": "e@x.example", "name": None}],
}
"""Values of properties that Graph does not document as text; all others are text."""
_EMPTY_LISTS: Final = {name for name, value in _FULL.items() if isinstance(value, list)}


@dataclass(slots=True)
class AnyGraph:
    """Answers with `pages` of `size` objects; `served` are their ids, `asked` their properties.

    `batches` are the numbers of the requests that are batches, counted from 0.
    """

    size: int = 6
    pages: int = 2
    capitals: bool = False
    without: str = ""
    fail_at: int | None = None
    failure: int = 503
    within_batches: bool = False
    requests: int = 0
    batches: list[int] = field(default_factory=list)
    served: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)

    def session(self) -> GraphSession:
        """Talk to it as the app talks to Graph."""
        credentials: Any = _Credentials()
        wire = SdkWire(ROOT, credentials, httpx.MockTransport(self._answer))
        return Graph(ROOT, wire).session("tenant")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        failing = self.fail_at is not None and self.requests > self.fail_at
        path = request.url.path.removeprefix("/v1.0")
        if path != "/$batch":
            if failing:
                return self._failed()
            return httpx.Response(200, json=self._body(path, dict(request.url.params)))
        self.batches.append(self.requests - 1)
        if failing and not self.within_batches:
            return self._failed()
        parts = []
        for item in orjson.loads(request.content)["requests"]:
            part, _, query = item["url"].partition("?")
            status, body = (
                (self.failure, {}) if failing else (200, self._body(part, dict(parse_qsl(query))))
            )
            headers = {"Retry-After": "0"}
            parts.append({"id": item["id"], "status": status, "body": body, "headers": headers})
        return httpx.Response(200, json={"responses": parts})

    def _failed(self) -> httpx.Response:
        return httpx.Response(self.failure, headers={"Retry-After": "0"}, json={})

    def _body(self, path: str, query: dict[str, str]) -> Json:
        if path.endswith("/userPurpose"):
            return {"value": "user"}
        select = query["$select"].split(",")
        self.asked |= set(select)
        if "$filter" in query:
            ids = [i for i in re.findall(r"'([^']*)'", query["$filter"]) if i[: len(GONE)] != GONE]
            return {"value": [self._object(id_, n, select) for n, id_ in enumerate(ids)]}
        if "$top" not in query:
            return self._object(path.rpartition("/")[2], 0, select)
        page = int(query.get("$skiptoken", "0"))
        start = page * self.size
        ids = [
            f"{crc32(path.encode()):08x}-0000-4000-8000-{n:012d}"
            for n in range(start, start + self.size)
        ]
        body: Json = {
            "value": [self._object(id_, start + n, select) for n, id_ in enumerate(ids)],
            "@odata.count": self.size * self.pages,
        }
        if page + 1 < self.pages:
            following = urlencode({**query, "$skiptoken": str(page + 1)})
            body["@odata.nextLink"] = f"{ROOT}{path}?{following}"
        return body

    def _object(self, id_: str, number: int, select: list[str]) -> Json:
        id_ = id_.upper() if self.capitals else id_
        self.served.add(id_.lower())
        make = _LOOKS[number % len(_LOOKS)]
        values = {name: make(name) for name in select if name != self.without}
        return values if self.without == "id" else {**values, "id": id_}


def _full(name: str) -> Any:
    return _FULL.get(name, f" {name}\x07 of somebody@x.example ")


def _empty(name: str) -> Any:
    if name == PROOF:
        return "nobody@x.example"
    return [] if name in _EMPTY_LISTS else None


def _nameless(name: str) -> Any:
    return "nameless@x.example" if name == "mail" else _empty(name)


def _hidden(name: str) -> Any:
    return False if name in {"accountEnabled", "showInAddressList"} else _full(name)


def _guest(name: str) -> Any:
    return "Guest" if name == "userType" else _full(name)


_LOOKS: Final[tuple[Callable[[str], Any], ...]] = (_full, _nameless, _empty, _hidden, _guest)


class _Credentials:
    """A token for whoever asks."""

    def of(self, tenant: str) -> "_Credentials":
        del tenant
        return self

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        del scopes, options
        return AccessToken("token", 4_000_000_000)
