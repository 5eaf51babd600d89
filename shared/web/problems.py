"""Maps our errors to HTTP: problem+json (RFC 9457). No other module does."""

import logging
import math
from typing import Annotated

from pydantic import BaseModel, Field

from shared.domain.errors import (
    CallerError,
    KeyInUse,
    NeedsAdmin,
    SignInTooOld,
    TooManyRequests,
    TransientError,
    Unauthenticated,
)
from shared.domain.reasons import Reason
from shared.domain.tenancy.sessions import FRESH
from shared.web.operations import ApiResponse
from shared.web.texts.errors import ENGLISH, ErrorTexts

_log = logging.getLogger(__name__)
_NEWER = f' error="insufficient_user_authentication", max_age={round(FRESH.total_seconds())}'
_KIND = "urn:contact-sync:problem:"
_CODE = "^[a-z][a-z0-9_]*$"


class FieldProblem(BaseModel):
    """An invalid field or parameter: its JSON path, such as `sources.groups.0.id`, and the error.

    `code` identifies the exact error and never changes; `message` describes it.
    """

    field: str
    """The path of the field, such as `sources.groups.0.id`, or the name of the parameter."""
    code: Annotated[str, Field(pattern=_CODE)]
    """The exact error. It never changes; new ones may be added."""
    message: str
    """The error in words."""


class Problem(BaseModel):
    """What went wrong, and what to do next (RFC 9457).

    `type` is the class of the problem and `code` the exact case. Neither changes, but new ones may
    be added. `instance` contains the correlation id. `errors` is present if fields are invalid,
    `reason` if an admin has to act first.
    """

    type: Annotated[str, Field(pattern=f"^{_KIND}[a-z-]+$")]
    """The class of the problem. See Errors for all classes."""
    title: str
    """The class in words."""
    status: Annotated[int, Field(ge=400, le=599)]
    """The HTTP status."""
    code: Annotated[str, Field(pattern=_CODE)]
    """The exact case, such as `too_many_shares`. It never changes; new ones may be added."""
    detail: Annotated[str, Field(json_schema_extra={"x-ms-primary-error-message": True})]
    """What happened, and what to do next."""
    instance: str
    """The id of this call in our logs, to quote to support."""
    errors: Annotated[tuple[FieldProblem, ...], Field(exclude_if=lambda errors: not errors)] = ()
    """Each invalid field. Present only if fields are invalid."""
    reason: Annotated[Reason | None, Field(exclude_if=lambda reason: reason is None)] = None
    """Why an admin has to act first. Present only in that case."""


def problem(
    error: Exception, operation: str, correlation: str, error_texts: ErrorTexts = ENGLISH
) -> ApiResponse:
    """Return the response to an error; log it with the correlation id, without personal data."""
    kind, status, code, headers = _case(error)
    match error:
        case CallerError():
            _log.info("%s %s: %s", operation, correlation, error.code)
        case NeedsAdmin():
            _log.info("%s %s: %s", operation, correlation, error.reason)
        case TransientError():
            _log.warning("%s %s: %s", operation, correlation, error.detail)
        case _:
            _log.error("%s %s failed", operation, correlation, exc_info=error)
    fields = error.errors if isinstance(error, CallerError) else ()
    body = Problem(
        type=f"{_KIND}{kind}",
        title=error_texts.title(kind),
        status=status,
        code=code,
        detail=error_texts.of(error),
        instance=f"urn:uuid:{correlation}",
        errors=tuple(
            FieldProblem(field=e.field, code=str(e.code), message=error_texts.field(e))
            for e in fields
        ),
        reason=error.reason if isinstance(error, NeedsAdmin) else None,
    )
    return ApiResponse(body, status, headers)


def _case(error: Exception) -> tuple[str, int, str, dict[str, str]]:
    """Return the class, status, code and headers of an error."""
    match error:
        case Unauthenticated():
            # RFC 9470, section 3: the client can ask Entra ID for a newer sign-in.
            more = _NEWER if isinstance(error, SignInTooOld) else ""
            headers = {"WWW-Authenticate": f"Bearer{more}"}
            return error.kind, error.status, error.code, headers
        case TooManyRequests() | KeyInUse():
            headers = {"Retry-After": str(math.ceil(error.retry_after))}
            return error.kind, error.status, error.code, headers
        case CallerError():
            return error.kind, error.status, error.code, {}
        case NeedsAdmin():
            return "needs-admin", 409, str(error.reason), {}
        case TransientError():
            headers = {"Retry-After": str(max(1, round(error.retry_after)))}
            return "unavailable", 503, error.code, headers
        case _:
            return "internal-error", 500, "internal_error", {}
