"""The documents agree with the project: links, paths, commands, settings, calls and versions."""

import difflib
import re
from pathlib import Path

import pytest

import function_app  # noqa: F401 - registers every operation
from shared.web.operations import operations
from shared.web.version import VERSION
from shared.wiring.settings import Settings
from tests.papers import anchors, code, links, papers, rows
from tests.sources import ROOT, files, text

LONGEST_README = 90
API = ROOT / "shared" / "api" / "README.md"
PAPERS = pytest.mark.parametrize("paper", papers(), ids=lambda p: str(p.relative_to(ROOT)))
TOP = {path.name for path in ROOT.iterdir()}
MADE = ("build/", ".venv/")


def test_readme_fits_on_a_screen_and_a_half() -> None:
    assert 30 < len(text("README.md").splitlines()) <= LONGEST_README


def test_every_reader_has_a_document() -> None:
    wanted = {
        "README.md",
        "CHANGELOG.md",
        ".github/CONTRIBUTING.md",
        ".github/SECURITY.md",
        "infra/README.md",
        "infra/data-protection.md",
        "shared/README.md",
        "shared/api/README.md",
        "tests/README.md",
    }

    assert wanted <= {str(paper.relative_to(ROOT)) for paper in papers()}


@PAPERS
def test_every_relative_link_leads_to_a_file_and_heading(paper: Path) -> None:
    broken = []
    for link in links(paper):
        path, _, anchor = link.partition("#")
        target = (paper.parent / path).resolve() if path else paper
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


@PAPERS
def test_every_path_in_code_exists(paper: Path) -> None:
    spans = [span.split("::")[0] for span in code(paper)]
    named = [s for s in spans if re.fullmatch(r"[\w./*-]+", s) and s.split("/")[0] in TOP]
    named = [span for span in named if not span.startswith(MADE)]

    assert [span for span in named if not list(ROOT.glob(span))] == []


@PAPERS
def test_every_make_target_exists(paper: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    commands = re.findall(r"(?:`|^)make ([a-z-]+)", paper.read_text("utf-8"), re.MULTILINE)

    assert "demo" in targets
    assert set(commands) <= targets


def test_every_folder_of_the_app_has_a_line() -> None:
    folders = {path.parent for path in files(ROOT / "shared", "__init__.py")}
    named = {span.rstrip("/") for span in code(ROOT / "shared" / "README.md")}

    assert {str(folder.relative_to(ROOT)) for folder in folders} - {"shared"} <= named


def test_every_setting_is_documented_with_its_default() -> None:
    documented = {row[0].strip("`"): row[-1].strip("`| ") for row in rows(API, "Settings")}
    defaults = {
        str(field.alias): "" if field.is_required() or field.default is None else field.default
        for field in Settings.model_fields.values()
    }

    assert documented == {name: str(default) for name, default in defaults.items()}


def test_every_call_of_the_api_is_documented() -> None:
    first = [row[0] for row in rows(API, "Every call")]
    documented = [call for cell in first for call in re.findall(r"`(\w+ /[^`]*)`", cell)]
    served = [f"{o.method} {o.path.removeprefix('api').removeprefix('/v1')}" for o in operations()]

    assert sorted(documented) == sorted(served)


def test_every_control_call_of_the_local_cloud_is_documented() -> None:
    sources = [path.read_text("utf-8") for path in files(ROOT / "tests" / "local", "*.py")]
    source = "\n".join(sources).replace("{box}", "/_sim/mailboxes/{tenant}/{user}")
    source = source.replace("{{", "{").replace("}}", "}").replace(r":\d+(?:\.\d+)?", "")
    source = source.replace("get(box,", 'get("/_sim/mailboxes/{tenant}/{user}",')
    calls = re.findall(r'web\.(\w+)\(r?f?"(/_sim/[^"]+)"', source)
    documented = set(re.findall(r"`([A-Z]+ /_sim/[^`]+)`", text("tests/README.md")))

    assert len(calls) > 30
    assert documented == {f"{method.upper()} {path}" for method, path in calls}


def test_every_threat_names_tests_that_exist() -> None:
    model = text(".github/SECURITY.md").split("\n## Threat model\n")[1]
    threats = re.findall(r"^\| [A-Z][a-z ]+ \|.*$", model, re.MULTILINE)
    named = [re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", threat) for threat in threats]

    assert len(threats) > 20
    assert [threat for threat, tests in zip(threats, named, strict=True) if not tests] == []
    assert [hint for tests in named for path, name in tests if (hint := missing(path, name))] == []


def missing(path: str, name: str) -> str:
    """What to write instead of a test that does not exist; empty if it does."""
    if not (ROOT / path).exists():
        return f"{path} does not exist; name the file that {name} moved to"
    there = re.findall(r"^\s*(?:async )?def (test_\w+)\(", text(path), re.MULTILINE)
    if name in there:
        return ""
    close = difflib.get_close_matches(name, there, n=3, cutoff=0.0)
    return f"{path} has no {name}; perhaps it is now called {' or '.join(close)}"


def test_changelog_begins_with_the_version_of_the_app() -> None:
    changelog = text("CHANGELOG.md")
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE)
    kinds = set(re.findall(r"^### (.+)$", changelog, re.MULTILINE))

    assert re.findall(r"^## (.+)$", changelog, re.MULTILINE)[0] == "[Unreleased]"
    assert released[0][0] == VERSION
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_commits_are_checked_by_what_lint_runs() -> None:
    recipe = text("Makefile").split("\nlint:")[1].split("\n\n")[0].splitlines()[1:]
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe]
    config = text(".pre-commit-config.yaml")

    assert len(commands) >= 6
    assert re.findall(r"^ +entry: (.+)$", config, re.MULTILINE) == commands
    assert config.count("language: system") == len(commands)
