"""How one request reaches Microsoft Graph: through the adapter of Microsoft's SDK.

All tenants share one HTTP client on top of aiohttp, because httpcore's pool takes most of a
request's CPU time (`make bench`). The SDK's retries are disabled, because they also repeat POST,
which can create a contact twice (kiota_http, RetryHandler); `transport` and the services retry. Its
redirects are disabled, because Graph documents none.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

import aiohttp
import httpx
from azure.core.exceptions import AzureError, ClientAuthenticationError
from httpx_aiohttp import AiohttpTransport
from kiota_abstractions.method import Method
from kiota_abstractions.native_response_handler import NativeResponseHandler
from kiota_abstractions.request_information import RequestInformation
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from kiota_http.middleware.options import (
    RedirectHandlerOption,
    ResponseHandlerOption,
    RetryHandlerOption,
)
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph_core import GraphClientFactory

from shared.adapters.entra.credentials import GRAPH_SCOPE, AppCredentials, refused
from shared.adapters.graph.sdk_tracing import disable_sdk_tracing
from shared.domain.errors import Defect, Unavailable

_TENANTS_KEPT: Final = 500
_LIMITS: Final = httpx.Limits(max_connections=200, max_keepalive_connections=100)
_TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)
_WAIT: Final = 1.0


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One HTTP request in a tenant, to a complete URL."""

    tenant: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class WireResponse:
    """One HTTP response; the names of its headers are lower-case."""

    status: int
    content: bytes
    headers: Mapping[str, str]


class Wire(Protocol):
    """Carries requests to Graph, with the app's token for their tenant."""

    async def send(self, request: WireRequest) -> WireResponse:
        """Send a request and return the response, whatever its status.

        Raises `Unavailable` if there is none, and `NeedsAdmin` if the tenant gives us no token.
        """

    async def close(self) -> None:
        """Close the connections."""


class SdkWire:
    """Sends requests with the adapter of Microsoft's SDK, on the running event loop."""

    def __init__(
        self,
        endpoint: str,
        credentials: AppCredentials,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        disable_sdk_tracing()
        self._transport = transport
        self._endpoint = endpoint.rstrip("/")
        self._credentials = credentials
        self._adapters: OrderedDict[str, GraphRequestAdapter] = OrderedDict()
        self._client: httpx.AsyncClient | None = None
        self._opened: httpx.AsyncBaseTransport | None = None

    async def send(self, request: WireRequest) -> WireResponse:
        """Send a request, as `Wire` says."""
        info = RequestInformation()
        info.http_method = Method[request.method]
        info.url = request.url
        for name, value in request.headers.items():
            info.headers.add(name, value)
        if request.body is not None:
            info.set_stream_content(request.body, "application/json")
        info.add_request_options([ResponseHandlerOption(NativeResponseHandler())])
        try:
            answer = await self._adapter(request.tenant).send_primitive_async(info, "bytes", None)
        except ClientAuthenticationError as error:
            raise refused(error) from error
        except (httpx.HTTPError, aiohttp.ClientError, AzureError) as error:
            message = f"Microsoft Graph did not respond ({type(error).__name__})."
            raise Unavailable(message, _WAIT) from error
        if not isinstance(answer, httpx.Response):
            message = "The Graph SDK did not return the response."
            raise Defect(message)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return WireResponse(answer.status_code, answer.content, headers)

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
            self._adapters[tenant] = found
            if len(self._adapters) > _TENANTS_KEPT:
                self._adapters.popitem(last=False)
        self._adapters.move_to_end(tenant)
        return found

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            options = [RetryHandlerOption(max_retries=0), RedirectHandlerOption(0, False)]
            self._opened = self._transport or AiohttpTransport(limits=_LIMITS)
            self._client = GraphClientFactory.create_with_default_middleware(
                client=httpx.AsyncClient(
                    base_url=self._endpoint,
                    transport=self._opened,
                    timeout=_TIMEOUT,
                ),
                options={option.get_key(): option for option in options},
            )
        return self._client
