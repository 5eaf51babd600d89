"""How HTTP meets the app: sign-in, parameters and bodies in, models or problems out.

`api` turns a handler into a native function and declares its operation: the access token is
validated, the role checked, the tenant loaded, the handler called; every error of the tree becomes
a problem (`problems.py`). `public` does the same for what needs no token. All of them take calls
through the gateway only (`gateway.py`), unless they are declared `direct`.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Final, NoReturn, TypedDict, Unpack

import azure.functions as func
import orjson
from pydantic import BaseModel, ValidationError

from shared.adapters.entra.access_tokens import Caller
from shared.domain.errors import (
    Conflict,
    Defect,
    FieldError,
    Forbidden,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
)
from shared.domain.tenancy.tenants import Tenant, TenantStatus
from shared.services.changes import merge_patch
from shared.web.operations import ApiResponse, Method, Operation, Query, Role, register
from shared.web.origin import entered
from shared.web.problems import Problem, problem
from shared.web.views import Tagged
from shared.wiring.app import App, app, new_id

MAX_BODY: Final = 256 * 1024
ID_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
MAX_KEY: Final = 200
JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
_MAX_DEPTH: Final = 32
_EXACT: Final = 2**53
SAFE_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What every answer has (docs: OWASP REST Security Cheat Sheet, security headers)."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a signed-in caller; only what its operation declares can be read of it."""

    app: App
    caller: Caller
    request: func.HttpRequest
    operation: Operation
    parameters: Query
    tenant: Tenant | None = None

    @property
    def id(self) -> str:
        """The id in the route; `NotFound` if no id of ours looks like it."""
        return self.segment("id", "There is nothing of this id in your tenant.")

    def segment(self, name: str, refusal: str) -> str:
        """A part of the route; `NotFound` with the `refusal` if no id of ours looks like it."""
        value = str(self.request.route_params[name])
        if not is_id(value):
            raise NotFound(refusal)
        return value

    @property
    def if_match(self) -> str | None:
        """The If-Match header, if there is one."""
        self._require(self.operation.conditional, "If-Match")
        value = self.request.headers.get("If-Match")
        return str(value) if value else None

    @property
    def idempotency_key(self) -> str | None:
        """The Idempotency-Key header, if there is one."""
        self._require(self.operation.idempotent, "Idempotency-Key")
        key = self.request.headers.get("Idempotency-Key")
        if key and len(key) > MAX_KEY:
            raise InvalidInput(f"An Idempotency-Key has at most {MAX_KEY} characters.")
        return str(key) if key else None

    def query[T: Query](self, model: type[T]) -> T:
        """The query parameters."""
        if not isinstance(self.parameters, model):
            raise Defect(f"{self.operation.name} reads {model.__name__}, undeclared.")
        return self.parameters

    def input[T: BaseModel](self, model: type[T]) -> T:
        """The body as a model; `InvalidInput` names each bad field."""
        self._require(self.operation.body is model, model.__name__)
        return validated(model, json_object(self.request, JSON))

    def patch[T: BaseModel](self, model: type[T]) -> Callable[[T], T]:
        """The body as a merge patch (RFC 7396), to be applied to what is stored."""
        self._require(self.operation.patch is model, model.__name__)
        patch = json_object(self.request, JSON, MERGE_PATCH)

        def apply(current: T) -> T:
            settable = {name: getattr(current, name) for name in model.model_fields}
            before = model.model_construct(**settable).model_dump(mode="json", by_alias=True)
            return validated(model, merge_patch(before, patch))

        return apply

    def _require(self, declared: bool, what: str) -> None:  # noqa: FBT001 - private
        if not declared:
            raise Defect(f"{self.operation.name} reads {what}, undeclared.")


def is_id(value: str) -> bool:
    """Whether an id of ours may look like this."""
    return re.fullmatch(ID_PATTERN, value) is not None


type Handler = Callable[[Call], Awaitable[ApiResponse]]
type PublicHandler = Callable[[func.HttpRequest], Awaitable[ApiResponse]]
type Function = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]


class Takes(TypedDict, total=False):
    """What an operation takes and may refuse: see `Operation`."""

    query: type[Query]
    body: type[BaseModel]
    patch: type[BaseModel]
    conditional: bool
    idempotent: bool
    conflicts: bool
    joined: bool
    leaving: bool
    direct: bool


def api(
    bp: func.Blueprint,
    method: Method,
    path: str,
    roles: tuple[Role, ...],
    *,
    answers: Mapping[int, type[BaseModel] | None],
    **takes: Unpack[Takes],
) -> Callable[[Handler], Any]:
    """Make a handler a function for callers with one of these app roles.

    `answers` and what else it `takes` are as in `Operation`.
    """

    def decorate(handler: Handler) -> Any:
        operation = _operation(handler, method, path, roles, answers, **takes)
        return bp.route(path, methods=[method])(signed_in(operation, handler))

    return decorate


def public(
    bp: func.Blueprint,
    path: str,
    *,
    answers: Mapping[int, type[BaseModel] | None],
    direct: bool = False,
) -> Callable[[PublicHandler], Any]:
    """Make a handler a function that anybody may GET, without a token."""

    def decorate(handler: PublicHandler) -> Any:
        operation = _operation(handler, "GET", path, (), answers, direct=direct)
        return bp.route(path, methods=["GET"])(_function(operation, lambda req, _: handler(req)))

    return decorate


def signed_in(operation: Operation, handler: Handler) -> Function:
    """The function that calls a handler for callers with one of the operation's roles."""

    async def admit(req: func.HttpRequest, network: str) -> ApiResponse:
        services = app()
        caller = await services.entra.tokens.caller(req.headers.get("Authorization"))
        services.tenancy.limiter.count_call(caller.tenant)
        roles = caller.roles
        if caller.tenant != services.settings.home_tenant:
            roles -= {Role.OPERATOR}
        if not roles & set(operation.roles):
            raise Forbidden(f"This needs one of the app roles {', '.join(operation.roles)}.")
        caller = replace(caller, roles=roles, network=network)
        tenant = (await services.tenancy.tenants.known(caller)).value if operation.joined else None
        leaving = tenant is not None and tenant.status is TenantStatus.LEAVING
        if leaving and operation.changes and not operation.leaving:
            raise Conflict("Your tenant is leaving: nothing can be changed any more.")
        parameters = validated(operation.query, dict(req.params), "The query is not valid")
        return await handler(Call(services, caller, req, operation, parameters, tenant))

    return _function(operation, admit)


def validated[T: BaseModel](
    model: type[T], value: object, refusal: str = "The input is not valid"
) -> T:
    """Check JSON against a model; `InvalidInput` names each bad field by its path."""
    try:
        return model.model_validate_json(orjson.dumps(value))
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise InvalidInput("The body holds text or numbers that JSON cannot carry.") from error
    except ValidationError as error:
        errors = tuple(
            FieldError(
                ".".join(map(str, e["loc"])) or "body", e["msg"].removeprefix("Value error, ")
            )
            for e in error.errors(include_url=False, include_input=False, include_context=False)
        )
        names = ", ".join(dict.fromkeys(e.field for e in errors))
        raise InvalidInput(f"{refusal}: {names}.", errors[:100]) from error


def json_object(req: func.HttpRequest, *content_types: str) -> dict[str, Any]:
    """The body as a JSON object; `InvalidInput` or `PayloadTooLarge` if it is none."""
    raw = req.get_body()
    if len(raw) > MAX_BODY:
        raise PayloadTooLarge(f"A body may have at most {MAX_BODY // 1024} KiB.")
    if req.headers.get("Content-Type", "").split(";")[0].strip().lower() not in content_types:
        raise InvalidInput(f"Send JSON, with Content-Type: {' or '.join(content_types)}.")
    try:
        body = json.loads(
            raw, object_pairs_hook=_without_doubles, parse_constant=_no_number, parse_float=_float
        )
    except RecursionError as error:
        raise InvalidInput("The body is nested too deeply.") from error
    except ValueError as error:
        raise InvalidInput(f"The body is not valid JSON: {error}.") from error
    if not isinstance(body, dict):
        raise InvalidInput("The body must be a JSON object.")
    if _depth(body) > _MAX_DEPTH:
        raise InvalidInput("The body is nested too deeply.")
    return body


def _operation(
    handler: Handler | PublicHandler,
    method: Method,
    path: str,
    roles: tuple[Role, ...],
    answers: Mapping[int, type[BaseModel] | None],
    **takes: Unpack[Takes],
) -> Operation:
    operation = Operation(
        name=handler.__name__,
        method=method,
        path=path,
        doc=handler.__doc__ or "",
        tag=handler.__module__.rpartition(".")[2],
        roles=roles,
        answers=answers,
        **takes,
    )
    register(operation)
    return operation


def _function(
    operation: Operation, work: Callable[[func.HttpRequest, str], Awaitable[ApiResponse]]
) -> Function:
    async def function(req: func.HttpRequest) -> func.HttpResponse:
        correlation = new_id()
        try:
            answer = await work(req, "" if operation.direct else await entered(req))
            _require_declared(operation, answer)
        except Exception as error:  # noqa: BLE001 - the caller gets an answer whatever happens
            answer = problem(error, operation.name, correlation)
        return _response(answer, correlation)

    # The worker looks at the signature, so the handler's name is all that is taken over.
    function.__name__ = function.__qualname__ = operation.name
    function.__doc__ = operation.doc
    return function


def _require_declared(operation: Operation, answer: ApiResponse) -> None:
    kind = None if answer.body is None else type(answer.body)
    if answer.status not in operation.answers or operation.answers[answer.status] is not kind:
        raise Defect(f"{operation.name} answers {answer.status} with {kind}, undeclared.")


def _response(answer: ApiResponse, correlation: str) -> func.HttpResponse:
    headers = {**SAFE_HEADERS, "X-Correlation-Id": correlation, **answer.headers}
    if answer.body is None:
        return func.HttpResponse(status_code=answer.status, headers=headers)
    if isinstance(answer.body, Tagged):
        headers["ETag"] = answer.body.etag
    return func.HttpResponse(
        answer.body.model_dump_json(by_alias=True).encode(),
        status_code=answer.status,
        headers=headers,
        mimetype="application/problem+json" if isinstance(answer.body, Problem) else JSON,
    )


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, refused if it names a field twice, as nobody knows which is meant."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            # Half a surrogate pair is valid in JSON text, but cannot be sent back.
            shown_name = name[:100].encode(errors="replace").decode()
            error = FieldError(shown_name, "is given more than once")
            raise InvalidInput("The body names a field more than once.", (error,))
        found[name] = value
    return found


def _no_number(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python reads although JSON has no such numbers."""
    message = f"{name} is no JSON number"
    raise ValueError(message)


def _float(text: str) -> float | int:
    """A number with a fraction or exponent; 8.0 is the integer 8, as JSON Schema has it."""
    number = float(text)
    if not isfinite(number):
        _no_number(text[:100])
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def _depth(value: object) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(item, dict):
            waiting += [(child, depth + 1) for child in item.values()]
        elif isinstance(item, list):
            waiting += [(child, depth + 1) for child in item]
    return deepest
