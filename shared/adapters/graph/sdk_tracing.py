"""Keeps the Graph SDK from making spans of its own.

It makes some ten a request, and puts whole URLs into them, which hold what somebody searched for
(kiota-http: UrlReplaceHandler sets url.full, whatever its ObservabilityOptions say). There is no
switch: its modules ask for a tracer when they are imported, so that is what is replaced. A test
holds that these are all of them.
"""

from typing import Final

import kiota_abstractions.request_information
import kiota_authentication_azure.azure_identity_access_token_provider
import kiota_http.httpx_request_adapter
import kiota_http.middleware.middleware
from opentelemetry.trace import NoOpTracer

TRACING: Final = (
    kiota_abstractions.request_information,
    kiota_authentication_azure.azure_identity_access_token_provider,
    kiota_http.httpx_request_adapter,
    kiota_http.middleware.middleware,
)


def quiet() -> None:
    """Let the SDK's modules trace nothing; harmless to repeat."""
    for module in TRACING:
        vars(module)["tracer"] = NoOpTracer()
