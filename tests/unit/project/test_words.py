"""Words that nobody says aloud stay out of comments, docstrings, texts and papers."""

import re
import tokenize
from pathlib import Path

from tests.papers import papers
from tests.sources import ROOT, files

BANNED = re.compile(
    r"\b(shall|anew|whom|whilst|hence|thus|thereby|thereof|upon|whereas|of use|is at it|what passes"
    r"|who has it|it rests|let it go on|as it should be|come to no mailbox)\b",
    re.IGNORECASE,
)
FOLDERS = [ROOT / "shared", ROOT / "tests", ROOT / "infra"]
PYTHON = [path for folder in FOLDERS for path in files(folder, "*.py") if path != Path(__file__)]
OTHER = [
    *papers(),
    *files(ROOT / "shared", "*.html"),
    *files(ROOT / "shared", "*.js"),
    *files(ROOT / "infra", "*.bicep"),
    *files(ROOT / "infra", "*.kql"),
    *files(ROOT / "infra", "*.xml"),
    *files(ROOT / "infra", "*.ps1"),
]
PROSE = {tokenize.COMMENT, tokenize.STRING, tokenize.FSTRING_MIDDLE}


def found(line: int, text: str) -> list[str]:
    """The banned words of a text, each with its line."""
    return [f"{line + text[: m.start()].count(chr(10))}: {m[0]}" for m in BANNED.finditer(text)]


def test_banned_word_is_found_where_it_stands() -> None:
    assert found(7, "Fine.\nTo whom it may concern") == ["8: whom"]


def test_comments_and_texts_of_modules_have_no_banned_word() -> None:
    said = {}
    for path in PYTHON:
        with tokenize.open(path) as source:
            tokens = [t for t in tokenize.generate_tokens(source.readline) if t.type in PROSE]
        if words := [word for t in tokens for word in found(t.start[0], t.string)]:
            said[str(path.relative_to(ROOT))] = words

    assert said == {}


def test_papers_pages_and_templates_have_no_banned_word() -> None:
    said = {}
    for path in OTHER:
        if words := found(1, path.read_text("utf-8")):
            said[str(path.relative_to(ROOT))] = words

    assert said == {}
