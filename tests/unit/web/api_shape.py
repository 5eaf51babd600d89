"""The shape of the API as plain lines: routes, operation ids, JSON names and types, no words.

`make openapi` writes them to `api_shape.txt`. A test compares the file with the app, so a change
that callers would notice is a change of that file, seen in its review.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import function_app  # noqa: F401 - registers every operation
from shared.web.openapi.document import document

FILE: Final = Path(__file__).with_name("api_shape.txt")
_WORDS: Final = {"description", "title", "summary", "example", "examples"}
_STRUCTURE: Final = {"properties", "items", "oneOf", "additionalProperties", "required", "$ref"}

type Json = dict[str, Any]


def rendered() -> str:
    """All lines of the file."""
    api = document()
    lines = ["problem", *_lines("", {"$ref": "#/components/schemas/Problem"}, api)]
    for path, methods in sorted(api["paths"].items()):
        for method, operation in methods.items():
            name = operation["operationId"]
            lines += ["", f"{method.upper()} {path} ({name})", *_operation(operation, api)]
    return "\n".join(lines) + "\n"


def _operation(operation: Json, api: Json) -> Iterator[str]:
    for given in operation.get("parameters", []):
        parameter = _resolved(given, api)
        needed = " required" if parameter.get("required") else ""
        yield from _lines(
            f"{parameter['in']} {parameter['name']}{needed}", parameter["schema"], api
        )
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield from _lines(f"body {kind}", content["schema"], api)
    for status, given in operation["responses"].items():
        response = _resolved(given, api)
        headers = sorted(response.get("headers", {}))
        yield f"  {status} headers: {', '.join(headers)}"
        for kind, content in response.get("content", {}).items():
            if content["schema"].get("$ref", "").endswith("/Problem"):
                yield f"  {status} {kind}: problem"
            else:
                yield from _lines(f"{status} {kind}", content["schema"], api)


def _lines(at: str, given: Json, api: Json, *, needed: bool = False) -> Iterator[str]:
    schema = _resolved(given, api)
    facts = {k: v for k, v in schema.items() if k not in _WORDS | _STRUCTURE}
    yield f"  {at}{' required' if needed else ''}: {json.dumps(facts, sort_keys=True)}"
    required = set(schema.get("required", ()))
    for name, part in sorted(schema.get("properties", {}).items()):
        yield from _lines(f"{at}.{name}", part, api, needed=name in required)
    if "items" in schema:
        yield from _lines(f"{at}[]", schema["items"], api)
    for choice in schema.get("oneOf", ()):
        yield from _lines(f"{at}|", choice, api)
    if isinstance(values := schema.get("additionalProperties"), dict):
        yield from _lines(f"{at}.*", values, api)
    elif values is not None:
        yield f"  {at}.*: {values}"


def _resolved(given: Json, api: Json) -> Json:
    while "$ref" in given:
        found: Json = api
        for part in given["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        given = {**found, **{k: v for k, v in given.items() if k != "$ref"}}
    return given


if __name__ == "__main__":
    FILE.write_text(rendered(), "utf-8")
