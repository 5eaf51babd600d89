"""What the API consists of: each operation with its roles, its inputs and all that it may answer.

A trigger declares its operation once, and both the handling of calls (`calls.py`) and the published
document (`openapi.py`) go by it. An operation is registered when its module is imported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field

from shared.domain.model import Model
from shared.web.admission import Access, Role

MAX_PAGE: Final = 100
DEFAULT_PAGE: Final = 50

type Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


def _number(value: object) -> object:
    """A query parameter's text as a number, if it is one; else as it is, to be refused."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:9])
    return value


class Query(Model):
    """The query parameters of an operation; this one takes none, and any other is refused."""


class Paging(Query):
    """Which page of a list: `top` items, beginning where the page before ended."""

    top: Annotated[
        int,
        Field(ge=1, le=MAX_PAGE, description="How many items at most."),
        BeforeValidator(_number),
    ] = DEFAULT_PAGE
    next: Annotated[
        str | None, Field(min_length=1, description="`next` of the page before; else the first.")
    ] = None


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """What a handler answers: a model (None: no body), a status and headers."""

    body: BaseModel | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One function of the API.

    `roles` are the app roles of which a caller needs one (none: anybody may call, without a token).
    `answers` gives the model of the body by status (None: no body). `body` is the model of a JSON
    body, `patch` the one that a merge patch changes. `conditional` says that it takes If-Match,
    `idempotent` that it takes an Idempotency-Key, `conflicts` that the state of things, or what an
    admin has to do first, may forbid it (409). Unless it is `joined`, the caller's tenant need not
    be known to us; `leaving` says that a tenant may call it, and change something, while it leaves.
    `direct` says that it may be called past the gateway too, as the platform's own probes do.
    """

    name: str
    method: Method
    path: str
    doc: str
    tag: str
    roles: tuple[Role, ...]
    answers: Mapping[int, type[BaseModel] | None]
    query: type[Query] = Query
    body: type[BaseModel] | None = None
    patch: type[BaseModel] | None = None
    conditional: bool = False
    idempotent: bool = False
    conflicts: bool = False
    joined: bool = True
    leaving: bool = False
    direct: bool = False

    def __post_init__(self) -> None:
        """Refuse what would leave a gap in the document."""
        if not (self.doc and self.answers and self.path.startswith("api/")):
            message = f"{self.name} needs a docstring, its answers and a path that begins with api/"
            raise ValueError(message)

    @property
    def access(self) -> Access:
        """Who may call it."""
        return Access(self.roles, self.joined, self.changes, self.leaving)

    @property
    def changes(self) -> bool:
        """Whether it may change something, which a tenant that is leaving may not."""
        return self.method != "GET" and self.joined

    @property
    def problems(self) -> tuple[int, ...]:
        """The statuses of the problems that it may answer (RFC 9457)."""
        signed_in = bool(self.roles)
        may_be = {
            400: signed_in,
            401: signed_in,
            403: signed_in or not self.direct,
            404: "{id}" in self.path,
            409: self.conflicts or self.idempotent or self.changes,
            412: self.conditional,
            413: bool(self.body or self.patch),
            429: signed_in,
            500: True,
            503: signed_in or not self.direct,
        }
        return tuple(status for status, possible in may_be.items() if possible)


_operations: dict[str, Operation] = {}


def register(operation: Operation) -> None:
    """Make an operation part of the API; a name is given once."""
    if operation.name in _operations:
        message = f"there are two operations {operation.name}"
        raise ValueError(message)
    _operations[operation.name] = operation


def operations() -> tuple[Operation, ...]:
    """All operations of the API, in the order of their registration."""
    return tuple(_operations.values())
