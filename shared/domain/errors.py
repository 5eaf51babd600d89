"""Every error of Contact Sync, in one tree.

    ContactSyncError
    ├── CallerError              the caller did something wrong: HTTP 4xx, nothing changed
    │   ├── InvalidInput         400, names each field
    │   ├── Unauthenticated      401
    │   │   └── SignInTooOld     the act needs a new sign-in
    │   ├── Forbidden            403
    │   │   └── GatewayOnly      the call did not come through the gateway
    │   ├── NotFound             404, also for an object of another tenant
    │   ├── NotAcceptable        406
    │   ├── Conflict             409
    │   │   └── KeyInUse         the call with this Idempotency-Key is under way
    │   ├── PreconditionFailed   412, the object has changed in the meantime
    │   ├── PayloadTooLarge      413
    │   ├── WrongMediaType       415
    │   ├── KeyReused            422, the Idempotency-Key belongs to another request
    │   └── TooManyRequests      429, with the seconds to wait
    │       ├── TooManyGuesses   of share ids that do not exist
    │       └── QuotaExceeded    of the week, which the gateway counts
    ├── TransientError           wait and try again: HTTP 503, or the message goes back to the queue
    │   ├── Throttled            Microsoft asked us to slow down
    │   │   └── Paced            we slowed down before Microsoft had to ask
    │   ├── OutOfTime            the work goes on in another try
    │   ├── Unavailable          a service did not respond, or responded with 5xx
    │   └── Busy                 another worker is quicker, or holds what this one needs
    │       └── LeaseHeld        a lease, which ends by itself
    ├── NeedsAdmin               an admin must act: becomes the reason of a run or result
    │   └── Refused              Microsoft Graph refused permanently (4xx)
    └── Defect                   a fault of our own: HTTP 500, or the message becomes poison
        └── UnknownMessage       a queue message that our own code did not write

A `CallerError` has a code and values but no text. The texts are in `web/texts/errors.py`, and the
portal's catalogs translate them. `web/problems.py` maps the tree to HTTP, `background/queues.py`
to the queue.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Self

from shared.domain.error_codes import Code
from shared.domain.reasons import Reason

_MOST_FIELDS = 100

type Value = str | float | date | tuple[str, ...]
"""A value in an error's text; each language formats numbers and dates its own way."""


class ContactSyncError(Exception):
    """The base of all errors; its `str()` is logged, so it holds ids and codes but no names."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """An invalid field of an input: its JSON path, such as `sources.groups.0`, and the error."""

    field: str
    code: Code | Reason
    values: Mapping[str, Value] = dataclasses.field(default_factory=dict)


class CallerError(ContactSyncError):
    """A mistake of the caller, with its HTTP `status`, its `kind` and the exact `code`."""

    status: ClassVar[int] = 400
    kind: ClassVar[str] = "bad-request"

    def __init__(self, code: Code, *, errors: tuple[FieldError, ...] = (), **values: Value) -> None:
        """Take the exact `code`, the invalid fields as `errors`, and the `values` for the text."""
        super().__init__(code)
        self.code = code
        self.values: Mapping[str, Value] = values
        self.errors = errors


class InvalidInput(CallerError):
    """The input is malformed, contradictory, or too large in one part."""

    kind = "invalid-input"

    @classmethod
    def of(cls, *errors: FieldError, code: Code = "input_invalid") -> Self:
        """Return the error for these fields."""
        names = tuple(dict.fromkeys(e.field for e in errors))
        return cls(code, errors=errors[:_MOST_FIELDS], fields=names[:_MOST_FIELDS])


class Unauthenticated(CallerError):
    """The access token is missing or not valid for this API."""

    status = 401
    kind = "unauthenticated"


class SignInTooOld(Unauthenticated):
    """The person signed in too long ago for an act that cannot be undone; sign in again."""


class Forbidden(CallerError):
    """The caller is signed in but may not do this."""

    status = 403
    kind = "forbidden"


class GatewayOnly(Forbidden):
    """The call did not come through the gateway."""

    kind = "gateway-only"


class NotFound(CallerError):
    """The object does not exist in the caller's tenant; it may exist in another."""

    status = 404
    kind = "not-found"


class NotAcceptable(CallerError):
    """The caller accepts none of the formats that the call offers."""

    status = 406
    kind = "not-acceptable"


class Conflict(CallerError):
    """The current state does not allow the call."""

    status = 409
    kind = "conflict"


class KeyInUse(Conflict):
    """The first call with this Idempotency-Key is under way; `retry_after` is in seconds."""

    kind = "idempotency-key-in-use"

    def __init__(self, code: Code, retry_after: float, **values: Value) -> None:
        """Take the exact `code` and the seconds to wait as `retry_after`."""
        super().__init__(code, errors=(), **values)
        self.retry_after = retry_after


class PreconditionFailed(CallerError):
    """The object has changed since the caller read it, so its ETag no longer matches."""

    status = 412
    kind = "precondition-failed"


class PayloadTooLarge(CallerError):
    """The body is larger than this API accepts."""

    status = 413
    kind = "payload-too-large"


class WrongMediaType(CallerError):
    """The body has a content type that the call does not take."""

    status = 415
    kind = "unsupported-media-type"


class KeyReused(CallerError):
    """The Idempotency-Key was sent before with another request."""

    status = 422
    kind = "idempotency-key-reused"


class TooManyRequests(CallerError):
    """The tenant exceeds a rate limit; `retry_after` is how long to wait, in seconds."""

    status = 429
    kind = "too-many-requests"

    def __init__(self, code: Code, retry_after: float, **values: Value) -> None:
        """Take the exceeded limit as `code` and the seconds to wait as `retry_after`."""
        super().__init__(code, errors=(), **values)
        self.retry_after = retry_after


class TooManyGuesses(TooManyRequests):
    """The caller named too many share ids that do not exist."""

    kind = "too-many-guesses"


class QuotaExceeded(TooManyRequests):
    """A subscription key has used its calls of the week; only the gateway counts them."""

    kind = "quota-exceeded"


class TransientError(ContactSyncError):
    """A temporary fault; `retry_after` is how long to wait, in seconds.

    Callers see the text of its `code`; `detail` is for logs.
    """

    code: ClassVar[Code] = "unavailable"

    def __init__(self, detail: str, retry_after: float) -> None:
        """Take a description for logs as `detail` and the seconds to wait as `retry_after`."""
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class Throttled(TransientError):
    """Microsoft Graph responded with 429."""

    code = "throttled"


class NewerVersion(TransientError):
    """A message or row was written by a newer version of the app, whose workers are starting."""


class Paced(Throttled):
    """We slowed down before Microsoft had to ask for it."""


class OutOfTime(TransientError):
    """The work is cut off well before the platform's time limit, and its progress is saved."""


class Unavailable(TransientError):
    """A service did not respond, or failed."""


class Busy(TransientError):
    """Another worker was quicker, or holds what this one needs."""

    code = "busy"


class LeaseHeld(Busy):
    """Another worker holds a lease, which ends after `ends_after` seconds unless it is renewed."""

    def __init__(self, detail: str, retry_after: float, ends_after: float) -> None:
        super().__init__(detail, retry_after)
        self.ends_after = ends_after


class NeedsAdmin(ContactSyncError):
    """A problem that only an admin can solve; `reason` is the code shown on the run or result."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Take the `reason` code, and as `detail` what it is about (ids, never names)."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Refused(NeedsAdmin):
    """Microsoft Graph refused a request permanently, with this `status` and error `code`."""

    def __init__(self, status: int, code: str, reason: Reason = Reason.GAVE_UP) -> None:
        super().__init__(reason, f"Microsoft Graph returned {status} {code}.")
        self.status = status
        self.code = code


class Defect(ContactSyncError):
    """A fault of our own; its details are logged but never shown."""


class UnknownMessage(Defect):
    """A queue message that our own code did not write; its content is never logged."""
