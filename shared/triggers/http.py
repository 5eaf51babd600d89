"""How HTTP meets the app: sign-in, bodies, pages, and the one mapping of errors to problem+json.

`api` turns a handler into a native function: it validates the access token, checks the role,
loads the tenant, calls the handler, and answers RFC 9457 problems for every error of the tree.
"""

import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import azure.functions as func
import orjson
from pydantic import BaseModel, ValidationError

from shared.adapters.identity import Caller
from shared.adapters.records import Listing, Stored
from shared.domain.errors import (
    CallerError,
    FieldError,
    Forbidden,
    InvalidInput,
    NeedsAdmin,
    NotFound,
    PassingError,
    PayloadTooLarge,
    Unauthenticated,
)
from shared.domain.models import Omission
from shared.services.changes import merge_patch
from shared.wiring import App, app, new_id

MAX_BODY: Final = 256 * 1024
MAX_PAGE: Final = 100
DEFAULT_PAGE: Final = 50
PAGED: Final = ("top", "next")
_MAX_DEPTH: Final = 32
_MAX_KEY: Final = 200
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_log = logging.getLogger(__name__)


class Role(StrEnum):
    """An app role of our registration in Entra ID."""

    ADMIN = "Admin"
    READER = "Reader"


WRITERS: Final = (Role.ADMIN,)
READERS: Final = (Role.ADMIN, Role.READER)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler answers: a JSON body (None: no body), a status and headers."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a signed-in caller."""

    app: App
    caller: Caller
    request: func.HttpRequest

    @property
    def id(self) -> str:
        """The id in the route; `NotFound` if no id of ours looks like it."""
        id_ = str(self.request.route_params["id"])
        if not _ID.fullmatch(id_):
            raise NotFound("There is nothing of this id in your tenant.")
        return id_

    @property
    def if_match(self) -> str | None:
        """The If-Match header, if there is one."""
        value = self.request.headers.get("If-Match")
        return str(value) if value else None

    @property
    def idempotency_key(self) -> str | None:
        """The Idempotency-Key header, if there is one."""
        key = self.request.headers.get("Idempotency-Key")
        if key and len(key) > _MAX_KEY:
            raise InvalidInput(f"An Idempotency-Key has at most {_MAX_KEY} characters.")
        return str(key) if key else None

    def parameter(self, name: str) -> str | None:
        """A query parameter, if it is given."""
        value = self.request.params.get(name)
        return str(value) if value else None

    def paging(self) -> tuple[int, str | None]:
        """The page size and token of a list call."""
        text = self.parameter("top") or str(DEFAULT_PAGE)
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_PAGE):
            error = FieldError("top", f"must be a number from 1 to {MAX_PAGE}")
            raise InvalidInput("The query is not valid.", (error,))
        return int(text), self.parameter("next")

    def choice[E: StrEnum](self, kind: type[E], name: str) -> E | None:
        """A query parameter that names a value of an enumeration."""
        value = self.parameter(name)
        if value is None:
            return None
        try:
            return kind(value)
        except ValueError as error:
            choices = ", ".join(kind)
            raise InvalidInput(
                "The query is not valid.", (FieldError(name, f"must be one of {choices}"),)
            ) from error

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; `InvalidInput` or `PayloadTooLarge` if it is none."""
        raw = self.request.get_body()
        if len(raw) > MAX_BODY:
            raise PayloadTooLarge(f"A body may have at most {MAX_BODY // 1024} KiB.")
        content_type = self.request.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if content_type not in {"application/json", "application/merge-patch+json"}:
            raise InvalidInput("Send JSON, with Content-Type: application/json.")
        try:
            body = json.loads(raw, object_pairs_hook=_without_doubles, parse_constant=_no_number)
        except RecursionError as error:
            raise InvalidInput("The body is nested too deeply.") from error
        except ValueError as error:
            raise InvalidInput(f"The body is not valid JSON: {error}.") from error
        if not isinstance(body, dict):
            raise InvalidInput("The body must be a JSON object.")
        if _depth(body) > _MAX_DEPTH:
            raise InvalidInput("The body is nested too deeply.")
        return body

    def input[T: BaseModel](self, model: type[T]) -> T:
        """The body as a model; `InvalidInput` names each bad field."""
        return validated(model, self.json())

    def patch[T: BaseModel](self, model: type[T]) -> Callable[[T], T]:
        """The body as a merge patch (RFC 7396), to be applied to what is stored."""
        patch = self.json()

        def apply(current: T) -> T:
            settable = {name: getattr(current, name) for name in model.model_fields}
            before = model.model_construct(**settable).model_dump(mode="json", by_alias=True)
            return validated(model, merge_patch(before, patch))

        return apply


type Handler = Callable[[Call], Awaitable[Answer]]
type Function = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]


def api(roles: tuple[Role, ...], *query: str) -> Callable[[Handler], Function]:
    """Make a handler a function for callers with one of these app roles.

    `query` names the query parameters it takes; any other is refused.
    """

    def decorate(handler: Handler) -> Function:
        async def function(req: func.HttpRequest) -> func.HttpResponse:
            correlation = new_id()
            try:
                answer = await _signed_in(req, roles, query, handler)
            except CallerError as error:
                _log.info("%s %s: %s", handler.__name__, correlation, error.kind)
                answer = _problem(error, correlation)
            except NeedsAdmin as error:
                _log.info("%s %s: %s", handler.__name__, correlation, error.reason)
                answer = _needs_admin(error, correlation)
            except PassingError as error:
                _log.warning("%s %s: %s", handler.__name__, correlation, error.detail)
                answer = _unavailable(error, correlation)
            except Exception:  # noqa: BLE001 - the caller gets an answer whatever happens
                _log.exception("%s %s failed", handler.__name__, correlation)
                answer = _failed(correlation)
            return _response(answer, correlation)

        # The worker looks at the signature, so the handler's name is all that is taken over.
        function.__name__ = function.__qualname__ = handler.__name__
        function.__doc__ = handler.__doc__
        return function

    return decorate


async def _signed_in(
    req: func.HttpRequest, roles: tuple[Role, ...], query: tuple[str, ...], handler: Handler
) -> Answer:
    services = app()
    caller = await services.tokens.caller(req.headers.get("Authorization"))
    if not caller.roles & set(roles):
        raise Forbidden(f"This needs one of the app roles {', '.join(roles)}.")
    await services.tenants.known(caller)
    if unknown := sorted(set(req.params) - set(query)):
        errors = tuple(FieldError(name[:100], "no such query parameter") for name in unknown)
        raise InvalidInput("The query is not valid.", errors[:100])
    return await handler(Call(services, caller, req))


def omission(left_out: Omission) -> dict[str, Any]:
    """Somebody left out of a share, with what to do about it."""
    return {"id": left_out.id, "reason": left_out.reason, "remedy": left_out.reason.remedy}


def shown(stored: Stored[Any], **more: Any) -> dict[str, Any]:
    """An object as the API shows it: its fields, its ETag, and what else is known of it."""
    hidden = {"removing", "fingerprint"} & set(type(stored.value).model_fields)
    body = stored.value.model_dump(mode="json", by_alias=True, exclude=hidden)
    return {**body, "etag": stored.etag, **more}


def one(stored: Stored[Any], status: int = 200, **more: Any) -> Answer:
    """Answer one object, with its ETag as a header too."""
    return Answer(shown(stored, **more), status, {"ETag": stored.etag})


def page(listing: Listing[Any], show: Callable[[Stored[Any]], Any] = shown) -> Answer:
    """Answer one page of a list."""
    return Answer({"items": [show(item) for item in listing.items], "next": listing.token})


def validated[T: BaseModel](model: type[T], body: object) -> T:
    """Check a body against a model; `InvalidInput` names each bad field by its JSON path."""
    try:
        return model.model_validate_json(orjson.dumps(body))
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
        raise InvalidInput(f"The input is not valid: {names}.", errors[:100]) from error


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


def _no_number(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads although JSON has no such numbers."""
    message = f"{name} is no JSON number"
    raise ValueError(message)


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


def _problem(error: CallerError, correlation: str) -> Answer:
    body: dict[str, Any] = {
        "type": f"urn:contact-sync:problem:{error.kind}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": f"urn:uuid:{correlation}",
    }
    if error.errors:
        body["errors"] = [{"field": e.field, "message": e.message} for e in error.errors]
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthenticated) else {}
    return Answer(body, error.status, headers)


def _needs_admin(error: NeedsAdmin, correlation: str) -> Answer:
    body = {
        "type": "urn:contact-sync:problem:needs-admin",
        "title": "An admin has to act first",
        "status": 409,
        "detail": error.reason.remedy,
        "reason": error.reason,
        "instance": f"urn:uuid:{correlation}",
    }
    return Answer(body, 409)


def _unavailable(error: PassingError, correlation: str) -> Answer:
    body = {
        "type": "urn:contact-sync:problem:unavailable",
        "title": "Not available for the moment",
        "status": 503,
        "detail": f"{error.detail} Try again later.",
        "instance": f"urn:uuid:{correlation}",
    }
    return Answer(body, 503, {"Retry-After": str(max(1, round(error.retry_after)))})


def _failed(correlation: str) -> Answer:
    body = {
        "type": "urn:contact-sync:problem:internal-error",
        "title": "Something went wrong on our side",
        "status": 500,
        "detail": "It was recorded. Give the correlation id in `instance` to the support.",
        "instance": f"urn:uuid:{correlation}",
    }
    return Answer(body, 500)


def _response(answer: Answer, correlation: str) -> func.HttpResponse:
    problem = answer.status >= 400
    headers = {**HEADERS, "X-Correlation-Id": correlation, **answer.headers}
    if answer.body is None:
        return func.HttpResponse(status_code=answer.status, headers=headers)
    return func.HttpResponse(
        orjson.dumps(answer.body, option=orjson.OPT_UTC_Z),
        status_code=answer.status,
        headers=headers,
        mimetype="application/problem+json" if problem else "application/json",
    )
