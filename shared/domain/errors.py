"""Every error of Contact Sync, in one tree.

    ContactSyncError
    ├── CallerError              the caller did something wrong: HTTP 4xx, nothing changed
    │   ├── InvalidInput         400, names each field
    │   ├── Unauthenticated      401
    │   ├── Forbidden            403
    │   │   └── GatewayOnly      the call did not come through the gateway
    │   ├── NotFound             404, the same for what is foreign and what does not exist
    │   ├── Conflict             409
    │   ├── PreconditionFailed   412, somebody else changed it meanwhile
    │   ├── PayloadTooLarge      413
    │   └── TooManyRequests      429, says after how many seconds to go on
    ├── TransientError           wait and try again: HTTP 503, or the message goes back to the queue
    │   ├── Throttled            Microsoft asked us to slow down
    │   │   └── Paced            or would have to, if we went on
    │   ├── Unavailable          a service did not answer, or answered 5xx
    │   └── Busy                 another worker holds the lease
    ├── NeedsAdmin               an admin has to act: ends as a run or result with its reason
    │   └── Refused              Microsoft Graph said no for good (4xx)
    └── Defect                   ours to mend: HTTP 500, or the message becomes poison
        └── UnknownMessage       a queue message that our own code did not write

An error of a caller has a code and values, and no words: `web/error_texts.py` has them, and the
portal's catalogues translate them. A trigger maps the tree once: `web/problems.py` to HTTP,
`background/queues.py` to the queue.
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
"""What stands in an error's words; each language writes numbers and dates its own way."""


class ContactSyncError(Exception):
    """The root; logs show its `str()`, which holds ids and codes but no names."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field of an input, and the case; `field` is its JSON path (`sources.groups.0`)."""

    field: str
    code: Code | Reason
    values: Mapping[str, Value] = dataclasses.field(default_factory=dict)


class CallerError(ContactSyncError):
    """What a caller did wrong; `status` is its HTTP status, `kind` its class, `code` the case."""

    status: ClassVar[int] = 400
    kind: ClassVar[str] = "bad-request"

    def __init__(self, code: Code, *, errors: tuple[FieldError, ...] = (), **values: Value) -> None:
        """Name the case in `code`, each bad field in `errors`, and the `values` for its words."""
        super().__init__(code)
        self.code = code
        self.values: Mapping[str, Value] = values
        self.errors = errors


class InvalidInput(CallerError):
    """The input is malformed, too large in some part, or contradicts itself."""

    kind = "invalid-input"

    @classmethod
    def of(cls, *errors: FieldError, code: Code = "input_invalid") -> Self:
        """Refuse some fields."""
        names = tuple(dict.fromkeys(e.field for e in errors))
        return cls(code, errors=errors[:_MOST_FIELDS], fields=names[:_MOST_FIELDS])


class Unauthenticated(CallerError):
    """No access token, or one that is not valid for this API."""

    status = 401
    kind = "unauthenticated"


class Forbidden(CallerError):
    """The caller is known but may not do this."""

    status = 403
    kind = "forbidden"


class GatewayOnly(Forbidden):
    """The call came past the gateway, to an address that is not for callers."""

    kind = "gateway-only"


class NotFound(CallerError):
    """No such thing in the caller's tenant; says nothing of other tenants."""

    status = 404
    kind = "not-found"


class Conflict(CallerError):
    """The state of things does not allow it."""

    status = 409
    kind = "conflict"


class PreconditionFailed(CallerError):
    """The object was changed since the caller read it: its ETag is another one now."""

    status = 412
    kind = "precondition-failed"


class PayloadTooLarge(CallerError):
    """The body is larger than this API takes."""

    status = 413
    kind = "payload-too-large"


class TooManyRequests(CallerError):
    """The tenant asks more often than it may; `retry_after` is how long to wait, in seconds."""

    status = 429
    kind = "too-many-requests"

    def __init__(self, code: Code, retry_after: float, **values: Value) -> None:
        """Say what is limited in `code` and how many seconds to wait in `retry_after`."""
        super().__init__(code, errors=(), **values)
        self.retry_after = retry_after


class TransientError(ContactSyncError):
    """A fault that passes; `retry_after` is how long to wait, in seconds.

    Callers read the words of its `code`; `detail` is for logs.
    """

    code: ClassVar[Code] = "unavailable"

    def __init__(self, detail: str, retry_after: float) -> None:
        """Say what happened in `detail` and how many seconds to wait in `retry_after`."""
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class Throttled(TransientError):
    """Microsoft Graph answered 429, or 503 with a Retry-After."""

    code = "throttled"


class Paced(Throttled):
    """We slow down ourselves, before Microsoft has to ask."""


class Unavailable(TransientError):
    """A service did not answer, or failed on its side."""


class Busy(TransientError):
    """Another worker holds the lease on what this one wants to change."""

    code = "busy"


class NeedsAdmin(ContactSyncError):
    """What only an admin can mend; `reason` is the code that run and result carry."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Give the `reason` code and in `detail` what exactly it concerns (ids, never names)."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Refused(NeedsAdmin):
    """Microsoft Graph refused for good; `status` and `code` are its answer."""

    def __init__(self, status: int, code: str, reason: Reason = Reason.GAVE_UP) -> None:
        """Keep Graph's `status` and error `code`."""
        super().__init__(reason, f"Microsoft Graph answered {status} {code}.")
        self.status = status
        self.code = code


class Defect(ContactSyncError):
    """A fault of our own; shown to nobody, logged whole."""


class UnknownMessage(Defect):
    """A queue message that is not of our making; its content is never logged."""
