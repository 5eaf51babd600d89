"""Each query answers what its cases say, and each column of each query is in a case."""

import pytest

from tests.infra.answers import alerts, choices, costs, graph, health, mailboxes, overview, runs
from tests.infra.answers.case import Case, cells
from tests.infra.readers import kql

CASES: tuple[Case, ...] = (
    *alerts.CASES,
    *choices.CASES,
    *costs.CASES,
    *graph.CASES,
    *health.CASES,
    *mailboxes.CASES,
    *overview.CASES,
    *runs.CASES,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.query}: {case.about}")
def test_query_answers_what_its_table_says(case: Case) -> None:
    assert case.answer() == cells(case.expected)


@pytest.mark.parametrize("name", kql.files())
def test_every_query_and_column_has_an_expected_answer(name: str) -> None:
    expected = {column for case in CASES if case.query == name for column in case.columns}

    assert expected == set(kql.queries()[name].columns)
