"""The query options of a request: known, supported there, given once, and with right names.

Docs: query-parameters, aad-advanced-queries. Outlook and the directory word their errors
differently.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from tests.local.graph.protocol import GraphError
from tests.local.graph.strict.filters import DIRECTORY, OUTLOOK, Dialect, parsed
from tests.local.graph.strict.metadata import Property, property_of
from tests.local.graph.strict.queryable import QUERYABLE
from tests.local.graph.strict.rules import Rule

_BY_MARK: Final = re.compile(
    r"\s*singleValueExtendedProperties/any\(\s*(\w+)\s*:\s*\1/id eq '((?:[^']|'')*)' "
    r"and \1/value eq '((?:[^']|'')*)'\s*\)\s*",
    re.IGNORECASE,
)
"""The only filter by an extended property (docs: singlevaluelegacyextendedproperty-get)."""
_EXPAND_MARKS: Final = re.compile(
    r"\s*singleValueExtendedProperties\(\$filter=\s*id eq '(?:[^']|'')+'"
    r"(?:\s+or\s+id eq '(?:[^']|'')+')*\s*\)\s*",
    re.IGNORECASE,
)
_EXPAND_MANAGER: Final = re.compile(r"manager(?:\(\$select=([\w,\s]+)\))?")
_BY_IDS: Final = re.compile(r"\s*id eq '[^']*'(?:\s+or\s+id eq '[^']*')*\s*", re.IGNORECASE)
_MOST_IDS: Final = 50
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_ONE_BY_ONE: Final = frozenset(
    {
        "aboutMe",
        "birthday",
        "hireDate",
        "interests",
        "mailboxSettings",
        "mySite",
        "pastProjects",
        "preferredName",
        "responsibilities",
        "schools",
        "skills",
    }
)
"""Properties of a user that a list does not return (docs: user, user-list)."""


def check(rule: Rule, query: Mapping[str, str], *, header: bool) -> None:
    """Raise a 400 if a route does not take these options.

    `header` says whether the request has `ConsistencyLevel: eventual`.
    """
    if query:
        _check(rule, tuple(query.items()), header)


@lru_cache(maxsize=1024)
def _check(rule: Rule, items: tuple[tuple[str, str], ...], header: bool) -> None:  # noqa: FBT001
    query = dict(items)
    for name in query:
        if name not in rule.options:
            raise _refused(rule, f"The query option '{name}' is not supported here.")
    if "$count" in query and query["$count"].lower() not in {"true", "false"}:
        raise _refused(rule, "Invalid value for $count.")
    for name, most in (("$top", 999 if rule.directory else 1000), ("$skip", 10**9)):
        if name in query and not _number(query[name], name, most):
            raise _page_size(rule, name, query[name])
    if "$select" in query:
        _check_select(rule, query["$select"])
    counted = query.get("$count", "").lower() == "true" or "$skiptoken" in query
    advanced = header and (counted or not rule.many)
    if "$filter" in query and "$deltatoken" in rule.options:
        check_ids(query)
    elif "$filter" in query:
        _check_filter(rule, query["$filter"], advanced=advanced)
    if "$orderby" in query:
        _check_orderby(rule, query, advanced=advanced)
    # An expanded delta fails with 500 when it is answered (microsoft-graph-docs#2270, #1993).
    if "$expand" in query and "$deltatoken" not in rule.options:
        _check_expand(rule, query["$expand"])


@lru_cache(maxsize=256)
def mark_of(text: str) -> tuple[str, str] | None:
    """Return the id and value of a filter by an extended property; None for any other filter."""
    match = _BY_MARK.fullmatch(text)
    if match is None:
        return None
    return match[2].replace("''", "'"), match[3].replace("''", "'")


def selected(text: str | None) -> tuple[str, ...]:
    """Return the names of a `$select`."""
    return tuple(name.strip() for name in text.split(",")) if text else ()


def sort_keys(text: str) -> list[tuple[str, bool]]:
    """Return the properties of an `$orderby`, and whether each is descending."""
    found = []
    for part in text.split(","):
        name, _, direction = part.strip().partition(" ")
        found.append((name, direction.strip().lower() == "desc"))
    return found


def dialect(rule: Rule) -> Dialect:
    """Return the service that answers a route."""
    return DIRECTORY if rule.directory else OUTLOOK


def _number(text: str, name: str, most: int) -> bool:
    return bool(_NUMBER.fullmatch(text)) and (0 if name == "$skip" else 1) <= int(text) <= most


def _check_select(rule: Rule, text: str) -> None:
    for name in selected(text):
        found = _property(rule, name)
        if found is None:
            raise _unknown(rule, name)
        if name in rule.relations:
            continue
        if found.navigation or (rule.many and rule.type == "user" and name in _ONE_BY_ONE):
            raise _refused(rule, f"The property '{name}' cannot be selected here.")


def _property(rule: Rule, name: str) -> Property | None:
    """Return a property; of any of the directory's types if the answer mixes them."""
    mixed = rule.type == "directoryObject"
    types = ("directoryObject", "user", "group", "orgContact") if mixed else (rule.type,)
    return next((p for type_ in types if (p := property_of(type_, name)) is not None), None)


def _check_filter(rule: Rule, text: str, *, advanced: bool) -> None:
    if not rule.directory and mark_of(text):
        return
    found = parsed(text, rule.type, dialect(rule))
    if not rule.directory:
        if any(use.operator == "endswith" for use in found.uses):
            raise _refused(rule, "The function 'endswith' is not supported.")
        if any(use.path.startswith("singleValueExtendedProperties") for use in found.uses):
            raise GraphError(400, OUTLOOK.unsupported, "The query filter is not supported.")
        return
    resource = f"{rule.type[:1].upper()}{rule.type[1:]}"
    supported = [QUERYABLE[rule.type].supports(use, advanced=advanced) for use in found.uses]
    for use, possible in zip(found.uses, supported, strict=True):
        if possible is None:
            raise GraphError(
                400,
                DIRECTORY.unsupported,
                "Unsupported or invalid query filter clause specified for property "
                f"'{use.path}' of resource '{resource}'.",
            )
        if not possible:
            raise needs_advanced(use.operator)
    if found.negated and not advanced:
        raise needs_advanced("not")


def _check_orderby(rule: Rule, query: Mapping[str, str], *, advanced: bool) -> None:
    for part in query["$orderby"].split(","):
        name, *direction = part.split() or [""]
        if len(direction) > 1 or direction not in ([], ["asc"], ["desc"]):
            raise _refused(rule, "Syntax error in $orderby.")
        found = property_of(rule.type, name)
        if found is None:
            raise _unknown(rule, name)
        if found.collection or found.navigation or not found.is_primitive:
            raise _refused(rule, f"The property '{name}' cannot be sorted.")
        if rule.directory and not QUERYABLE[rule.type].sorts(name, advanced=advanced):
            raise GraphError(400, DIRECTORY.unsupported, f"Sorting by '{name}' is not supported.")
        if not rule.directory and "$filter" in query and name not in query["$filter"]:
            # Documented for messages (docs: user-list-messages); assumed for contacts.
            raise GraphError(
                400,
                "InefficientFilter",
                "The restriction or sort order is too complex for this operation.",
            )
    if rule.directory and "$filter" in query and not advanced:
        raise GraphError(
            400, DIRECTORY.unsupported, "Sorting not supported for current query with $filter."
        )


def _check_expand(rule: Rule, text: str) -> None:
    if rule.directory:
        match = _EXPAND_MANAGER.fullmatch(text.strip())
        if match is None or rule.type not in {"user", "orgContact"}:
            raise GraphError(400, "BadRequest", f"Could not expand '{text}'.")
        for name in selected(match[1]):
            if property_of("user", name) is None:
                raise _unknown(rule, name)
    elif not _EXPAND_MARKS.fullmatch(text):
        raise _refused(rule, "The expand clause is not supported.")


def check_ids(query: Mapping[str, str]) -> frozenset[str] | None:
    """Return the ids that a delta query is limited to; None if it is not (docs: user-delta).

    Raises a 400 for any other filter.
    """
    text = query.get("$filter")
    if text is None:
        return None
    ids = re.findall(r"'([^']*)'", text)
    if not _BY_IDS.fullmatch(text) or len(ids) > _MOST_IDS:
        raise GraphError(
            400, "Request_UnsupportedQuery", "A delta query can only be filtered by ids."
        )
    return frozenset(ids)


def needs_advanced(word: str) -> GraphError:
    """Return the error for what only advanced queries can do."""
    return GraphError(
        400,
        DIRECTORY.unsupported,
        f"Operator '{word}' is not supported because the required parameters might be missing. "
        "Try adding $count=true query parameter and ConsistencyLevel:eventual header.",
    )


def _unknown(rule: Rule, name: str) -> GraphError:
    message = f"Could not find a property named '{name}' on type 'microsoft.graph.{rule.type}'."
    return GraphError(400, dialect(rule).malformed, message)


def _refused(rule: Rule, message: str) -> GraphError:
    return GraphError(400, "BadRequest" if rule.directory else "ErrorInvalidUrlQuery", message)


def _page_size(rule: Rule, name: str, text: str) -> GraphError:
    if rule.directory and name == "$top":
        message = f"Invalid page size specified: '{text}'. Must be between 1 and 999 inclusive."
        return GraphError(400, DIRECTORY.unsupported, message)
    return _refused(rule, f"The value of '{name}' is not valid.")
