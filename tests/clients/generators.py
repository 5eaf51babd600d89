"""Generates clients from the document that the app serves, into a folder of the test."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import function_app  # noqa: F401 - registers every operation
from shared.web.openapi.document import document
from tests.infra.compiler.tools import KIOTA
from tests.sources import ROOT

DIVERGENT: Final = frozenset(
    {
        "/tenant/delete",
        "/imports/{id}/delete",
        "/runs/{id}/approve/post",
        "/people/{id}/delete",
    }
)
"""The calls that answer a program with what it has to confirm, and do it when it has."""
NODE: Final = ROOT / "tests" / "local" / "node_modules"
_FUTURE: Final = "from __future__ import annotations\n"
_ENVIRONMENT: Final = {
    **os.environ,
    "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
    "KIOTA_OFFLINE_ENABLED": "true",
}


def written(folder: Path) -> Path:
    """Write the document as the app serves it, and return its path."""
    path = folder / "openapi.json"
    path.write_text(json.dumps(document()), "utf-8")
    return path


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command and return what it prints; it must succeed."""
    done = subprocess.run(  # noqa: S603 - our own commands
        [str(part) for part in command],
        cwd=cwd, env=_ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def kiota(language: str, source: Path, folder: Path) -> None:
    """Generate Kiota's client, which must warn of nothing but the calls that have two answers."""
    said = run(
        KIOTA.path(), "generate", "-l", language, "-d", source, "-o", folder,
        "-n", "contact_sync", "-c", "ContactSync", "--log-level", "warning",
    )  # fmt: skip
    if language == "python":
        for module in folder.rglob("*.py"):
            _mend(module)
    warned = re.findall(r"OpenAPI warning: #/paths/(\S+) - (.*)", said)
    assert {path.replace("~1", "/") for path, _ in warned} == DIVERGENT
    assert all("divergent" in words for _, words in warned)
    assert not [path for path in folder.rglob("*") if re.search(r"Member\d", path.name)]


def typescript_types(source: Path, target: Path) -> None:
    """Generate the types of openapi-typescript."""
    # Otherwise what has a default would be required in a request.
    given = ("--default-non-nullable", "false")
    run("node", NODE / "openapi-typescript" / "bin" / "cli.js", source, *given, "-o", target)


def python_client(source: Path, folder: Path) -> str:
    """Generate the client of openapi-python-client, and return what it warns of."""
    config = folder.with_suffix(".json")
    config.write_text(json.dumps({"post_hooks": []}), "utf-8")  # it would call ruff
    return run(
        sys.executable, "-m", "openapi_python_client", "generate", "--path", source,
        "--output-path", folder, "--meta", "none", "--config", config,
    )  # fmt: skip


def compiled_typescript(folder: Path, *sources: str, emit: bool = False) -> None:
    """Compile TypeScript strictly; every type error fails. With `emit`, write JavaScript too."""
    options: dict[str, Any] = {
        "strict": True,
        "target": "es2022",
        "module": "nodenext",
        "moduleResolution": "nodenext",
        "skipLibCheck": True,
        "noEmit": not emit,
    }
    (folder / "node_modules").symlink_to(NODE)
    (folder / "package.json").write_text('{"type": "module"}', "utf-8")
    project = {"compilerOptions": options, "include": list(sources)}
    (folder / "tsconfig.json").write_text(json.dumps(project), "utf-8")
    run("node", NODE / "typescript" / "bin" / "tsc", "-p", folder)


def imported_python(folder: Path) -> None:
    """Import every module of a Python package."""
    modules = [
        ".".join(path.relative_to(folder.parent).with_suffix("").parts)
        for path in folder.rglob("*.py")
    ]
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    run(sys.executable, "-W", "ignore", "-c", code, *modules, cwd=folder.parent)


def _mend(module: Path) -> None:
    """Move the import from `__future__` to the top, which Kiota 1.38 writes below another."""
    text = module.read_text("utf-8")
    if _FUTURE in text:
        module.write_text(_FUTURE + text.replace(_FUTURE, "", 1), "utf-8")
