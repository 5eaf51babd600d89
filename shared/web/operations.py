"""The operations of the API: their roles, their inputs and all their possible responses.

A trigger declares its operation once; both the handling of calls (`calls.py`) and the published
document (`openapi.py`) use it. An operation is registered when its module is imported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field

from shared.adapters.storage.tables.continuation import LONGEST
from shared.domain.model import NEVER_GROWS, Model, NamePart
from shared.web.admission import Requirement, Role

MAX_PAGE: Final = 100
MAX_LONG_PAGE: Final = 1_000
DEFAULT_PAGE: Final = 50
UNVERSIONED: Final = "api/"
API: Final = f"{UNVERSIONED}v1/"
"""Where paths begin: those of health and of the document have no version, all others have."""

type Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


def _number(value: object) -> object:
    """Return a query parameter's text as a number, or unchanged if it is not a number."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:9])
    return value


class Query(Model):
    """The query parameters of an operation. This base class has none; unknown ones are rejected."""


class Paging(Query):
    """The page of a list: `top` items, starting where the previous page ended."""

    @property
    def cursor(self) -> str:
        """The name of the parameter that takes `next`."""
        return "next"

    top: Annotated[
        int,
        Field(ge=1, le=MAX_PAGE, description="The maximum number of items."),
        BeforeValidator(_number),
    ] = DEFAULT_PAGE
    next: Annotated[
        str | None,
        Field(min_length=1, max_length=LONGEST, description="`next` of the previous page."),
    ] = None


class LongPaging(Paging):
    """The page of a list that people want as a file."""

    top: Annotated[
        int,
        Field(ge=1, le=MAX_LONG_PAGE, description="The maximum number of items."),
        BeforeValidator(_number),
    ] = DEFAULT_PAGE


type Sort = Literal["name", "-name", "created", "-created", "changed", "-changed"]
"""The orders of objects with a name; the minus is the reverse."""


class NamedQuery(Paging):
    """The filter and order of a list of objects with a name."""

    name: NamePart | None = None
    """Only objects whose name contains this text, ignoring case."""
    sort: Annotated[Sort | None, Field(json_schema_extra=NEVER_GROWS)] = None
    """The order: by name, or by when the object was created or last changed; a minus reverses it.
    Without it, objects are ordered by name if you filter, otherwise by id."""


@dataclass(frozen=True, slots=True)
class Content:
    """A body that is already written: its media type and its bytes."""

    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A handler's response: a model (None: no body), a status and headers.

    `at` is the path below the API of what was made (201) or of what shows the progress (202). The
    answer to a call that changed nothing, such as a dry run, has no `effect`. `content` is sent
    instead of the body; a `repeated` answer is one that was given before.
    """

    body: BaseModel | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    at: str = ""
    effect: bool = True
    content: Content | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One function of the API.

    A caller needs one of the app `roles` (if there are none, anyone can call without a token).
    `responses` maps each status to the model of the body (None: no body). `body` is the model of a
    JSON body, `patch` the one that a merge patch changes. A `conditional` operation takes If-Match,
    and one that `conflicts` may be refused because of the current state, or because an admin has to
    act first (409). A POST takes an Idempotency-Key, unless it changes `nothing`. Unless it is
    `joined`, the caller's tenant may be unknown to us. A tenant may call a `leaving` operation, and
    change something, while it leaves. A `fresh` operation cannot be undone: a person needs a new
    sign-in for it. A `direct` operation may also bypass the gateway, as the platform's own probes
    do. A call without a body counts as one with an empty object if `may_be_empty`. What a
    `may_be_missing` operation returns need not exist (404).
    """

    name: str
    method: Method
    path: str
    doc: str
    tag: str
    roles: tuple[Role, ...]
    responses: Mapping[int, type[BaseModel] | None]
    query: type[Query] = Query
    body: type[BaseModel] | None = None
    patch: type[BaseModel] | None = None
    conditional: bool = False
    nothing: bool = False
    conflicts: bool = False
    joined: bool = True
    leaving: bool = False
    fresh: bool = False
    direct: bool = False
    may_be_empty: bool = False
    may_be_missing: bool = False

    def __post_init__(self) -> None:
        """Reject a declaration that would leave the document incomplete."""
        if not (self.doc and self.responses and self.path.startswith("api/")):
            message = (
                f"{self.name} needs a docstring, its responses and a path that begins with api/"
            )
            raise ValueError(message)

    @property
    def access(self) -> Requirement:
        """Who may call the operation."""
        return Requirement(self.roles, self.joined, self.changes, self.leaving, self.fresh)

    @property
    def changes(self) -> bool:
        """Whether the operation may change something, which a leaving tenant may not."""
        return self.method != "GET" and self.joined

    @property
    def idempotent(self) -> bool:
        """Whether the operation takes an Idempotency-Key: it has an effect that adds up."""
        return self.method == "POST" and not self.nothing

    @property
    def problems(self) -> tuple[int, ...]:
        """The statuses of the problems that the operation may return (RFC 9457)."""
        signed_in = bool(self.roles)
        may_be = {
            400: signed_in,
            401: signed_in,
            403: signed_in or not self.direct,
            406: signed_in,
            404: "{id}" in self.path or self.may_be_missing,
            409: self.conflicts or self.idempotent or self.changes,
            412: self.conditional,
            413: bool(self.body or self.patch),
            415: bool(self.body or self.patch),
            422: self.idempotent,
            429: True,
            500: True,
            503: signed_in or not self.direct,
        }
        return tuple(status for status, possible in may_be.items() if possible)


_operations: dict[str, Operation] = {}


def register(operation: Operation) -> None:
    """Add an operation to the API; each name can be used only once."""
    if operation.name in _operations:
        message = f"there are two operations named {operation.name}"
        raise ValueError(message)
    _operations[operation.name] = operation


def operations() -> tuple[Operation, ...]:
    """Return all operations of the API, in the order of their registration."""
    return tuple(_operations.values())
