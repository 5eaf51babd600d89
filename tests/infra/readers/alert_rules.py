"""The alert rules over logs, as the module lists them, and what Azure does with them over time.

Azure runs a rule's query every `frequency` over the rows of the last `window` (times the number of
periods), groups what it finds by the rule's dimensions and the periods, and compares each group's
aggregate with the threshold. A combination of dimensions sends one message when its condition
begins and one when the condition has not held for two evaluations (three if the rule runs more
often than every quarter of an hour); docs: alerts-overview, stateful alerts.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.infra.readers import kql
from tests.infra.readers.kql_engine import Row, engine
from tests.sources import ROOT

MODULE: Final = (ROOT / "infra" / "modules" / "alerts.bicep").read_text("utf-8")
_QUARTER: Final = timedelta(minutes=15)


def rules(module: str = MODULE) -> list[dict[str, Any]]:
    """The rules over logs, read from the list in the module: plain values, one a line."""
    listed = module.split("\nvar rules = [\n")[1].split("\n]\n", maxsplit=1)[0]
    found = []
    for block in re.findall(r"^  \{\n(.*?)^  \}$", listed, re.MULTILINE | re.DOTALL):
        rule: dict[str, Any] = dict(re.findall(r"^    (\w+): (.+)$", block, re.MULTILINE))
        rule = {key: value.strip("'") for key, value in rule.items()}
        rule["dimensions"] = re.findall(r"^      '(\w+)'$", block, re.MULTILINE)
        rule["file"] = re.findall(r"loadTextContent\('\.\./queries/([\w/.-]+)'\)", block)[0]
        rule["filled"] = set(re.findall(r"'\{(\w+)\}'", block))
        found.append(rule)
    return found


def duration(text: str) -> timedelta:
    """Parse an ISO 8601 duration; anything else is zero."""
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", text)
    days, hours, minutes = match.groups("0") if match else ("0", "0", "0")
    return timedelta(days=int(days), hours=int(hours), minutes=int(minutes))


def number(text: str) -> int:
    """Return a number that a rule states, or the default of the parameter that it names."""
    if text.isdigit():
        return int(text)
    return int(re.findall(rf"^param {text} int = (\d+)$", MODULE, re.MULTILINE)[0])


class Player:
    """One rule over time: `look` evaluates it, and returns what it sends."""

    def __init__(self, name: str) -> None:
        self._rule = next(rule for rule in rules() if rule["name"] == name)
        minimum = str(number("minimumMailboxes"))
        self._query = kql.filled(kql.files()[self._rule["file"]], {"minimumMailboxes": minimum})
        self._window = duration(self._rule["window"])
        self._periods = int(self._rule["periods"])
        self._active: dict[tuple[str, ...], int] = {}

    @property
    def frequency(self) -> timedelta:
        """How often Azure evaluates the rule."""
        return duration(self._rule["frequency"])

    def look(self, rows: Iterable[Row], now: datetime) -> list[tuple[str, tuple[str, ...]]]:
        """Evaluate the rule, and return what begins ("fires") and what ends ("ends")."""
        firing = self._firing(rows, now)
        sent = [("fires", one) for one in sorted(firing - self._active.keys())]
        self._active |= dict.fromkeys(firing, 0)
        patience = 2 if self.frequency >= _QUARTER else 3
        for one in sorted(self._active.keys() - firing):
            self._active[one] += 1
            if self._active[one] >= patience:
                sent.append(("ends", one))
                del self._active[one]
        return sent

    def _firing(self, rows: Iterable[Row], now: datetime) -> set[tuple[str, ...]]:
        since = now - self._window * self._periods
        found = engine().ask(self._query, rows, now, since)
        groups: dict[tuple[tuple[str, ...], int], list[dict[str, Any]]] = {}
        for one in found:
            when = one["TimeGenerated"].replace(tzinfo=UTC)
            period = min(int((now - when) / self._window), self._periods - 1)
            dimensions = tuple(str(one[name] or "") for name in self._rule["dimensions"])
            groups.setdefault((dimensions, period), []).append(one)
        threshold, failing = number(self._rule["threshold"]), int(self._rule["failing"])
        beyond = [key[0] for key, group in groups.items() if self._measure(group) > threshold]
        return {one for one in beyond if beyond.count(one) >= failing}

    def _measure(self, group: Sequence[dict[str, Any]]) -> float:
        measured = [one.get(self._rule["measure"]) or 0 for one in group]
        match self._rule["aggregation"]:
            case "Count":
                return len(group)
            case "Total":
                return sum(measured)
            case "Maximum":
                return max(measured)
        raise ValueError(self._rule["aggregation"])
