"""Checks a request before it is answered: method, options, body and preconditions."""

import re
from collections.abc import Iterable

from tests.local.graph.protocol import GraphError, Request
from tests.local.graph.routes import Route
from tests.local.graph.strict import bodies, queries
from tests.local.graph.strict.rules import Rule, rule_of

_CHANGES = frozenset({"PATCH", "PUT", "DELETE"})


def check(route: Route, values: dict[str, str], request: Request) -> Rule:
    """Return the rule of a request's route. Raises `GraphError` if the request breaks it."""
    rule = rule_of(route.counted(values))
    if rule is None:
        raise GraphError(400, "BadRequest", f"The simulator has no rule for '{route.template}'.")
    queries.check(rule, request.query, header=request.advanced)
    bodies.check(rule, request.method, request.headers.get("content-type", ""), request.body)
    return rule


def unmatched(request: Request, routes: Iterable[Route]) -> GraphError:
    """Return the error for a request without a route: 405 if another method has one."""
    if any(route.pattern.fullmatch(request.path) for route in routes):
        return GraphError(
            405,
            "Request_BadRequest",
            "Specified HTTP method is not allowed for the request target.",
        )
    segment = request.path.rpartition("/")[2]
    return GraphError(400, "BadRequest", f"Resource not found for the segment '{segment}'.")


def check_change_key(request: Request, change_key: str) -> None:
    """Raise a 412 if `If-Match` names another version of a contact."""
    wanted = request.headers.get("if-match", "*").strip()
    keys = re.findall(r'"([^"]*)"', wanted)
    if request.method in _CHANGES and wanted != "*" and change_key not in keys:
        raise GraphError(
            412,
            "ErrorIrresolvableConflict",
            "The send or update operation could not be performed because the change key passed "
            "in the request does not match the current change key for the item.",
        )
