"""Alert rules: each measures an existing column and says what it means and what to do."""

import re
from datetime import timedelta
from typing import Any, Final

import pytest

from tests.infra.readers import kql
from tests.infra.readers.alert_rules import MODULE, duration, rules
from tests.sources import ROOT

README: Final = ROOT / "infra" / "README.md"
# docs: azure-monitor/alerts (alerts-create-log-alert-rule, alerts-troubleshoot-log, service limits)
WINDOWS: Final = {f"PT{minutes}M" for minutes in (5, 10, 15, 30, 45)} | {
    *(f"PT{hours}H" for hours in range(1, 7)),
    *("P1D", "P2D"),
}
LONGEST: Final = timedelta(days=2)
FORBIDDEN: Final = re.compile(r"\b(bag_unpack|pivot|narrow|AggregatedValue)\b|\bago\([^0-9]")
LONGEST_DESCRIPTION: Final = 2_048  # of metric alerts; those over logs may be twice as long


def faults(rule: dict[str, Any], query: kql.Query, text: str) -> list[str]:
    """What is wrong with a rule, in words."""
    columns = query.columns
    wrong = {
        "the query has no column TimeGenerated, which the window needs": (
            columns.get("TimeGenerated") != "datetime"
        ),
        "the measure is not a numeric column": (
            rule["aggregation"] != "Count"
            and columns.get(rule["measure"]) not in {"long", "int", "real"}
        ),
        "rows are counted, but a column is named": (
            rule["aggregation"] == "Count" and rule["measure"] != "null"
        ),
        "a dimension is not a string column": any(
            columns.get(dimension) != "string" for dimension in rule["dimensions"]
        ),
        "a table may be missing, and a rule that fails is disabled": "isfuzzy=true" not in text,
        "the query uses something that a rule may not use": FORBIDDEN.search(text) is not None,
        "a placeholder is not filled": kql.placeholders(text) != rule["filled"],
        "no such window": rule["window"] not in WINDOWS,
        "no such frequency": duration(rule["frequency"]) < timedelta(minutes=5),
        "logs that arrive late are in no window": (
            2 * duration(rule["frequency"]) > duration(rule["window"]) * int(rule["periods"])
        ),
        "it looks back too far": duration(rule["window"]) * int(rule["periods"]) > LONGEST,
        "more failing periods than periods": int(rule["failing"]) > int(rule["periods"]),
        "no such severity": rule["severity"] not in set("01234"),
        "it does not say what to do first": "First: " not in rule["description"],
        "it does not link to the runbook": not rule["description"].endswith(
            f"${{readme}}#alert-{rule['name']}"
        ),
        "the file and the rule have different names": rule["file"] != f"alerts/{rule['name']}.kql",
    }
    return [words for words, applies in wrong.items() if applies]


RULES = {rule["name"]: rule for rule in rules()}


def test_all_expected_alerts_exist() -> None:
    assert set(RULES) == {
        "run-failed",
        "run-refused",
        "mailbox-failures",
        "message-poisoned",
        "consent-lost",
        "graph-throttled",
        "no-run",
        "queue-age",
        "app-faults",
        "timer-failed",
        "daily-cap",
    }
    assert {rule["file"] for rule in RULES.values()} == {
        name for name in kql.files() if name.startswith("alerts/")
    }


@pytest.mark.parametrize("name", RULES)
def test_rule_has_no_faults(name: str) -> None:
    file = RULES[name]["file"]

    assert faults(RULES[name], kql.queries()[file], kql.files()[file]) == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("queue-age", {"measure": "Second"}),
        ("queue-age", {"measure": "Queue"}),
        ("queue-age", {"dimensions": ["Tenant"]}),
        ("queue-age", {"dimensions": ["Seconds"]}),
        ("queue-age", {"window": "PT26H"}),
        ("queue-age", {"frequency": "PT30M"}),
        ("queue-age", {"frequency": "PT1M"}),
        ("queue-age", {"severity": "5"}),
        ("queue-age", {"failing": "2"}),
        ("queue-age", {"description": "Something is wrong."}),
        ("no-run", {"periods": "2"}),
        ("mailbox-failures", {"filled": set()}),
    ],
)
def test_faults_in_a_rule_are_found(name: str, change: dict[str, Any]) -> None:
    rule = RULES[name] | change

    assert faults(rule, kql.queries()[rule["file"]], kql.files()[rule["file"]])


def test_query_that_fails_without_its_table_is_found() -> None:
    name = "alerts/queue-age.kql"
    text = kql.files()[name]
    bare = re.sub(r"union isfuzzy=true (\w+),.*?\[\]\)", r"\1", text, flags=re.DOTALL)

    assert bare != text
    assert len(faults(RULES["queue-age"], kql.queries()[name], bare)) == 1
    assert len(faults(RULES["queue-age"], kql.queries()[name], text + "| where ago(span) > x")) == 1


def test_the_runbook_has_a_heading_for_each_alert() -> None:
    wanted = set(re.findall(r"\$\{readme\}#(alert-[\w-]+)", MODULE))
    there = set(
        re.findall(r'^#+ .*|<a (?:id|name)="([\w-]+)">', README.read_text("utf-8"), re.MULTILINE)
    )
    there |= {
        re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", README.read_text("utf-8"), re.MULTILINE)
    }

    assert len(wanted) == len(RULES) + 1
    assert wanted <= there


def test_descriptions_fit_azures_length_limit() -> None:
    descriptions = re.findall(r"^ +description: '(.*)'$", MODULE, re.MULTILINE)

    assert len(descriptions) == len(RULES) + 2  # not-ready, and the one that Azure makes itself
    assert max(map(len, descriptions)) < LONGEST_DESCRIPTION


def test_every_threshold_has_a_description() -> None:
    described = re.findall(
        r"@description\((.+?)\)\n(?:@\w+\(\d+\)\n)*param (\w+) int = ", MODULE, re.DOTALL
    )

    assert {name for _, name in described} == set(
        re.findall(r"^param (\w+) int", MODULE, re.MULTILINE)
    )
    assert set(re.findall(r"^    threshold: ([a-zA-Z]+)$", MODULE, re.MULTILINE)) <= {
        name for _, name in described
    }
