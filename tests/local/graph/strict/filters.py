"""`$filter`: parses an expression against the types of Graph and returns what it means.

Texts compare without case, as Entra ID and Exchange do (docs: filter-query-parameter). Which
properties may be filtered, and how, is a matter of `queries`.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple

from tests.local.graph.protocol import GraphError
from tests.local.graph.strict.metadata import (
    ENUMS,
    Property,
    is_date,
    is_moment,
    property_of,
)

type Object = Mapping[str, Any]
type Predicate = Callable[[Object], bool]

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')"
    r"|(?P<moment>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?)"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<punct>[(),:])"
    r"|(?P<word>[A-Za-z_$][\w./$]*))"
)
_DEEPEST: Final = 50
FUNCTIONS: Final = ("startswith", "endswith", "contains")
COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_LITERALS: Final = {
    "text": {"Edm.String", "Edm.Guid"},
    "guid": {"Edm.Guid"},
    "number": {"Edm.Int32", "Edm.Double"},
    "boolean": {"Edm.Boolean"},
    "moment": {"Edm.DateTimeOffset", "Edm.Date"},
}


class Dialect(NamedTuple):
    """The service that answers: its error codes, and the most values of `in`."""

    malformed: str
    unsupported: str
    most_values: int


DIRECTORY: Final = Dialect("BadRequest", "Request_UnsupportedQuery", 15)
OUTLOOK: Final = Dialect("RequestBroker--ParseUri", "ErrorInvalidUrlQueryFilter", 0)


class Use(NamedTuple):
    """A use of a property in a filter: its path, the operator, and whether it is null."""

    path: str
    operator: str
    null: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter: what it holds of an object, and the properties it uses.

    `negated` says whether it has a `not`, `values` is the longest list of an `in`.
    """

    holds: Predicate
    uses: tuple[Use, ...]
    negated: bool
    values: int


@lru_cache(maxsize=512)
def parsed(text: str, type_: str, dialect: Dialect) -> Filter:
    """Parse a filter on objects of a type. Raises a 400 as the service words it."""
    parser = _Parser(text, type_, dialect)
    holds = parser.parse()
    return Filter(holds, tuple(parser.uses), parser.negated, parser.values)


def value_of(item: Any, path: str) -> Any:
    """Return the value at a path of an object; None if a part is missing."""
    for name in path.split("/"):
        item = item.get(name) if isinstance(item, Mapping) else None
    return item


@dataclass(frozen=True, slots=True)
class _Scope:
    """What names mean: properties of a type, or within `any` of the variable's values."""

    type: str
    variable: str = ""
    path: str = ""
    item: Property | None = None


@dataclass(slots=True)
class _Parser:
    text: str
    type: str
    dialect: Dialect
    uses: list[Use] = field(default_factory=list)
    negated: bool = False
    values: int = 0
    _tokens: list[tuple[str, str]] = field(default_factory=list)
    _at: int = 0
    _depth: int = 0

    def parse(self) -> Predicate:
        position, end = 0, len(self.text.rstrip())
        while position < end:
            match = _TOKEN.match(self.text, position)
            if match is None:
                raise self._malformed()
            self._tokens.append((str(match.lastgroup), match.group(str(match.lastgroup))))
            position = match.end()
        found = self._or(_Scope(self.type))
        if self._at != len(self._tokens):
            raise self._malformed()
        return found

    def _malformed(self, message: str = "") -> GraphError:
        return GraphError(
            400, self.dialect.malformed, message or f"Invalid filter clause: '{self.text}'."
        )

    def _unsupported(self, message: str) -> GraphError:
        return GraphError(400, self.dialect.unsupported, message)

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise self._malformed()
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, text: str) -> None:
        if self._next() != ("punct", text):
            raise self._malformed()

    def _word(self) -> str:
        kind, text = self._next()
        if kind != "word":
            raise self._malformed()
        return text

    def _or(self, scope: _Scope) -> Predicate:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._malformed("The filter is nested too deeply.")
        parts = [self._and(scope)]
        while self._peek()[1].lower() == "or":
            self._next()
            parts.append(self._and(scope))
        self._depth -= 1
        return parts[0] if len(parts) == 1 else lambda o: any(part(o) for part in parts)

    def _and(self, scope: _Scope) -> Predicate:
        parts = [self._not(scope)]
        while self._peek()[1].lower() == "and":
            self._next()
            parts.append(self._not(scope))
        return parts[0] if len(parts) == 1 else lambda o: all(part(o) for part in parts)

    def _not(self, scope: _Scope) -> Predicate:
        negated = False
        while self._peek()[0] == "word" and self._peek()[1].lower() == "not":
            self._next()
            self.negated, negated = True, not negated
        if self._peek() == ("punct", "("):
            self._take("(")
            inner = self._or(scope)
            self._take(")")
        else:
            inner = self._one(scope)
        return (lambda o: not inner(o)) if negated else inner

    def _one(self, scope: _Scope) -> Predicate:
        name = self._word()
        if self._peek() == ("punct", "("):
            return self._called(name, scope)
        found, path = self._property(name, scope)
        if found.collection:
            raise self._unsupported(f"The collection '{name}' needs the operator 'any'.")
        if found.navigation:
            raise self._unsupported(f"The simulator cannot compare '{name}'.")
        word = self._word().lower()
        if word == "in":
            return self._in(found, path, scope)
        compare = COMPARISONS.get(word)
        if compare is None:
            raise self._malformed()
        wanted = self._value(found)
        self._use(path, word, scope, null=wanted is None)
        if wanted is None:
            if word not in {"eq", "ne"}:
                raise self._malformed()
            return lambda o: compare(value_of(o, path), None)
        if word in {"eq", "ne"}:
            return lambda o: compare(_folded(value_of(o, path)), wanted)
        return lambda o: _compared(compare, _folded(value_of(o, path)), wanted)

    def _called(self, name: str, scope: _Scope) -> Predicate:
        if name.lower() in FUNCTIONS:
            return self._function(name.lower(), scope)
        path, slash, lambda_ = name.rpartition("/")
        if not slash or lambda_.lower() != "any" or scope.variable:
            raise self._unsupported(f"The function '{name}' is not supported.")
        found = property_of(scope.type, path)
        if found is None:
            raise self._unknown(path, scope.type)
        if not found.collection:
            raise self._malformed()
        self._take("(")
        variable = self._word()
        self._take(":")
        inner = self._or(_Scope(found.type, variable, path, found))
        self._take(")")

        def holds(item: Object) -> bool:
            return any(inner({variable: each}) for each in value_of(item, path) or ())

        return holds

    def _function(self, name: str, scope: _Scope) -> Predicate:
        self._take("(")
        found, path = self._property(self._word(), scope)
        self._take(",")
        kind, text = self._next()
        if found.type != "Edm.String" or found.collection or kind != "text":
            raise self._malformed()
        wanted = _unquoted(text).casefold()
        self._take(")")
        self._use(path, name, scope)

        def holds(item: Object) -> bool:
            value = value_of(item, path)
            folded = value.casefold() if isinstance(value, str) else ""
            if name == "contains":
                return wanted in folded
            return folded.startswith(wanted) if name == "startswith" else folded.endswith(wanted)

        return holds

    def _in(self, found: Property, path: str, scope: _Scope) -> Predicate:
        if not self.dialect.most_values:
            raise self._unsupported("The operator 'in' is not supported.")
        self._take("(")
        wanted = {self._value(found)}
        many = 1
        while self._peek() == ("punct", ","):
            self._take(",")
            wanted.add(self._value(found))
            many += 1
        self._take(")")
        if many > self.dialect.most_values:
            raise self._unsupported(
                f"Too many child clauses specified in search filter expression containing 'OR' "
                f"operators: {many}. Max allowed: {self.dialect.most_values}."
            )
        self.values = max(self.values, many)
        self._use(path, "in", scope, null=None in wanted)
        return lambda o: _folded(value_of(o, path)) in wanted

    def _property(self, name: str, scope: _Scope) -> tuple[Property, str]:
        """Return a property and its path in what the predicate is given."""
        if scope.item is not None:
            first, _, rest = name.partition("/")
            if first != scope.variable:
                raise self._malformed(f"Could not find the variable '{first}'.")
            if not rest:
                return Property(name, scope.item.type, collection=False, navigation=False), name
            found = property_of(scope.type, rest)
        else:
            found = property_of(scope.type, name)
        if found is None:
            raise self._unknown(name, scope.type)
        return found, name

    def _use(self, path: str, word: str, scope: _Scope, *, null: bool = False) -> None:
        inner = path.partition("/")[2]
        whole = "/".join(p for p in (scope.path, inner) if p) if scope.variable else path
        self.uses.append(Use(whole, word, null))

    def _unknown(self, name: str, type_: str) -> GraphError:
        if name.endswith("$count"):
            return self._unsupported("The simulator does not support '$count' in a filter.")
        return self._malformed(
            f"Could not find a property named '{name}' on type 'microsoft.graph.{type_}'."
        )

    def _value(self, found: Property) -> Any:
        kind, text = self._next()
        if kind == "word":
            named: dict[str, Any] = {"true": True, "false": False, "null": None}
            if text not in named:
                raise self._malformed()
            if named[text] is None:
                return None
            kind = "boolean"
        enum = kind == "text" and found.type in ENUMS
        if not enum and found.type not in _LITERALS.get(kind, set()):
            raise self._malformed(
                f"A binary operator with incompatible types was detected: '{found.name}' has the "
                f"type '{found.type}'."
            )
        match kind:
            case "text":
                return _unquoted(text).casefold()
            case "number":
                return float(text) if "." in text else int(text)
            case "boolean":
                return text == "true"
            case "moment" if not (is_date(text) or is_moment(text)):
                raise self._malformed()
        return text.casefold()


def _compared(compare: Callable[[Any, Any], bool], value: Any, wanted: Any) -> bool:
    comparable = isinstance(value, str) == isinstance(wanted, str) and value is not None
    return comparable and compare(value, wanted)


def _folded(value: Any) -> Any:
    if isinstance(value, str):
        return value.casefold()
    return value if isinstance(value, int | float) else None


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")
