"""The one mapping of our errors to HTTP: problem+json (RFC 9457)."""

import logging
import math
from typing import Annotated

from pydantic import BaseModel, Field

from shared.domain.errors import (
    CallerError,
    NeedsAdmin,
    TooManyRequests,
    TransientError,
    Unauthenticated,
)
from shared.domain.reasons import Reason
from shared.web.operations import ApiResponse

_log = logging.getLogger(__name__)
_KIND = "urn:contact-sync:problem:"


class FieldProblem(BaseModel):
    """A bad field or parameter: its JSON path, such as `sources.groups.0.id`, and what is wrong."""

    field: str
    message: str


class Problem(BaseModel):
    """What went wrong, and what to do next (RFC 9457).

    `instance` bears the correlation id. `errors` is there if fields are bad, `reason` if an admin
    has to act first.
    """

    type: Annotated[str, Field(pattern=f"^{_KIND}[a-z-]+$")]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: str
    errors: Annotated[tuple[FieldProblem, ...], Field(exclude_if=lambda errors: not errors)] = ()
    reason: Annotated[Reason | None, Field(exclude_if=lambda reason: reason is None)] = None


def problem(error: Exception, operation: str, correlation: str) -> ApiResponse:
    """Answer an error, and log it under the correlation id with no more than it may tell."""
    instance = f"urn:uuid:{correlation}"
    match error:
        case CallerError():
            _log.info("%s %s: %s", operation, correlation, error.kind)
            errors = tuple(FieldProblem(field=e.field, message=e.message) for e in error.errors)
            body = Problem(
                type=f"{_KIND}{error.kind}",
                title=error.title,
                status=error.status,
                detail=error.detail,
                instance=instance,
                errors=errors,
            )
            headers = {}
            if isinstance(error, Unauthenticated):
                headers = {"WWW-Authenticate": "Bearer"}
            if isinstance(error, TooManyRequests):
                headers = {"Retry-After": str(math.ceil(error.retry_after))}
        case NeedsAdmin():
            _log.info("%s %s: %s", operation, correlation, error.reason)
            body = Problem(
                type=f"{_KIND}needs-admin",
                title="An admin has to act first",
                status=409,
                detail=error.reason.remedy,
                instance=instance,
                reason=error.reason,
            )
            headers = {}
        case TransientError():
            _log.warning("%s %s: %s", operation, correlation, error.detail)
            body = Problem(
                type=f"{_KIND}unavailable",
                title="Not available for the moment",
                status=503,
                detail=f"{error.detail} Try again later.",
                instance=instance,
            )
            headers = {"Retry-After": str(max(1, round(error.retry_after)))}
        case _:
            _log.error("%s %s failed", operation, correlation, exc_info=error)
            body = Problem(
                type=f"{_KIND}internal-error",
                title="Something went wrong on our side",
                status=500,
                detail="It was recorded. Give the correlation id in `instance` to the support.",
                instance=instance,
            )
            headers = {}
    return ApiResponse(body, body.status, headers)
