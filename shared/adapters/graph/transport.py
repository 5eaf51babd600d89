"""Sends requests to Microsoft Graph over a wire, counts them, and maps its errors."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import uuid4

import orjson
from opentelemetry.trace import SpanKind, StatusCode

from shared.adapters.graph.pacing import Units
from shared.adapters.graph.retry_after import seconds_to_wait
from shared.adapters.graph.routes import template
from shared.adapters.graph.wire import Wire, WireRequest, WireResponse
from shared.adapters.telemetry import count_graph, span
from shared.domain.errors import Defect, NeedsAdmin, Refused, Throttled, Unavailable
from shared.domain.reasons import Reason

IMMUTABLE_ID: Final = 'IdType="ImmutableId"'
_TENANTS_KEPT: Final = 500
LONGEST_REQUEST: Final = 120.0
"""Seconds after which a request is given up, however slowly its response trickles in."""
_GATEWAY_TIMEOUT: Final = 504
_DEFAULT_WAIT: Final = 1.0
READ_TRIES: Final = 3
_PASSING: Final = frozenset(
    {
        "ErrorConnectionFailed",
        "ErrorExceededConnectionCount",
        "ErrorInsufficientResources",
        "ErrorMailboxMoveInProgress",
        "ErrorMailboxStoreUnavailable",
        "ErrorServerBusy",
        "ErrorTimeoutExpired",
        "ErrorTooManyObjectsOpened",
    }
)
"""Codes of transient errors, whatever their status."""
_MOST_PAGES: Final = 20_000
LONGEST_WAIT: Final = 5.0
"""The longest wait within a worker, in seconds.

For longer ones the message returns to the queue.
"""


CLIENT_REQUEST_ID: Final = "client-request-id"
REQUEST_ID: Final = "request-id"


@dataclass(frozen=True, slots=True)
class FailedRequest:
    """A request that failed, as Microsoft's support finds it: our id for it, and Graph's.

    `status` is 0, and Graph's id '', if there was no response.
    """

    status: int
    client_request_id: str
    request_id: str


@dataclass(slots=True)
class Meter:
    """The cost of a piece of work: HTTP requests to Graph, and its 429 responses.

    `items` counts requests as Graph does, each request of a batch separately. `unanswered` counts
    requests that may or may not take effect. `failed` is the last request that failed.
    """

    requests: int = 0
    items: int = 0
    throttled: int = 0
    unanswered: int = 0
    failed: FailedRequest | None = None

    def note(self, status: int, *headers: Mapping[str, str]) -> None:
        """Note a request that failed; of several headers the first that has an id counts."""
        ours, theirs = (
            next((h[name] for h in headers if h.get(name)), "")
            for name in (CLIENT_REQUEST_ID, REQUEST_ID)
        )
        self.failed = FailedRequest(status, ours, theirs)

    def sent(self) -> None:
        """Count one HTTP request."""
        self.requests += 1
        self.items += 1
        count_graph(requests=1)

    def throttle(self, times: int) -> None:
        """Count 429 responses."""
        self.throttled += times
        count_graph(throttled=times)


@dataclass(frozen=True, slots=True)
class GraphResponse:
    """A response of Graph: status, body and headers (lower-case names)."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """Graph's error code; '' if there is none."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        return str(error.get("code") or "") if isinstance(error, dict) else ""

    @property
    def message(self) -> str:
        """Graph's error message; for decisions only, never for logs (it may hold addresses)."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        return str(error.get("message") or "") if isinstance(error, dict) else ""

    @property
    def retry_after(self) -> float | None:
        """The seconds to wait that Graph asks for, if it does."""
        return seconds_to_wait(self.headers)

    @property
    def value(self) -> list[dict[str, Any]]:
        """The objects of a list. Raises `Unavailable` if the response is not a list."""
        found = self.body.get("value") if isinstance(self.body, dict) else None
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            message = f"Microsoft Graph returned {self.status} without the list asked for."
            raise Unavailable(message, _DEFAULT_WAIT)
        return found

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later; after a 401, with a new token."""
        if self.is_full:
            return False
        return self.status in {401, 408, 423, 429} or self.status >= 500 or self.code in _PASSING

    @property
    def is_full(self) -> bool:
        """Whether a mailbox has no space left, or no named property."""
        return self.status == 507 or (self.status == 403 and self.code == "ErrorQuotaExceeded")

    @property
    def wait(self) -> float:
        """The seconds to wait before sending the request again: as Graph asks, by default one."""
        return _DEFAULT_WAIT if self.retry_after is None else self.retry_after


class Chain:
    """The next links of one collection, which must come to an end."""

    def __init__(self) -> None:
        self._followed: set[str] = set()

    def may_follow(self, link: str) -> bool:
        """Return whether a link is new, and not one too many."""
        return link not in self._followed and len(self._followed) < _MOST_PAGES

    def follow(self, link: str) -> str:
        """Return the link; raises `NeedsAdmin` if it was followed before, or after too many."""
        if not self.may_follow(link):
            message = f"Microsoft Graph's pages do not end after {len(self._followed)}."
            raise NeedsAdmin(Reason.GAVE_UP, message)
        self._followed.add(link)
        return link


type Check = Callable[[GraphResponse], GraphResponse]
"""Returns a successful response, and raises the error for any other response."""


class Graph:
    """Microsoft Graph for all tenants, over one wire."""

    def __init__(self, endpoint: str, wire: Wire) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._wire = wire
        self._units: OrderedDict[str, Units] = OrderedDict()

    def session(self, tenant: str, meter: Meter | None = None) -> "GraphSession":
        """Return a session for one tenant, which adds its cost to `meter`."""
        units = self._units.setdefault(tenant, Units())
        self._units.move_to_end(tenant)
        if len(self._units) > _TENANTS_KEPT:
            self._units.popitem(last=False)
        return GraphSession(self._wire, tenant, self._endpoint, meter or Meter(), units)

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()


class GraphSession:
    """Microsoft Graph for one tenant and one piece of work; created by `Graph.session`.

    `directory` limits the requests to the tenant's directory.
    """

    def __init__(
        self, wire: Wire, tenant: str, endpoint: str, meter: Meter, directory: Units
    ) -> None:
        self._wire = wire
        self._tenant = tenant
        self._endpoint = endpoint
        self.meter = meter
        self.directory = directory

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
    ) -> GraphResponse:
        """Send one request; `path` is below the endpoint, or a next or delta link of Graph.

        Return any final response (2xx and 4xx). Raises `Throttled` or `Unavailable` for transient
        errors; unless Graph responded with 429, a write may then have taken effect. Raises
        `NeedsAdmin` if we get no token for the tenant.
        """
        client_id = str(uuid4())
        sent = WireRequest(
            tenant=self._tenant,
            method=method,
            url=self._url(path, query),
            headers={**complete(headers or {}), CLIENT_REQUEST_ID: client_id},
            body=orjson.dumps(body) if body is not None else None,
        )
        route = template(sent.url.removeprefix(self._endpoint))
        # Azure Monitor reads a dependency's target and name from url.full, so it has no ids.
        what = {"http.request.method": method, "url.full": f"{self._endpoint}{route}"}
        with span(f"{method} {route}", kind=SpanKind.CLIENT, attributes=what) as current:
            current.set_attribute("contact_sync.client_request_id", client_id)
            self.meter.sent()
            response = await self._send(sent)
            current.set_attribute("http.response.status_code", response.status)
            current.set_attribute("contact_sync.throttled", response.status == 429)
            current.set_attribute("contact_sync.request_id", response.headers.get(REQUEST_ID, ""))
            if response.status >= 400:
                self.meter.note(response.status, sent.headers, response.headers)
                current.set_status(StatusCode.ERROR)
        headers = {CLIENT_REQUEST_ID: client_id, **response.headers}
        answer = self._checked(replace(response, headers=headers))
        if method == "GET" and answer.ok and not isinstance(answer.body, dict):
            message = "Microsoft Graph returned no object."
            raise Unavailable(message, _DEFAULT_WAIT)
        return answer

    async def read(
        self,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
    ) -> GraphResponse:
        """Send a read, and retry after transient errors if the wait is short.

        It is a GET, or a POST if there is a `body`, as a batch of reads and getByIds need it.
        """
        method = "GET" if body is None else "POST"
        for attempt in range(1, READ_TRIES):
            try:
                return await self.request(method, path, query=query, headers=headers, body=body)
            except (Throttled, Unavailable) as error:
                wait = error.retry_after * attempt
                if wait > LONGEST_WAIT:
                    raise
                await asyncio.sleep(wait)
        return await self.request(method, path, query=query, headers=headers, body=body)

    async def pages(
        self,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        units: float = 0,
        check: Check | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Read a collection page by page, including empty pages; every page must succeed.

        Every page is requested with the same headers, which advanced queries need on next links as
        well (docs: aad-advanced-queries). For a 4xx, raises what `check` (`required`) raises, so
        that a partial result never counts as complete. Each page takes `units` resource units.
        """
        check, chain = check or required, Chain()
        await self.directory.take(units)
        answer = check(await self.read(path, query=query, headers=headers))
        while True:
            yield {**answer.body, "value": answer.value}
            link = answer.body.get("@odata.nextLink")
            if not link:
                return
            await self.directory.take(units)
            answer = check(await self.read(chain.follow(str(link)), headers=headers))

    async def _send(self, request: WireRequest) -> WireResponse:
        try:
            async with asyncio.timeout(LONGEST_REQUEST):
                return await self._wire.send(request)
        except (Unavailable, TimeoutError) as error:
            self.meter.unanswered += 1
            self.meter.note(0, request.headers)
            message = f"Microsoft Graph did not respond: {error}"
            raise Unavailable(message, _DEFAULT_WAIT) from error

    def _checked(self, response: WireResponse) -> GraphResponse:
        answer = GraphResponse(response.status, None, response.headers)
        if response.content:
            try:
                answer = replace(answer, body=_parsed(response.content))
            except (ValueError, RecursionError) as error:
                if answer.ok:
                    message = "Microsoft Graph returned a body that is not JSON."
                    raise Unavailable(message, _DEFAULT_WAIT) from error
        if answer.status == _GATEWAY_TIMEOUT:
            self.meter.unanswered += 1
        if answer.status == 429:
            self.meter.throttle(1)
            raise Throttled("Microsoft Graph throttled the request.", answer.wait)
        if answer.status == 401:
            message = "Microsoft Graph did not accept the app's token."
            raise Unavailable(message, answer.wait)
        if answer.is_transient:
            message = f"Microsoft Graph returned {answer.status} {answer.code}."
            raise Unavailable(message, answer.wait)
        return answer

    def may_follow(self, link: str) -> bool:
        """Return whether a link of Graph leads to our endpoint."""
        return link.startswith(f"{self._endpoint}/")

    def below(self, link: str) -> str:
        """Return a link of Graph as a path below the endpoint, as batches need it."""
        return self._url(link, None).removeprefix(self._endpoint)

    def _url(self, path: str, query: Mapping[str, str] | None) -> str:
        if "://" in path:
            # Follow links only within our endpoint, so that no token is sent elsewhere.
            if not self.may_follow(path):
                message = "Microsoft Graph returned a link to another host."
                raise Defect(message)
            return path
        return relative(f"{self._endpoint}{path}", query)


def _parsed(content: bytes) -> Any:
    """Parse a JSON body.

    Unpaired surrogates, which JSON can escape and no UTF-8 can hold, are left out of its texts: a
    directory keeps such a name, and one of them must not fail a whole page.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        text = json.dumps(json.loads(content), ensure_ascii=False)
        return orjson.loads(text.encode(errors="ignore"))


def complete(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of every request, with those of one; a further preference adds to ours."""
    more = headers.get("Prefer")
    prefer = f"{IMMUTABLE_ID}, {more}" if more else IMMUTABLE_ID
    return {"Accept": "application/json", **headers, "Prefer": prefer}


def relative(path: str, query: Mapping[str, str] | None = None) -> str:
    """Return a path with its query, percent-encoded as Graph expects (blanks as %20)."""
    if not query:
        return path
    return f"{path}?{urlencode(query, quote_via=quote, safe='$,()/:')}"


def required(answer: GraphResponse) -> GraphResponse:
    """Return a successful response of the directory; raises `Refused` (for a 403, `NeedsAdmin`).

    Access covers the whole directory or nothing, so a 403 means that consent was withdrawn. Access
    to a single mailbox may be denied, so `Mailbox` checks responses itself.
    """
    if answer.ok:
        return answer
    if answer.status == 403:
        raise NeedsAdmin(Reason.CONSENT_MISSING, f"Graph returned 403 {answer.code}.")
    raise Refused(answer.status, answer.code)
