"""Redocly's and Spectral's linters, on the document that the app serves and on the gateway's copy.

`redocly.yaml`, and `.spectral.yaml` in the root, since it names files below it, say which rules are
off, and why. Every other finding fails.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.infra.gateway.openapi import FILE, SERVED, write_served
from tests.sources import ROOT

_PROGRAMS: Final = ROOT / "tests" / "local" / "node_modules" / ".bin"
_OFFLINE: Final = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
_REDOCLY: Final = Path(__file__).with_name("redocly.yaml")
_SPECTRAL: Final = ("spectral", "lint", "--quiet", "--fail-severity", "hint", "--ruleset")
COMMANDS: Final = (
    (
        "redocly",
        "lint",
        "--config",
        str(_REDOCLY),
        "--max-problems",
        "20",
    ),
    (*_SPECTRAL, str(ROOT / ".spectral.yaml"), str(SERVED)),
    (*_SPECTRAL, str(ROOT / ".spectral.yaml"), str(FILE)),
)


def run(command: tuple[str, ...]) -> str:
    """Run a linter; return what it found, or '' if that is nothing."""
    name, *arguments = command
    done = subprocess.run(  # noqa: S603 - our own command
        [str(_PROGRAMS / name), *arguments],
        cwd=ROOT, env={**os.environ, **_OFFLINE}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr if done.returncode else ""


def main() -> None:
    """Write the served document, let all linters look at once, and exit with what they found."""
    write_served()
    with ThreadPoolExecutor() as threads:
        found = "\n".join(filter(None, threads.map(run, COMMANDS)))
    if found:
        sys.exit(found)
    print("The API's documents keep the rules of Redocly and Spectral.")


if __name__ == "__main__":
    main()
