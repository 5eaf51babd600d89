"""The project's own files, for tests that read them.

Finding nothing is a failure: otherwise a check of files that have moved would always pass.
"""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SHARED: Final = ROOT / "shared"
_FOREIGN: Final = {"node_modules", "__pycache__"}


def files(folder: Path, pattern: str) -> list[Path]:
    """All files below a folder whose names match; fails if there are none."""
    found = [p for p in sorted(folder.rglob(pattern)) if not _FOREIGN & set(p.parts)]
    assert found, f"there is no {pattern} below {folder}"
    return found


def text(path: str) -> str:
    """A file by its path from the project's root; fails if it is missing or empty."""
    content = (ROOT / path).read_text("utf-8")
    assert content.strip(), f"{path} is empty"
    return content
