"""Runs Microsoft's Bicep compiler over the template: build, format, and the resources of a variant.

`bicep snapshot` evaluates the template's own expressions as Azure Resource Manager would: each
resource with its final name and values; what only Azure knows stays an expression.
"""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.infra.compiler import graph_types
from tests.infra.compiler.tools import BICEP
from tests.infra.compiler.variants import SUBSCRIPTION, TENANT
from tests.infra.readers.bicep import INFRA
from tests.sources import ROOT, files

_WORK: Final = ROOT / "build" / "bicep"
_REGISTRY: Final = ("mcr.microsoft.com", 443)
_QUICK: Final = 2.0
# Not BCP121: resources of several parents may have one name.
_TYPE_CHECK: Final = re.compile(r" (?:Error|Warning) BCP(?!121)\d+")


_RUNTIME: Final = {
    # Machines without ICU run the compiler only without cultures, which it does not use.
    "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
    # Each process is short: collecting its garbage takes a fifth of its CPU.
    "DOTNET_gcConcurrent": "0",
    "DOTNET_GCgen0size": "8000000",
}


class Refused(Exception):
    """The compiler refused something; the text is what it said."""


def build() -> str:
    """Compile the template with all its modules; return what the compiler said, if anything."""
    source = _copy()
    done = _run("build", source / "main.bicep", "--outfile", _template())
    return done.stderr.replace(f"{source}/", "infra/")


def misformatted() -> list[str]:
    """The files that `bicep format` would change."""
    source = _copy()
    before = {path: path.read_text("utf-8") for path in files(source, "*.bicep")}
    _run("format", "--pattern", source / "**/*.bicep")
    return [
        f"infra/{path.relative_to(source)}"
        for path, text in before.items()
        if path.read_text("utf-8") != text
    ]


def reformat() -> None:
    """Format the template in place."""
    _run("format", "--pattern", INFRA / "**/*.bicep")


def snapshot(settings: Mapping[str, str]) -> dict[str, Any]:
    """The resources of the template with these settings; raises `Refused`."""
    folder = _WORK / "snapshots" / _digest(json.dumps(dict(settings), sort_keys=True).encode())
    folder.mkdir(parents=True, exist_ok=True)
    # Compiled once: with the source, each variant would compile the template again.
    shutil.copy(compiled(), folder / "main.json")
    text = (INFRA / "main.bicepparam").read_text("utf-8")
    parameters = folder / "main.bicepparam"
    parameters.write_text(text.replace("using 'main.bicep'", "using 'main.json'"), "utf-8")
    done = _run(
        *("snapshot", parameters, "--mode", "overwrite", "--deployment-name", "main"),
        *("--subscription-id", SUBSCRIPTION, "--tenant-id", TENANT),
        *("--location", settings["AZURE_LOCATION"]),
        environment=settings,
    )
    result = folder / "main.snapshot.json"
    if done.returncode or not result.is_file():
        raise Refused(done.stderr + done.stdout)
    found: dict[str, Any] = json.loads(result.read_text("utf-8"))
    shutil.rmtree(folder)
    return found


@cache
def compiled() -> Path:
    """The compiled template; compiles it if it is not there yet. Raises `Refused`."""
    if not _template().is_file() and (said := build()):
        raise Refused(said)
    return _template()


def literals(resources: Iterable[Mapping[str, Any]]) -> list[str]:
    """Compile resources, written out with their final values, against Azure's own types.

    All of them go into one file. Returns what the compiler's type checks said.
    """
    folder = _WORK / f"literals-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["targetScope = 'resourceGroup'"]
    for at, resource in enumerate(resources):
        body = {key: value for key, value in resource.items() if key not in _NOT_WRITTEN}
        name = f"'{resource['type']}@{resource['apiVersion']}'"
        lines.append(f"resource r{at} {name} = {_literal(body)}")
    source = folder / "literals.bicep"
    source.write_text("\n".join(lines) + "\n", "utf-8")
    done = _run("build", source, "--stdout")
    shutil.rmtree(folder)
    said = done.stderr.replace(f"{source}", "literals").splitlines()
    # Not what the linter says: its rules are for files that people write.
    return [line for line in said if _TYPE_CHECK.search(line)]


_NOT_WRITTEN: Final = {"id", "type", "apiVersion", "dependsOn", "scope", "symbolicName"}


def _literal(value: Any) -> str:
    match value:
        case bool() | int():
            return json.dumps(value)
        case None:
            return "null"
        case str():
            escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
            escaped = escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
            return f"'{escaped}'"
        case list():
            return "[\n" + "\n".join(map(_literal, value)) + "\n]"
        case dict():
            pairs = (f"{_literal(str(key))}: {_literal(one)}" for key, one in value.items())
            return "{\n" + "\n".join(pairs) + "\n}"
    raise TypeError(type(value).__name__)


def _copy() -> Path:
    """A copy of the template beside the compiler's configuration, so that nothing is changed."""
    target = _WORK / f"source-{os.getpid()}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(INFRA, target, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return target


def _template() -> Path:
    """Where the compiled template of today's sources is kept."""
    parts = [path.read_bytes() for path in files(INFRA, "*") if path.is_file()]
    return _WORK / f"{_digest(b''.join(parts))}.json"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


@cache
def _configuration() -> Path:
    """The project's configuration, with our own types where Microsoft's cannot be fetched."""
    _WORK.mkdir(parents=True, exist_ok=True)
    source = INFRA / "bicepconfig.json"
    if _reaches_registry():
        return source
    folder = _WORK / f"graph-{os.getpid()}"
    index = graph_types.write(folder)
    packed = folder / "graph.tgz"
    subprocess.run(  # noqa: S603 - Microsoft's compiler
        [BICEP.path(), "publish-extension", index, "--target", packed, "--force"],
        check=True,
        capture_output=True,
        env=_environment({}),
    )
    configuration = json.loads(source.read_text("utf-8"))
    configuration["extensions"]["microsoftGraphV1"] = "./graph.tgz"
    target = folder / "bicepconfig.json"
    target.write_text(json.dumps(configuration), "utf-8")
    return target


def _reaches_registry() -> bool:
    try:
        socket.create_connection(_REGISTRY, timeout=_QUICK).close()
    except OSError:
        return False
    return True


def _run(
    command: str, *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - Microsoft's compiler
        [BICEP.path(), command, *arguments, "--config", _configuration()],
        check=False,
        text=True,
        capture_output=True,
        env=_environment(environment or {}),
    )


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Only what a run needs: settings of this machine must not reach the template."""
    own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return own | _RUNTIME | dict(settings)
