"""The project's documents, for tests that check what they say."""

import re
from pathlib import Path
from typing import Final

from tests.sources import ROOT, files

_SKIPPED: Final = {".venv", ".venv-checkov", "build", "node_modules"}
_FENCE: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def papers() -> list[Path]:
    """Every document of the project."""
    found = files(ROOT, "*.md")
    return [p for p in found if not _SKIPPED.intersection(p.relative_to(ROOT).parts)]


def prose(paper: Path) -> str:
    """A document without its blocks of code."""
    return _FENCE.sub("", paper.read_text("utf-8"))


def links(paper: Path) -> list[str]:
    """What a document links to or shows, other sites left out."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(paper))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(paper: Path) -> set[str]:
    """The names of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(paper), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def code(paper: Path) -> list[str]:
    """The code spans of a document."""
    return re.findall(r"`([^`\n]+)`", prose(paper))


def rows(paper: Path, heading: str) -> list[list[str]]:
    """The rows of the tables below a heading, up to the next one; the first cell leads each."""
    text = re.split(rf"^#+ {re.escape(heading)}$", paper.read_text("utf-8"), flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", text, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
