"""Queries of the workbook and the alerts compile, and read only what the app sends.

What they answer is tested in `answers`.
"""

import json
import re

import pytest

from shared.web.texts.reasons import REMEDIES
from tests.infra.readers import kql
from tests.infra.readers.telemetry_schema import CONVERSIONS, declared, metrics
from tests.infra.reasons_query import reasons_of_runs
from tests.sources import ROOT, text

FILES = kql.files()
CLOSED = "AppEvents | where Name == 'run_closed' "
PLATFORM = {"_MS.links"}  # of spans, by the exporter of Azure Monitor
EVERY_TRY = {"cost-over-time.kql", "cost-per-import.kql", "graph-limits.kql"}
"""Queries that add up all tries of a mailbox, because each of them costs."""


def misreadings(query: kql.Query) -> list[str]:
    """Uses of Properties that no event or metric of the same pipe has, or that are misread."""
    sent = declared()
    found = []
    for use in query.uses:
        if use.key in PLATFORM:
            continue
        kinds = {sent[name][use.key] for name in use.names if use.key in sent.get(name, {})}
        if not kinds:
            found.append(f"{use.key} is in none of {use.names}")
        elif any(use.conversion not in CONVERSIONS[kind] for kind in kinds):
            found.append(f"{use.key} is {kinds}, and read by '{use.conversion}'")
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_query_compiles(name: str) -> None:
    assert kql.queries()[name].faults == ()


@pytest.mark.parametrize("name", FILES)
def test_query_uses_only_declared_events_and_metrics(name: str) -> None:
    assert set(kql.queries()[name].names) <= declared().keys()


@pytest.mark.parametrize("name", FILES)
def test_query_reads_declared_attributes_with_the_right_type(name: str) -> None:
    assert misreadings(kql.queries()[name]) == []


@pytest.mark.parametrize("name", FILES)
def test_query_starts_with_a_comment_on_its_purpose_and_sources(name: str) -> None:
    head = [line for line in FILES[name].splitlines() if line.startswith("//")]
    told = set(re.findall(r"[a-z_.]+[a-z]", " ".join(head)))

    assert FILES[name].startswith("// ")
    assert re.match(r"// (Events|Metrics|Tables): ", head[1])
    assert told & declared().keys() == set(kql.queries()[name].names)


@pytest.mark.parametrize("name", FILES)
def test_aggregates_count_repeated_events_once(name: str) -> None:
    repeated = {"run_closed", "mailbox_sync_finished"} & set(kql.queries()[name].names)

    if name not in EVERY_TRY and repeated and re.search(r"\b(sum|count|avg)\(", FILES[name]):
        assert "arg_max(TimeGenerated" in FILES[name]


def test_every_metric_is_read_by_a_query() -> None:
    """Each costs money every minute in every instance."""
    read = {name for query in kql.queries().values() for name in query.names}

    assert metrics().keys() - read == set()


def test_compile_errors_in_queries_are_found() -> None:
    wrong = {
        "no such table": "AppEvent | count",
        "no such column": "AppEvents | project Nam",
        "no such column of this table": "AppMetrics | project Measurements",
        "no such function": "AppEvents | summarize countt()",
        "an assignment for a comparison": "AppEvents | where Name = 'run_closed'",
        "two types compared": "AppEvents | where Name > 3",
        "a column lost by summarizing": "AppEvents | summarize count() | where Name == ''",
        "an unfinished step": "AppEvents | where",
    }

    assert {
        name: len(query.faults) > 0 for name, query in kql.read(wrong).items()
    } == dict.fromkeys(wrong, True)


def test_misuse_of_events_in_queries_is_found() -> None:
    wrong = {
        "no such attribute": CLOSED + "| project tolong(Properties.mailbox)",
        "another event's": CLOSED + "| project tostring(Properties.publisher)",
        "another pipe's event": "let a = AppEvents | where Name == 'share_resolved' | count; "
        + CLOSED
        + "| project tostring(Properties.publisher)",
        "a number read as text": CLOSED + "| project tostring(Properties.failed)",
        "a text read as a number": CLOSED + "| project tolong(Properties.status)",
        "a text that is not converted": CLOSED + "| where Properties.status == 'failed'",
        "a metric's attribute": "AppMetrics | where Name == 'contact_sync.queue.age' "
        "| project tostring(Properties.tenant)",
        "no event": "AppEvents | project tostring(Properties.tenant)",
    }
    right = {"right": CLOSED + "| project tostring(Properties.status), tolong(Properties.failed)"}
    read = kql.read(wrong | right)

    assert {name: len(misreadings(read[name])) for name in wrong} == dict.fromkeys(wrong, 1)
    assert misreadings(read["right"]) == []


def test_reasons_query_has_the_remedies_that_the_portal_shows() -> None:
    rows = dict(
        re.findall(r"^    '(\w+)', '((?:[^'\\]|\\.)*)',?$", FILES["reasons.kql"], re.MULTILINE)
    )

    assert {code: re.sub(r"\\(.)", r"\1", remedy) for code, remedy in rows.items()} == {
        reason.value: REMEDIES[reason] for reason in reasons_of_runs()
    }


def test_cost_query_uses_the_concurrency_of_host_json() -> None:
    queues = json.loads((ROOT / "host.json").read_text("utf-8"))["extensions"]["queues"]
    together = queues["batchSize"] + queues["newBatchThreshold"]

    assert f"let together = {together};" in FILES["cost-per-import.kql"]


def test_runs_query_links_to_the_run_page() -> None:
    pages = text("shared/portal/pages/runs.py")

    assert "strcat('{Portal}/runs/', Run)" in FILES["runs.kql"]
    assert '@page(bp, "GET", "runs/{id}"' in pages
