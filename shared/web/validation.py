"""Values from outside, checked: strict JSON, and models that name each bad field.

What a body or a form may hold is said by the models themselves.
"""

import json
import re
from math import isfinite
from typing import Any, Final, NoReturn

import azure.functions as func
import orjson
from pydantic import BaseModel, ValidationError

from shared.domain.errors import FieldError, InvalidInput, PayloadTooLarge

MAX_BODY: Final = 256 * 1024
ID_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_MAX_DEPTH: Final = 32
_EXACT: Final = 2**53


def is_id(value: str) -> bool:
    """Whether an id of ours may look like this."""
    return re.fullmatch(ID_PATTERN, value) is not None


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
