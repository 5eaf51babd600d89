"""Finds Microsoft's Bicep compiler, PowerShell and Kiota, which no package registry serves.

Each is looked for where its variable says (BICEP, PWSH, KIOTA), on PATH, where `az bicep install`
puts it, and as an archive in the folder that AZURE_TOOLS names, by default `shared/tools` beside
the project. Archives are for Linux on x86-64 and are unpacked once, into `build/tools`.
"""

import contextlib
import os
import platform
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.sources import ROOT

_UNPACKED: Final = ROOT / "build" / "tools"


class Missing(Exception):
    """A tool is not on this machine; the text says how to get it."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program of Microsoft's, the variable that names its path, and how to install it."""

    name: str
    variable: str
    installing: str
    packed: str = ""
    """The name of the program in the archive, if it is not the tool's."""

    def path(self) -> Path:
        """Where it is; raises `Missing` if it is nowhere."""
        for found in self._places():
            if found.is_file() and os.access(found, os.X_OK):
                return found
        raise Missing(
            f"{self.name} is not installed. {self.installing}, set {self.variable} to its path, or"
            f" put {self.name}.tar.xz into the folder that AZURE_TOOLS names."
        )

    def _places(self) -> Iterator[Path]:
        if given := os.environ.get(self.variable):
            yield Path(given)
            return
        if on_path := shutil.which(self.name):
            yield Path(on_path)
        yield Path.home() / ".azure" / "bin" / self.name
        if runs_archives():
            yield from self._unpacked()

    def _unpacked(self) -> Iterator[Path]:
        target = _UNPACKED / self.name
        archive = _archives() / f"{self.name}.tar.xz"
        if not target.is_dir() and archive.is_file():
            _UNPACKED.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=_UNPACKED) as folder:
                with tarfile.open(archive) as packed:
                    packed.extractall(Path(folder) / self.name, filter="data")
                # Several processes may do this at once; the first to rename wins.
                with contextlib.suppress(OSError):
                    (Path(folder) / self.name).rename(target)
        yield target / (self.packed or self.name)


BICEP: Final = Tool("bicep", "BICEP", "Install it with `az bicep install`")
PWSH: Final = Tool("pwsh", "PWSH", "Install PowerShell 7 from your system's packages")
KIOTA: Final = Tool("kiota", "KIOTA", "Install Microsoft's Kiota", packed="run")


def runs_archives() -> bool:
    """Whether the archives are made for this machine."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


def left_out(tool: Tool) -> str | None:
    """Why the checks with a tool are left out, or None if they have to run.

    They are left out only on a processor that the archives are not made for, or where
    AZURE_TOOLS_OPTIONAL says that the machine cannot have the tool.
    """
    try:
        tool.path()
    except Missing as error:
        if not runs_archives() or os.environ.get("AZURE_TOOLS_OPTIONAL"):
            return f"Left out: all checks with {tool.name}. {error}"
    return None


def _archives() -> Path:
    return Path(os.environ.get("AZURE_TOOLS") or ROOT.parent / "shared" / "tools")
