"""Each assumption about Graph names a test that exists, or says why there is none.

Each quirk is chosen by some test.
"""

import re
from functools import cache
from typing import Final

import pytest

from tests.local.graph.quirks import QUIRKS
from tests.probe.questions import QUESTIONS
from tests.sources import ROOT, files

PAPER: Final = ROOT / "shared" / "adapters" / "graph" / "README.md"
_SAME: Final = "the same"
_NO_TEST: Final = re.compile(r"no test: \w+( \S+){5,}")
"""A reason in words."""


@cache
def modules() -> dict[str, str]:
    """The text of each test module, and of the probe's questions, by its name."""
    folders = ("unit", "integration", "end_to_end", "simulation")
    found = [path for folder in folders for path in files(ROOT / "tests" / folder, "test_*.py")]
    found.append(ROOT / "tests" / "probe" / "questions.py")
    texts: dict[str, str] = {}
    for path in found:
        texts[path.name] = texts.get(path.name, "") + path.read_text("utf-8")
    return texts


def rows() -> list[tuple[str, str]]:
    """Each assumption with its tests."""
    lines = [line for line in PAPER.read_text("utf-8").splitlines() if line.startswith("| ")]
    cells = [line.strip("| ").split(" | ") for line in lines]
    return [(row[0], row[-1]) for row in cells if row[0] != "Assumption"]


def named_in(cell: str) -> list[tuple[str, str]]:
    """The tests that a cell names: module and function; a bare function is in the last module."""
    module, found = "", []
    for name in re.findall(r"`([^`]+)`", cell):
        path, _, function = name.rpartition("::")
        module = path.rpartition("/")[2] or module
        found.append((module, function))
    return found


@pytest.mark.parametrize(("assumption", "cell"), rows(), ids=[row[0][:50] for row in rows()])
def test_assumption_names_tests_that_exist_or_why_there_is_none(assumption: str, cell: str) -> None:
    named = named_in(cell)

    assert named or cell == _SAME or _NO_TEST.fullmatch(cell), assumption
    for module, function in named:
        assert re.search(rf"def {function}\(", modules()[module]), f"{module}::{function}"


def test_there_are_as_many_columns_in_each_row() -> None:
    lines = [line for line in PAPER.read_text("utf-8").splitlines() if line.startswith("| ")]

    assert {len(re.split(r" \| ", line.strip("| "))) for line in lines} == {4}


def test_each_quirk_is_chosen_by_a_test() -> None:
    texts = " ".join(modules().values())

    assert [quirk.name for quirk in QUIRKS if quirk.name not in texts] == []


def test_each_question_of_the_probe_belongs_to_an_assumption() -> None:
    named = {function for _, cell in rows() for _, function in named_in(cell)}

    assert sorted({question.name for question in QUESTIONS} - named) == []
