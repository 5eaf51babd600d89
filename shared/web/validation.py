"""Validates input: strict JSON, and models that report each invalid field.

The models define what a body or a form may contain.
"""

import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, NoReturn, cast

import azure.functions as func
import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.domain.error_codes import CODES, Code
from shared.domain.errors import (
    FieldError,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    WrongMediaType,
)

MAX_BODY: Final = 256 * 1024
ID_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_MAX_DEPTH: Final = 32
_MAX_VALUES: Final = 20_000
_MAX_NAMES: Final = 500
"""No object of the API has as many fields, nor any body as many values."""
_MAX_PARAMETERS: Final = 100
_EXACT: Final = 2**53
_CHOICE: Final = re.compile(r"'([^']*)'")
_PYDANTIC: Final[Mapping[str, tuple[Code, str]]] = {
    "missing": ("missing", ""),
    "extra_forbidden": ("unexpected", ""),
    "int_type": ("not_integer", ""),
    "int_parsing": ("not_integer", ""),
    "int_parsing_size": ("not_integer", ""),
    "int_from_float": ("not_integer", ""),
    "float_type": ("not_number", ""),
    "float_parsing": ("not_number", ""),
    "finite_number": ("not_number", ""),
    "string_type": ("not_text", ""),
    "bool_type": ("not_boolean", ""),
    "bool_parsing": ("not_boolean", ""),
    "list_type": ("not_list", ""),
    "dict_type": ("not_object", ""),
    "model_type": ("not_object", ""),
    "model_attributes_type": ("not_object", ""),
    "greater_than_equal": ("below_minimum", "ge"),
    "less_than_equal": ("above_maximum", "le"),
    "string_too_short": ("text_too_short", "min_length"),
    "string_too_long": ("text_too_long", "max_length"),
    "string_pattern_mismatch": ("pattern_mismatch", ""),
    "too_short": ("too_few_items", "min_length"),
    "too_long": ("too_many_items", "max_length"),
    "literal_error": ("not_a_choice", ""),
    "enum": ("not_a_choice", ""),
    "datetime_type": ("not_a_moment", ""),
    "datetime_parsing": ("not_a_moment", ""),
    "datetime_from_date_parsing": ("not_a_moment", ""),
    "timezone_aware": ("not_a_moment", ""),
    "date_type": ("not_a_day", ""),
    "date_parsing": ("not_a_day", ""),
    "date_from_datetime_parsing": ("not_a_day", ""),
}
"""Our code for each error type of pydantic, and which of its values the text needs.

Docs: pydantic, errors/validation_errors.
"""


def is_id(value: str) -> bool:
    """Return whether a text has the format of our ids."""
    return re.fullmatch(ID_PATTERN, value) is not None


def valid_id(value: str) -> str:
    """Return an id. Raises `NotFound` if it does not have the format of our ids."""
    if not is_id(value):
        raise NotFound("unknown_id")
    return value


def validated[T: BaseModel](model: type[T], value: object, refusal: Code = "input_invalid") -> T:
    """Validate JSON against a model. Raises `InvalidInput` with the path of each invalid field."""
    try:
        return model.model_validate_json(orjson.dumps(value))
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise InvalidInput("body_not_carriable") from error
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        raise InvalidInput.of(*map(_field_error, errors), code=refusal) from error


def parameters[T: BaseModel](model: type[T], req: func.HttpRequest) -> T:
    """Validate the query parameters against a model. Raises `InvalidInput`."""
    if len(req.params) > _MAX_PARAMETERS:
        raise InvalidInput("query_too_long", limit=_MAX_PARAMETERS)
    return validated(model, dict(req.params), "query_invalid")


def json_object(req: func.HttpRequest, *content_types: str) -> dict[str, Any]:
    """Return the body as a JSON object.

    Raises `PayloadTooLarge` above `MAX_BODY` or for too many values, which is checked before they
    are read, `WrongMediaType`, and `InvalidInput` if it is not a JSON object.
    """
    raw = req.get_body()
    if len(raw) > MAX_BODY:
        raise PayloadTooLarge("body_too_large", limit=MAX_BODY // 1024)
    if req.headers.get("Content-Type", "").split(";")[0].strip().lower() not in content_types:
        raise WrongMediaType("content_type_wrong", types=content_types)
    if raw.count(b",") > _MAX_VALUES:
        raise PayloadTooLarge("body_too_complex", limit=_MAX_VALUES)
    try:
        body = json.loads(
            raw,
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_number,
            parse_float=_float,
        )
    except RecursionError as error:
        raise InvalidInput("body_too_deep") from error
    except json.JSONDecodeError as error:
        raise InvalidInput("body_not_json", line=error.lineno, column=error.colno) from error
    except ValueError as error:
        raise InvalidInput("body_unreadable") from error
    if not isinstance(body, dict):
        raise InvalidInput("body_not_object")
    if _depth(body) > _MAX_DEPTH:
        raise InvalidInput("body_too_deep")
    return body


def _field_error(found: ErrorDetails) -> FieldError:
    """Convert an error of pydantic to ours."""
    field = ".".join(map(str, found["loc"])) or "body"
    kind, context = found["type"], found.get("ctx", {})
    if kind in CODES:  # raised by one of our validators (`wrong`)
        return FieldError(field, cast("Code", kind), context)
    if kind == "string_too_short" and context["min_length"] == 1:
        return FieldError(field, "text_empty")
    code, value = _PYDANTIC.get(kind, ("invalid", ""))
    if code == "not_a_choice":
        return FieldError(field, code, {"choices": tuple(_CHOICE.findall(context["expected"]))})
    return FieldError(field, code, {"limit": context[value]} if value else {})


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; reject one that contains a field twice, because it is ambiguous."""
    if len(pairs) > _MAX_NAMES:
        raise PayloadTooLarge("body_too_complex", limit=_MAX_NAMES)
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            # Half a surrogate pair is valid in JSON text, but cannot be sent back.
            shown_name = name[:100].encode(errors="replace").decode()
            raise InvalidInput.of(FieldError(shown_name, "repeated"))
        found[name] = value
    return found


def _refuse_number(text: str) -> NoReturn:
    """Reject NaN and Infinity, which Python accepts although JSON has no such numbers."""
    raise InvalidInput("body_number_invalid", number=text[:100])


def _float(text: str) -> float | int:
    """Return a number with a fraction or exponent; 8.0 is the integer 8, as in JSON Schema."""
    number = float(text)
    if not isfinite(number):
        _refuse_number(text)
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
