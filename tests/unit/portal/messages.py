"""The catalogues of the portal's translations, as pybabel makes them.

`make messages` writes `messages.pot` (every text of the code and templates) and brings each
language's `messages.po` up to date; it keeps translations, adds new texts without one and drops
unused ones. Then it compiles what is translated into `messages.mo`, which the app reads.
"""

from contextlib import chdir
from pathlib import Path
from typing import Final

from babel.messages.frontend import CommandLineInterface

from tests.sources import ROOT, SHARED

LOCALES: Final = SHARED / "portal" / "locales"
_EXTRACT: Final = ["--no-wrap", "--sort-by-file", "--add-location=file", "--omit-header"]
_UPDATE: Final = [
    "--no-wrap",
    "--no-fuzzy-matching",
    "--ignore-obsolete",
    "--ignore-pot-creation-date",
]


def write(locales: Path) -> None:
    """Write all catalogues below a folder; the same texts give the same bytes."""
    template = str(locales / "messages.pot")
    with chdir(ROOT):  # so that files are named from here
        _pybabel("extract", "-F", "pyproject.toml", *_EXTRACT, "-o", template, SHARED.name)
    _pybabel("update", *_UPDATE, "-i", template, "-d", str(locales))
    _pybabel("compile", "-d", str(locales))


def _pybabel(*arguments: str) -> None:
    command = CommandLineInterface()
    command.run(["pybabel", "--quiet", *arguments])  # type: ignore[no-untyped-call] # Babel's


if __name__ == "__main__":
    write(LOCALES)
