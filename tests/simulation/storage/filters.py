"""OData filters of Table Storage: comparisons joined by and, or, not and parentheses."""

import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

type Row = Mapping[str, Any]
type Test = Callable[[Row, Mapping[str, Any]], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<parameter>@\w+)|(?P<time>datetime'[^']*')|(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+(?:\.\d+)?)L?|(?P<word>\w+)|(?P<bracket>[()]))"
)
_COMPARISONS = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


class Filter:
    """A filter that was read once; `test` says whether it holds for a row with these parameters.

    `bounds` are the comparisons of keys that hold in every row found: property, operator, value.
    """

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._place = 0
        self.bounds: list[tuple[str, str, Any]] = []
        self._top = True
        self.test: Test = self._either() if self._tokens else _always
        if self._place != len(self._tokens):
            raise ValueError(f"not a filter: {text}")

    def _either(self) -> Test:
        found = [self._both()]
        while self._next_is("or"):
            self.bounds = []
            self._top = False
            found.append(self._both())
        if len(found) == 1:
            return found[0]
        return lambda row, given: any(test(row, given) for test in found)

    def _both(self) -> Test:
        found = [self._one()]
        while self._next_is("and"):
            found.append(self._one())
        if len(found) == 1:
            return found[0]
        return lambda row, given: all(test(row, given) for test in found)

    def _one(self) -> Test:
        if self._next_is("not"):
            self._top, before = False, self._top
            inner = self._one()
            self._top = before
            return lambda row, given: not inner(row, given)
        if self._next_is("("):
            self._top, before = False, self._top
            inner = self._either()
            self._top = before
            if not self._next_is(")"):
                raise ValueError("a bracket is not closed")
            return inner
        return self._comparison()

    def _comparison(self) -> Test:
        (_, name), (_, word), (kind, text) = self._tokens[self._place : self._place + 3]
        self._place += 3
        compare, value = _COMPARISONS[word], _value(kind, text)
        if self._top and name in {"PartitionKey", "RowKey"}:
            self.bounds.append((name, word, value))

        def test(row: Row, given: Mapping[str, Any]) -> bool:
            has = row.get(name)
            wanted = given[value[1:]] if isinstance(value, str) and value[:1] == "@" else value
            if isinstance(wanted, _Text):
                wanted = str(wanted)
            if has is None or isinstance(has, str) != isinstance(wanted, str):
                return False
            return bool(compare(has, wanted))

        return test

    def _next_is(self, word: str) -> bool:
        if self._place < len(self._tokens) and self._tokens[self._place][1] == word:
            self._place += 1
            return True
        return False


class _Text(str):
    """A text that was written out in the filter, and is no parameter whatever it begins with."""

    __slots__ = ()


@cache
def read_filter(text: str) -> Filter:
    """Return a filter; each is read once."""
    return Filter(text)


def _always(row: Row, given: Mapping[str, Any]) -> bool:
    del row, given
    return True


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place, text = 0, text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"not a filter: {text}")
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        place = match.end()
    return found


def _value(kind: str, text: str) -> Any:
    match kind:
        case "parameter":
            return text
        case "text":
            return _Text(text[1:-1].replace("''", "'"))
        case "time":
            return datetime.fromisoformat(text[9:-1])
        case "number":
            return float(text) if "." in text else int(text)
    if text in {"true", "false"}:
        return text == "true"
    raise ValueError(f"not a value: {text}")
