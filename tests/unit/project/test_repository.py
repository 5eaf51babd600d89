"""Rules of the repository: pins that agree, documented and short modules.

The other tests check behaviour; these do not.
"""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.sources import ROOT, SHARED, files

LOCKS = ("requirements.txt", "tests/requirements.txt")
LONGEST_MODULE = 400
UNCHECKED_CHANGES = {"model_copy", "__replace__"}
"""Calls that give a pydantic model values which nothing checks; `Model.copy_with` checks them."""


def pins(lock: str) -> dict[str, Requirement]:
    lines = (ROOT / lock).read_text("utf-8").replace("\\\n", " ").splitlines()
    found = [Requirement(line.split("--hash", maxsplit=1)[0]) for line in lines if line.strip()]
    return {requirement.name: requirement for requirement in found}


def modules() -> list[Path]:
    return [
        ROOT / "function_app.py",
        *files(SHARED, "*.py"),
        *files(ROOT / "tests", "*.py"),
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_by_version_and_hash(lock: str) -> None:
    entries = (ROOT / lock).read_text("utf-8").replace("\\\n", " ").splitlines()

    assert entries
    assert [entry for entry in entries if not re.search(r"==.*--hash=sha256:", entry)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_files_contain_no_indexes_urls_or_paths(lock: str) -> None:
    assert re.findall(r"https?:|file:|--index|--find-links", (ROOT / lock).read_text("utf-8")) == []


def test_tests_use_the_versions_that_azure_installs() -> None:
    tested = pins("tests/requirements.txt")

    assert {name: str(tested.get(name)) for name in pins("requirements.txt")} == {
        name: str(pin) for name, pin in pins("requirements.txt").items()
    }


def test_pins_satisfy_the_requirements_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    app = [Requirement(text) for text in project["dependencies"]]
    tests = [Requirement(text) for text in project["optional-dependencies"]["tests"]]

    def unmet(wanted: list[Requirement], lock: str) -> list[str]:
        pinned = {name: next(iter(pin.specifier)).version for name, pin in pins(lock).items()}
        return [
            str(requirement)
            for requirement in wanted
            if not requirement.specifier.contains(pinned.get(requirement.name.lower(), "0"))
        ]

    assert unmet(app, "requirements.txt") == []
    assert unmet(tests, "tests/requirements.txt") == []


def test_failed_messages_are_retried_with_a_delay_before_poison() -> None:
    queues = json.loads((ROOT / "host.json").read_text("utf-8"))["extensions"]["queues"]

    assert queues["messageEncoding"] == "none", "a poison function sees any message only so"
    assert queues["maxDequeueCount"] > 1
    assert queues["visibilityTimeout"] > "00:00:00"
    assert 1 <= queues["batchSize"] <= 32


@pytest.mark.parametrize("module", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_module_has_a_docstring_and_at_most_400_lines(module: Path) -> None:
    text = module.read_text("utf-8")

    assert len(text.splitlines()) <= LONGEST_MODULE
    if module.name != "__init__.py" or text.strip():
        assert ast.get_docstring(ast.parse(text))


def test_models_change_through_checked_calls_only() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), node.attr)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in UNCHECKED_CHANGES
    }

    assert found == {("shared/domain/model.py", "model_copy")}


def test_no_two_classes_of_the_app_share_a_name() -> None:
    found = [
        node.name
        for path in files(SHARED, "*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    ]

    assert len(found) > 100
    assert sorted(found) == sorted(set(found))
