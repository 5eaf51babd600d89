"""Disables the Graph SDK's own spans.

It creates about ten per request, with whole URLs, which contain search texts (kiota-http:
UrlReplaceHandler sets url.full regardless of its ObservabilityOptions). There is no setting for it:
the modules get a tracer when they are imported, so that tracer is replaced. A test checks that the
list of modules is complete.
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


def disable_sdk_tracing() -> None:
    """Replace the tracers of the SDK's modules by ones that do nothing; safe to repeat."""
    for module in TRACING:
        vars(module)["tracer"] = NoOpTracer()
