"""Handles API calls: reads tokens, parameters and bodies, and returns models or problems.

`api` turns a handler into a native function and declares its operation. The function validates the
access token, admits the caller (`admission.py`) and calls the handler; every error of the tree
becomes a problem (`problems.py`). `public` does the same for operations without a token. Both
accept calls through the gateway only, unless they are declared `direct`.
"""

import math
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypedDict, Unpack
from urllib.parse import urlencode

import azure.functions as func
from pydantic import BaseModel

from shared.adapters.entra.access_tokens import Caller
from shared.domain.errors import (
    Defect,
    InvalidInput,
    Unauthenticated,
)
from shared.domain.tenancy.tenants import Tenant
from shared.services.idempotency import Execution
from shared.web.admission import Role, admit, count_stranger, enter, network_of
from shared.web.list_formats import chosen, written
from shared.web.merge_patches import merge_patch
from shared.web.operations import API, ApiResponse, Method, Operation, Paging, Query, register
from shared.web.problems import Problem, problem
from shared.web.repeats import JSON, answered_once
from shared.web.validation import json_object, parameters, valid_id, validated
from shared.web.views import ItemPage, Tagged
from shared.wiring.app import App, app, new_id

MAX_KEY: Final = 200
POLLING: Final = "5"
"""The seconds after which a caller should look again at work that has begun (202)."""
_REQUEST_ID: Final = "[A-Za-z0-9._-]{1,64}"
MERGE_PATCH: Final = "application/merge-patch+json"
SAFE_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""The headers of every response (docs: OWASP REST Security Cheat Sheet, security headers)."""
PAGE_HEADERS: Final = {
    **SAFE_HEADERS,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""The headers of every page; each adds a content security policy of its own."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a signed-in caller. A handler can read only what its operation declares."""

    app: App
    caller: Caller
    request: func.HttpRequest
    operation: Operation
    parameters: Query
    tenant: Tenant | None = None
    begun: Execution | None = None

    @property
    def id(self) -> str:
        """The id in the route. Raises `NotFound` if it does not have the format of our ids."""
        return self.segment("id")

    def segment(self, name: str) -> str:
        """Return a part of the route.

        Raises `NotFound` if it does not have the format of our ids.
        """
        return valid_id(str(self.request.route_params[name]))

    @property
    def if_match(self) -> str | None:
        """The If-Match header, or None."""
        self._require(self.operation.conditional, "If-Match")
        value = self.request.headers.get("If-Match")
        return str(value) if value else None

    @property
    def execution(self) -> Execution:
        """The execution of a call with an effect; another may have the same Idempotency-Key."""
        if self.begun is None:
            raise Defect(f"{self.operation.name} has an effect but is declared to change nothing.")
        return self.begun

    def query[T: Query](self, model: type[T]) -> T:
        """Return the query parameters as a model."""
        if not isinstance(self.parameters, model):
            raise Defect(f"{self.operation.name} reads {model.__name__} without declaring it.")
        return self.parameters

    def input[T: BaseModel](self, model: type[T]) -> T:
        """Return the body as a model. Raises `InvalidInput` with each invalid field."""
        self._require(self.operation.body is model, model.__name__)
        if self.operation.may_be_empty and not self.request.get_body():
            return validated(model, {})
        kinds = (MERGE_PATCH, JSON) if self.operation.method == "PATCH" else (JSON,)
        return validated(model, json_object(self.request, *kinds))

    def patch[T: BaseModel](self, model: type[T]) -> Callable[[T], T]:
        """Return the body as a merge patch (`merge_patches`) to apply to the stored model."""
        self._require(self.operation.patch is model, model.__name__)
        patch = json_object(self.request, MERGE_PATCH, JSON)

        def apply(current: T) -> T:
            settable = {name: getattr(current, name) for name in model.model_fields}
            before = model.model_construct(**settable).model_dump(mode="json", by_alias=True)
            return validated(model, merge_patch(before, patch, model))

        return apply

    def _require(self, declared: bool, what: str) -> None:  # noqa: FBT001 - private
        if not declared:
            raise Defect(f"{self.operation.name} reads {what} without declaring it.")


type Handler = Callable[[Call], Awaitable[ApiResponse]]
type PublicHandler = Callable[[func.HttpRequest], Awaitable[ApiResponse]]
type Function = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]


class Takes(TypedDict, total=False):
    """The inputs and refusals of an operation: see `Operation`."""

    query: type[Query]
    body: type[BaseModel]
    patch: type[BaseModel]
    conditional: bool
    nothing: bool
    conflicts: bool
    joined: bool
    leaving: bool
    fresh: bool
    direct: bool
    may_be_empty: bool
    may_be_missing: bool


def api(
    bp: func.Blueprint,
    method: Method,
    path: str,
    roles: tuple[Role, ...],
    *,
    responses: Mapping[int, type[BaseModel] | None],
    **takes: Unpack[Takes],
) -> Callable[[Handler], Any]:
    """Turn a handler into a function for callers with one of these app roles.

    `responses` and `takes` are as in `Operation`.
    """

    def decorate(handler: Handler) -> Any:
        operation = _operation(handler, method, path, roles, responses, **takes)
        return bp.route(path, methods=[method])(signed_in(operation, handler))

    return decorate


def public(
    bp: func.Blueprint,
    path: str,
    *,
    responses: Mapping[int, type[BaseModel] | None],
    direct: bool = False,
) -> Callable[[PublicHandler], Any]:
    """Turn a handler into a function that anyone can GET, without a token."""

    def decorate(handler: PublicHandler) -> Any:
        operation = _operation(handler, "GET", path, (), responses, direct=direct)

        async def work(req: func.HttpRequest, network: str) -> ApiResponse:
            count_stranger(app(), network or network_of(req, gateway=False))
            return await handler(req)

        return bp.route(path, methods=["GET"])(_function(operation, work))

    return decorate


def signed_in(operation: Operation, handler: Handler) -> Function:
    """Return the function that calls a handler for callers with one of the operation's roles."""

    async def work(req: func.HttpRequest, network: str) -> ApiResponse:
        services = app()
        try:
            caller = await services.entra.tokens.caller(req.headers.get("Authorization"))
        except Unauthenticated:
            count_stranger(services, network)
            raise
        admitted = await admit(services, replace(caller, network=network), operation.access)
        kind = chosen(operation, str(req.headers.get("Accept", "")))
        query = parameters(operation.query, req)
        call = Call(services, admitted.caller, req, operation, query, admitted.tenant)
        if operation.idempotent:
            answer = await _once(call, handler)
        else:
            answer = await handler(call)
        if operation.method == "GET":
            # Whoever was signed out while it was read gets nothing.
            services.tenancy.sessions.require_live(admitted.caller)
        answer = _linked(services, call, answer)
        answer = replace(answer, content=answer.content or written(kind, operation, answer.body))
        return replace(answer, headers={**_budget(services, admitted.caller), **answer.headers})

    return _function(operation, work)


async def _once(call: Call, handler: Handler) -> ApiResponse:
    """Answer a call with an effect; a repeat by its Idempotency-Key gets the first answer."""
    operation = call.operation
    key = str(call.request.headers.get("Idempotency-Key", ""))
    if len(key) > MAX_KEY:
        raise InvalidInput("idempotency_key_too_long", limit=MAX_KEY)
    body = call.input(operation.body) if operation.body is not None else None
    sent = [
        operation.path.format(**call.request.route_params),
        call.parameters.model_dump_json(by_alias=True),
        body.model_dump_json(by_alias=True) if body is not None else "",
    ]
    return await answered_once(
        call.app.idempotency,
        call.caller,
        operation.name,
        key or None,
        "\n".join(sent),
        lambda execution: handler(replace(call, begun=execution)),
    )


def _operation(
    handler: Handler | PublicHandler,
    method: Method,
    path: str,
    roles: tuple[Role, ...],
    responses: Mapping[int, type[BaseModel] | None],
    **takes: Unpack[Takes],
) -> Operation:
    operation = Operation(
        name=handler.__name__,
        method=method,
        path=path,
        doc=handler.__doc__ or "",
        tag=handler.__module__.rpartition(".")[2],
        roles=roles,
        responses=responses,
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
            answer = await work(req, "" if operation.direct else await enter(req))
            _require_declared(operation, answer)
            if _unchanged(req, answer):
                answer = replace(answer, body=None, status=304, headers=_tag(answer))
        except Exception as error:  # noqa: BLE001 - the caller always gets a response
            answer = problem(error, operation.name, correlation)
        return _response(answer, correlation, str(req.headers.get("client-request-id", "")))

    # The worker inspects the signature, so only the handler's name is copied.
    function.__name__ = function.__qualname__ = operation.name
    function.__doc__ = operation.doc
    return function


def _require_declared(operation: Operation, answer: ApiResponse) -> None:
    if answer.repeated:
        return
    if answer.status in {201, 202} and not answer.at:
        raise Defect(f"{operation.name} returns {answer.status} without saying where to look.")
    kind = None if answer.body is None else type(answer.body)
    if answer.status not in operation.responses or operation.responses[answer.status] is not kind:
        raise Defect(f"{operation.name} returns {answer.status} with {kind} without declaring it.")


def _unchanged(req: func.HttpRequest, answer: ApiResponse) -> bool:
    """Return whether the caller has the version that is returned (RFC 9110, If-None-Match)."""
    if req.method != "GET" or not isinstance(answer.body, Tagged):
        return False
    known = str(req.headers.get("If-None-Match", ""))
    return answer.body.etag in (each.strip() for each in known.split(","))


def _tag(answer: ApiResponse) -> dict[str, str]:
    tag = {"ETag": answer.body.etag} if isinstance(answer.body, Tagged) else {}
    return {**answer.headers, **tag}


def _budget(services: App, caller: Caller) -> dict[str, str]:
    """Return the headers of draft-ietf-httpapi-ratelimit-headers: how many calls are left."""
    budget = services.tenancy.limiter.own_budget(caller)
    return {
        "RateLimit-Policy": f'"minute";q={budget.limit};w=60',
        "RateLimit": f'"minute";r={budget.left};t={math.ceil(budget.reset)}',
    }


def _linked(services: App, call: Call, answer: ApiResponse) -> ApiResponse:
    """Return a page with the address of the next one."""
    page = answer.body
    if not isinstance(page, ItemPage) or page.next is None:
        return answer
    name = call.parameters.cursor if isinstance(call.parameters, Paging) else "next"
    query = urlencode({**call.request.params, name: page.next})
    path = call.operation.path.format(**call.request.route_params)
    link = f"{services.settings.portal_origin}/{path}?{query}"
    headers = {**answer.headers, "Link": f'<{link}>; rel="next"'}
    return replace(answer, body=page.copy_with(next_link=link), headers=headers)


def _response(answer: ApiResponse, correlation: str, requested: str) -> func.HttpResponse:
    headers = {**SAFE_HEADERS, "X-Correlation-Id": correlation, **answer.headers}
    if re.fullmatch(_REQUEST_ID, requested):
        headers["client-request-id"] = requested
    if answer.at and answer.status in {201, 202}:
        headers["Location"] = f"/{API}{answer.at}"
    if answer.status == 202:
        headers["Retry-After"] = POLLING
    if answer.content is not None:
        return func.HttpResponse(
            answer.content.data,
            status_code=answer.status,
            headers=headers,
            mimetype=answer.content.kind,
        )
    if answer.body is None:
        return func.HttpResponse(status_code=answer.status, headers=headers)
    headers |= _tag(answer)
    return func.HttpResponse(
        answer.body.model_dump_json(by_alias=True).encode(),
        status_code=answer.status,
        headers=headers,
        mimetype="application/problem+json" if isinstance(answer.body, Problem) else JSON,
    )
