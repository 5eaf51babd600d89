"""The changes of the API that break programs, between the shape of a release and today's.

`released_shape.txt` is `api_shape.txt` as it was released. Within a version of the API, responses
may get properties and values, and requests may get what is optional. All else breaks somebody:
something that is gone, another type, null where there was none, or something new that is required.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

RELEASED: Final = Path(__file__).with_name("released_shape.txt")
_KNOWN: Final = "x-extensible-enum"
_UPPER: Final = ("maximum", "maxLength", "maxItems")
_LOWER: Final = ("minimum", "minLength", "minItems")
_OPERATION: Final = re.compile(r"(?:[A-Z]+ /\S+) \((\w+)\)")
_PART: Final = re.compile(r"  (.*?)( required)?: (\{.*\}|True|False)")

type Parts = dict[tuple[str, str], tuple[bool, Any]]


def breaking(released: str, present: str) -> list[str]:
    """Return each breaking change as `operation: what`."""
    old, new = _parts(released), _parts(present)
    return sorted({f"{at[0]}: {what}" for at, what in _changes(old, new)})


def _changes(old: Parts, new: Parts) -> Iterator[tuple[tuple[str, str], str]]:
    operations = {operation for operation, _ in new}
    for at, (needed, facts) in old.items():
        operation, part = at
        if operation not in operations:
            yield at, "is gone"
        elif at not in new:
            yield at, f"`{part}` is gone"
        else:
            now_needed, now = new[at]
            if _is_sent(part) and now_needed and not needed:
                yield at, f"`{part}` is required now"
            if not _is_sent(part) and needed and not now_needed:
                yield at, f"`{part}` may be absent now"
            for fact in _broken(facts, now, sent=_is_sent(part)):
                yield at, f"`{part}` has another {fact}"
    known = {operation for operation, _ in old}
    for at, (needed, _) in new.items():
        if at not in old and at[0] in known and needed and _is_sent(at[1]):
            parent = at[1].rpartition(".")[0]
            if not parent or (at[0], parent) in old:
                yield at, f"`{at[1]}` is required now"


def _broken(old: Any, new: Any, *, sent: bool) -> Iterator[str]:
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return
    before, after = _kinds(old), _kinds(new)
    if before != after and not (before < after if sent else after < before):
        yield "type"
    if old.get("format") != new.get("format"):
        yield "format"
    if not set(old.get(_KNOWN, ())) <= set(new.get(_KNOWN, ())):
        yield "set of values"
    if sent:
        yield from (f for f in _UPPER if new.get(f, 1e300) < old.get(f, 1e300))
        yield from (f for f in _LOWER if new.get(f, -1e300) > old.get(f, -1e300))


def _kinds(facts: Mapping[str, Any]) -> frozenset[str]:
    kinds = facts.get("type", ())
    return frozenset([kinds] if isinstance(kinds, str) else kinds)


def _is_sent(part: str) -> bool:
    return part.startswith(("body ", "query ", "header ", "path "))


def _parts(shape: str) -> Parts:
    """Return whether each part of each operation is required, and its facts."""
    operation = "problem"
    parts: Parts = {}
    for line in shape.splitlines():
        if found := _OPERATION.fullmatch(line):
            operation = found[1]
        elif (found := _PART.fullmatch(line)) and found[3].startswith("{"):
            parts[operation, found[1]] = (bool(found[2]), json.loads(found[3]))
    return parts
