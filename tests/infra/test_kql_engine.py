"""The engine answers as KQL does: each operator and function of our queries, computed by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from tests.infra.readers import kql
from tests.infra.readers.kql_engine import Row, engine

NOW: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
EIGHT, NINE, TEN = (datetime(2026, 3, 2, hour, 30) for hour in (8, 9, 10))  # noqa: DTZ001 # as it answers
ROWS: Final = (
    Row("AppEvents", EIGHT.replace(tzinfo=UTC), {"Name": "a", "ItemCount": 1}),
    Row("AppEvents", NINE.replace(tzinfo=UTC), {"Name": "b", "ItemCount": 10}),
    Row(
        "AppEvents",
        TEN.replace(tzinfo=UTC),
        {
            "Name": "a",
            "ItemCount": 3,
            "Properties": {"n": "5", "x": "2.5", "t": "True", "l.m": "z"},
        },
    ),
)
ANSWERS: Final[dict[str, list[tuple[Any, ...]]]] = {
    # operators
    "AppEvents | where Name == 'a' and ItemCount > 1 | project Name, N = ItemCount": [("a", 3)],
    "AppEvents | where Name != 'a' or ItemCount >= 3 | project ItemCount | order by ItemCount": [
        (10,),
        (3,),
    ],
    "AppEvents | where TimeGenerated > ago(3h) | top 1 by TimeGenerated | project TimeGenerated": [
        (TEN,)
    ],
    "AppEvents | where TimeGenerated between (ago(4h) .. ago(2h)) | project Name": [("a",), ("b",)],
    "AppEvents | where TimeGenerated < ago(3h) | take 1 | project-away Type | project Name": [
        ("a",)
    ],
    "AppEvents | where Name in ('b', 'c') | project Name": [("b",)],
    "AppEvents | where Name !in ('b', 'c') | summarize count()": [(2,)],
    "AppEvents | where '' in ('', 'none') and '*' in ('*') | summarize count()": [(3,)],
    "datatable(A: string, B: long)['x', 1, 'y', 2] | extend C = B * 2 - 1 | order by A desc": [
        ("y", 2, 3),
        ("x", 1, 1),
    ],
    "let t = datatable(K: string, V: string)['a', 'found']; "
    "AppEvents | lookup kind=leftouter t on $left.Name == $right.K | project Name, V "
    "| order by Name asc, V desc": [("a", "found"), ("a", "found"), ("b", None)],
    "let l = datatable(K: string, A: long)['x', 1, 'y', 2]; "
    "let r = datatable(K: string, B: long)['y', 3, 'z', 4]; "
    "l | join kind=fullouter r on K | project K = coalesce(K, K1), A, B | order by K asc": [
        ("x", 1, None),
        ("y", 2, 3),
        ("z", None, 4),
    ],
    "union isfuzzy=true NoSuchTable, (datatable(A: long)[1]) | project A": [(1,)],
    "union (datatable(A: long)[1]), (datatable(A: long, B: long)[2, 3]) | order by A asc": [
        (1, None),
        (2, 3),
    ],
    "datatable(A: long)[7] | mv-expand P = pack_array(bag_pack('k', 1), bag_pack('k', 2)) "
    "| project A, K = toint(P.k)": [(7, 1), (7, 2)],
    "datatable(A: long)[7] | extend S = toscalar(AppEvents | summarize max(ItemCount))": [(7, 10)],
    # aggregates
    "AppEvents | summarize N = sum(ItemCount), A = avg(ItemCount) by Name | order by Name asc": [
        ("a", 4, 2.0),
        ("b", 10, 10.0),
    ],
    "AppEvents | summarize count(), countif(Name == 'a'), sumif(ItemCount, Name == 'a'), "
    "dcount(Name), dcountif(Name, ItemCount > 3), min(ItemCount), max(ItemCount)": [
        (3, 2, 4, 2, 1, 1, 10)
    ],
    "AppEvents | where Name == 'c' | summarize count(), sum(ItemCount), max(ItemCount)": [
        (0, 0, None)
    ],
    "AppEvents | where Name == 'c' | summarize count() by Name": [],
    "AppEvents | summarize arg_max(TimeGenerated, ItemCount) by Name | order by Name asc": [
        ("a", TEN, 3),
        ("b", NINE, 10),
    ],
    "AppEvents | summarize arg_min(TimeGenerated, ItemCount) by Name | order by Name asc": [
        ("a", EIGHT, 1),
        ("b", NINE, 10),
    ],
    # a row whose measure is null is not considered
    "AppEvents | extend At = iff(Name == 'b', TimeGenerated, datetime(null)) "
    "| summarize arg_max(At, ItemCount)": [(NINE, 10)],
    "AppEvents | summarize min(iff(ItemCount > 1, TimeGenerated, datetime(null))), "
    "max(iff(ItemCount > 99, TimeGenerated, datetime(null)))": [(NINE, None)],
    # nearest rank: the 95th of 100 hundredths of three values is the third
    "AppEvents | summarize percentile(ItemCount, 95)": [(10,)],
    "AppEvents | summarize N = count() by bin(TimeGenerated, 1d)": [
        (NINE.replace(hour=0, minute=0), 3)
    ],
    # functions
    "AppEvents | where isnotempty(tostring(Properties.n)) | project tolong(Properties.n), "
    "toreal(Properties.x), tobool(Properties.t), tostring(Properties['l.m']), "
    "tostring(Properties.no)": [(5, 2.5, True, "z", "")],
    "AppEvents | where isnull(tolong(Properties.n)) | summarize count()": [(2,)],
    "AppEvents | where isempty(tostring(Properties.n)) | summarize count()": [(2,)],
    "print datetime(2026-03-02 09:30) - 90.0 * 1s": [(NINE - timedelta(seconds=90),)],
    "AppEvents | where isnotnull(tolong(Properties.n)) | summarize count()": [(1,)],
    "print now(), bin(datetime(2026-03-02 10:47), 15m), "
    "format_datetime(datetime(2026-03-02 09:05), 'yyyy-MM-dd HH:mm')": [
        (NOW.replace(tzinfo=None), datetime(2026, 3, 2, 10, 45), "2026-03-02 09:05")  # noqa: DTZ001
    ],
    "print 7 / 2, 7 / 2.0, 1 + 2 * 3, (now() - ago(90m)) / 1h, round(2.346, 2), round(2.5)": [
        (3, 3.5, 7, 1.5, 2.35, 3.0)
    ],
    "print max_of(1, 2), coalesce(long(null), 4), iff(1 > 2, 'y', 'n'), "
    "case(1 == 2, 'a', 2 == 2, 'b', 'c')": [(2, 4, "n", "b")],
    "print strcat('a', 1, 'b'), strcat_delim(' ', 'a', '', 'b'), trim(' +', '  a b '), "
    "replace_regex('a   b', ' +', ' '), strlen('abc')": [("a1b", "a  b", "a b", "a b", 3)],
    "print '503' startswith '5', '404' !startswith '4', 'one abc two' has 'abc', "
    "'abcd' has 'abc', 'Abc' =~ 'aBC'": [(True, False, True, False, True)],
}


@pytest.mark.parametrize("query", ANSWERS)
def test_engine_answers_as_computed_by_hand(query: str) -> None:
    found = engine().ask(query, ROWS, NOW)

    assert [tuple(row.values()) for row in found] == ANSWERS[query]


def test_a_row_is_seen_only_once_it_has_arrived() -> None:
    late = Row("AppEvents", NOW.replace(hour=9), {"Name": "late"}, seen=NOW.replace(hour=11))
    query = "AppEvents | project Name"

    assert engine().ask(query, [late], NOW.replace(hour=10)) == []
    assert engine().ask(query, [late], NOW.replace(hour=11)) == [{"Name": "late"}]


def test_a_row_with_an_unknown_column_is_refused() -> None:
    with pytest.raises(KeyError, match="Nmae"):
        engine().ask("AppEvents", [Row("AppEvents", NOW, {"Nmae": "a"})], NOW)


def test_every_operator_and_function_of_the_queries_is_computed_by_hand() -> None:
    computed = kql.read({query: query for query in ANSWERS})
    used = set().union(*(query.features for query in kql.queries().values()))

    assert used - set().union(*(query.features for query in computed.values())) == set()
