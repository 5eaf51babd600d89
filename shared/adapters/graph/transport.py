"""One request to Microsoft Graph: sent by the SDK's adapter, counted, its refusals in our terms.

All tenants share one HTTP client; aiohttp carries it, since httpcore's pool and its search for
other event loops cost most of a request's CPU (`make bench`). The SDK's own retries are off, since
they repeat POST too, which can create a contact twice (kiota_http, RetryHandler); waiting is
decided here and in the services.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import httpx
import orjson
from azure.core.exceptions import AzureError, ClientAuthenticationError
from httpx_aiohttp import AiohttpTransport
from kiota_abstractions.method import Method
from kiota_abstractions.native_response_handler import NativeResponseHandler
from kiota_abstractions.request_information import RequestInformation
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from kiota_http.middleware.options import ResponseHandlerOption, RetryHandlerOption
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph_core import GraphClientFactory
from opentelemetry.trace import SpanKind, StatusCode

from shared.adapters.entra.credentials import GRAPH_SCOPE, AppCredentials, refused
from shared.adapters.graph.pacing import Units
from shared.adapters.graph.routes import template
from shared.adapters.graph.sdk_tracing import quiet
from shared.adapters.telemetry import count_graph, span
from shared.domain.errors import Defect, NeedsAdmin, Refused, Throttled, Unavailable
from shared.domain.reasons import Reason

IMMUTABLE_ID: Final = 'IdType="ImmutableId"'
_TENANTS_KEPT: Final = 500
_LIMITS: Final = httpx.Limits(max_connections=200, max_keepalive_connections=100)
_TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)
_DEFAULT_WAIT: Final = 1.0
_READ_TRIES: Final = 3
LONGEST_WAIT: Final = 5.0
"""Seconds we wait in place; for longer the message goes back to the queue."""


@dataclass(slots=True)
class Meter:
    """What one piece of work cost: HTTP requests to Graph and how often Graph said 429.

    `items` counts what Graph counts: each request of a batch by itself.
    """

    requests: int = 0
    items: int = 0
    throttled: int = 0

    def sent(self) -> None:
        """Count one HTTP request."""
        self.requests += 1
        self.items += 1
        count_graph(requests=1)

    def throttle(self, times: int) -> None:
        """Count so many answers 429."""
        self.throttled += times
        count_graph(throttled=times)


@dataclass(frozen=True, slots=True)
class GraphResponse:
    """What Graph answered: status, body and headers (lower-case names)."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether Graph did what was asked."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """Graph's error code, or '' where there is none."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        return str(error.get("code") or "") if isinstance(error, dict) else ""

    @property
    def message(self) -> str:
        """Graph's error message; for decisions only, never for logs (it may hold addresses)."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        return str(error.get("message") or "") if isinstance(error, dict) else ""

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait as Graph asks; a decimal has been seen, so it is read as such."""
        try:
            return max(0.0, float(self.headers["retry-after"]))
        except (KeyError, ValueError):
            return None

    @property
    def passing(self) -> bool:
        """Whether the same request may well succeed later; 401 once there is another token."""
        return self.status in {401, 408, 423, 429} or self.status >= 500

    @property
    def wait(self) -> float:
        """Seconds to wait before the same request goes again: as Graph asks, or else one."""
        return _DEFAULT_WAIT if self.retry_after is None else self.retry_after


type Check = Callable[[GraphResponse], GraphResponse]
"""Hands a success on and raises what any other answer means, which its resource decides."""


class Graph:
    """Microsoft Graph for all tenants, over one HTTP client of the running event loop."""

    def __init__(
        self,
        endpoint: str,
        credentials: AppCredentials,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Talk to `endpoint`, which ends in /v1.0, by `transport` if one is given."""
        quiet()
        self._transport = transport
        self._endpoint = endpoint.rstrip("/")
        self._credentials = credentials
        self._adapters: OrderedDict[str, GraphRequestAdapter] = OrderedDict()
        self._units: dict[str, Units] = {}
        self._client: httpx.AsyncClient | None = None
        self._opened: httpx.AsyncBaseTransport | None = None

    def session(self, tenant: str, meter: Meter | None = None) -> "GraphSession":
        """Talk to one tenant; what it costs is added to `meter`."""
        adapter = self._adapter(tenant)
        return GraphSession(adapter, self._endpoint, meter or Meter(), self._units[tenant])

    async def close(self) -> None:
        """Close the connections."""
        self._adapters.clear()
        if self._client is not None:
            await self._client.aclose()
            self._client = None
        if self._opened is not None:
            # The SDK's transport does not close the one it wraps.
            await self._opened.aclose()
            self._opened = None

    def _adapter(self, tenant: str) -> GraphRequestAdapter:
        found = self._adapters.get(tenant)
        if found is None:
            found = GraphRequestAdapter(
                AzureIdentityAuthenticationProvider(
                    self._credentials.of(tenant),
                    scopes=[GRAPH_SCOPE],
                    allowed_hosts=[str(urlsplit(self._endpoint).hostname)],
                ),
                client=self._http(),
            )
            found.base_url = self._endpoint
            self._adapters[tenant], self._units[tenant] = found, Units()
            if len(self._adapters) > _TENANTS_KEPT:
                oldest, _ = self._adapters.popitem(last=False)
                del self._units[oldest]
        self._adapters.move_to_end(tenant)
        return found

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            option = RetryHandlerOption(max_retries=0)
            self._opened = self._transport or AiohttpTransport(limits=_LIMITS)
            self._client = GraphClientFactory.create_with_default_middleware(
                client=httpx.AsyncClient(
                    base_url=self._endpoint,
                    transport=self._opened,
                    timeout=_TIMEOUT,
                ),
                options={option.get_key(): option},
            )
        return self._client


class GraphSession:
    """Microsoft Graph for one tenant and one piece of work."""

    def __init__(
        self, adapter: GraphRequestAdapter, endpoint: str, meter: Meter, directory: Units
    ) -> None:
        """Use `Graph.session`; `directory` is what the tenant's directory may still be asked."""
        self._adapter = adapter
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

        Answers whatever Graph says for good (2xx and 4xx). Raises `Throttled` or `Unavailable`
        for what passes (the fate of a write is then unknown unless Graph answered 429), and
        `NeedsAdmin` when the tenant gives us no token.
        """
        info = RequestInformation()
        info.http_method = Method[method]
        info.url = self._url(path, query)
        info.headers.add("Accept", "application/json")
        info.headers.add("Prefer", IMMUTABLE_ID)
        for name, value in (headers or {}).items():
            info.headers.add(name, value)
        if body is not None:
            info.set_stream_content(orjson.dumps(body), "application/json")
        info.add_request_options([ResponseHandlerOption(NativeResponseHandler())])
        route = template(info.url.removeprefix(self._endpoint))
        # Azure Monitor takes target and name of a dependency from url.full: here without any id.
        what = {"http.request.method": method, "url.full": f"{self._endpoint}{route}"}
        with span(f"{method} {route}", kind=SpanKind.CLIENT, attributes=what) as current:
            response = await self._send(info)
            current.set_attribute("http.response.status_code", response.status_code)
            current.set_attribute("contact_sync.throttled", response.status_code == 429)
            if response.is_error:
                current.set_status(StatusCode.ERROR)
        return self._checked(response)

    async def read(
        self,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> GraphResponse:
        """Send a GET, and again after a short wait when that is all Graph asks for."""
        for attempt in range(1, _READ_TRIES):
            try:
                return await self.request("GET", path, query=query, headers=headers)
            except (Throttled, Unavailable) as error:
                wait = error.retry_after * attempt
                if wait > LONGEST_WAIT:
                    raise
                await asyncio.sleep(wait)
        return await self.request("GET", path, query=query, headers=headers)

    async def pages(
        self,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        units: float = 0,
        check: Check | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Read a collection page by page, empty pages and all; each answer must be a success.

        The same headers go with every page: advanced queries need theirs again on next links
        (docs: aad-advanced-queries). Raises what `check` (`required`) raises for a 4xx, so that a
        part is never taken for the whole. Each page takes `units` of the directory's.
        """
        check = check or required
        await self.directory.take(units)
        answer = check(await self.read(path, query=query, headers=headers))
        while True:
            yield answer.body
            link = answer.body.get("@odata.nextLink")
            if not link:
                return
            await self.directory.take(units)
            answer = check(await self.read(link, headers=headers))

    async def _send(self, info: RequestInformation) -> httpx.Response:
        self.meter.sent()
        try:
            answer = await self._adapter.send_primitive_async(info, "bytes", None)
        except ClientAuthenticationError as error:
            raise refused(error) from error
        except (httpx.HTTPError, aiohttp.ClientError, AzureError) as error:
            message = f"Microsoft Graph did not answer ({type(error).__name__})."
            raise Unavailable(message, _DEFAULT_WAIT) from error
        if not isinstance(answer, httpx.Response):
            message = "The Graph SDK did not hand the response over."
            raise Defect(message)
        return answer

    def _checked(self, response: httpx.Response) -> GraphResponse:
        body: Any = None
        if response.content:
            try:
                body = orjson.loads(response.content)
            except orjson.JSONDecodeError as error:
                if response.is_success:
                    message = "Microsoft Graph answered a body that is not JSON."
                    raise Unavailable(message, _DEFAULT_WAIT) from error
        answer = GraphResponse(
            response.status_code, body, {k.lower(): v for k, v in response.headers.items()}
        )
        if answer.status == 429:
            self.meter.throttle(1)
            raise Throttled("Microsoft Graph asks for a pause.", answer.wait)
        if answer.status == 401:
            message = "Microsoft Graph did not accept the app's token."
            raise Unavailable(message, answer.wait)
        if answer.passing:
            message = f"Microsoft Graph answered {answer.status} {answer.code}."
            raise Unavailable(message, answer.wait)
        return answer

    def _url(self, path: str, query: Mapping[str, str] | None) -> str:
        if "://" in path:
            # A link is followed only to where we came from: never send a token elsewhere.
            if not path.startswith(f"{self._endpoint}/"):
                message = "Microsoft Graph gave a link to another host."
                raise Defect(message)
            return path
        return relative(f"{self._endpoint}{path}", query)


def relative(path: str, query: Mapping[str, str] | None = None) -> str:
    """A path with its query, percent-encoded as Graph wants it (blanks as %20)."""
    if not query:
        return path
    return f"{path}?{urlencode(query, quote_via=quote, safe='$,()/:')}"


def required(answer: GraphResponse) -> GraphResponse:
    """The directory's answer if it is a success, else `Refused` (403: `NeedsAdmin`).

    The directory is open as a whole or not at all, so a 403 of its means that the consent is gone.
    A mailbox may be closed by itself: `Mailbox` reads its answers in its own way.
    """
    if answer.ok:
        return answer
    if answer.status == 403:
        raise NeedsAdmin(Reason.CONSENT_MISSING, f"Graph answered 403 {answer.code}.")
    raise Refused(answer.status, answer.code)
