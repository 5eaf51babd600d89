"""Runs Microsoft's Bicep compiler over the template: build, format, and the resources of a variant.

A snapshot evaluates the template's own expressions as Azure Resource Manager would: each resource
with its final name and values; what only Azure knows stays an expression.
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

from tests.infra.compiler import graph_types, rpc
from tests.infra.compiler.tools import BICEP
from tests.infra.compiler.variants import SUBSCRIPTION, TENANT
from tests.infra.readers.bicep import INFRA
from tests.sources import ROOT, files

_WORK: Final = ROOT / "build" / "bicep"
_REGISTRY: Final = ("mcr.microsoft.com", 443)
_QUICK: Final = 2.0
# Not BCP121: resources of several parents may have one name.
_TYPE_CHECK: Final = re.compile(r" (?:Error|Warning) BCP(?!121)\d+")
_SETTING: Final = re.compile(r"readEnvironmentVariable\('(\w+)'(?:, ('[^']*'))?\)")


_RUNTIME: Final = {
    # Machines without ICU run the compiler only without cultures, which it does not use.
    "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
    # Each process is short: collecting its garbage and compiling its code twice take much CPU.
    "DOTNET_gcConcurrent": "0",
    "DOTNET_GCgen0size": "8000000",
    "DOTNET_TieredPGO": "0",
    "DOTNET_TC_CallCountThreshold": "200",
}


class Refused(Exception):
    """The compiler refused something; the text is what it said."""


def build() -> str:
    """Compile the template with all its modules; return what the compiler said, if anything."""
    source = _copy()
    done = _server().call("bicep/compile", path=str(source / "main.bicep"))
    said = [f"infra/{line}" for line in rpc.diagnostics(done, source)]
    if not said:
        ready = source / "main.json"
        ready.write_text(done["contents"], "utf-8")
        # Several processes may do this at once.
        ready.replace(_template())
    return "\n".join(said)


def misformatted() -> list[str]:
    """The files that `bicep format` would change."""
    return [
        f"infra/{path.relative_to(INFRA)}"
        for path in files(INFRA, "*.bicep")
        if _server().call("bicep/format", path=str(path))["contents"] != path.read_text("utf-8")
    ]


def reformat() -> None:
    """Format the template in place."""
    _run("format", "--pattern", INFRA / "**/*.bicep")


def snapshot(settings: Mapping[str, str]) -> dict[str, Any]:
    """The resources of the template with these settings; raises `Refused`.

    The settings stand in the file of parameters instead of the calls that read the environment,
    because one process has one environment. `make lint` compares with `snapshot_by_command`.
    """
    text = _SETTING.sub(lambda match: _value(settings, match), _parameters_text())
    folder = _parameters(text)
    try:
        done = _server().call(
            "bicep/getSnapshot",
            path=str(folder / "main.bicepparam"),
            metadata={
                "tenantId": TENANT,
                "subscriptionId": SUBSCRIPTION,
                "resourceGroup": None,
                "location": settings["AZURE_LOCATION"],
                "deploymentName": "main",
            },
            externalInputs=None,
        )
    except rpc.Failed as error:
        raise Refused(str(error)) from error
    finally:
        shutil.rmtree(folder)
    found: dict[str, Any] = json.loads(done["snapshot"])
    return found


def snapshot_by_command(settings: Mapping[str, str]) -> dict[str, Any]:
    """The same, by the compiler's command, which reads the settings from its environment."""
    folder = _parameters(_parameters_text())
    done = _run(
        *("snapshot", folder / "main.bicepparam", "--mode", "overwrite"),
        *("--subscription-id", SUBSCRIPTION, "--tenant-id", TENANT, "--deployment-name", "main"),
        *("--location", settings["AZURE_LOCATION"]),
        environment=settings,
    )
    result = folder / "main.snapshot.json"
    if done.returncode or not result.is_file():
        raise Refused(done.stderr + done.stdout)
    found: dict[str, Any] = json.loads(result.read_text("utf-8"))
    shutil.rmtree(folder)
    return found


def _value(settings: Mapping[str, str], match: re.Match[str]) -> str:
    name, default = match.groups()
    if name in settings:
        return _literal(settings[name])
    if default is None:
        raise Refused(f"{name} is not set.")
    return str(default)


def _parameters_text() -> str:
    # Compiled once: with the source, each variant would compile the template again.
    text = (INFRA / "main.bicepparam").read_text("utf-8")
    return text.replace("using 'main.bicep'", "using 'main.json'")


def _parameters(text: str) -> Path:
    """A folder with the compiled template and a file of parameters for it."""
    folder = _WORK / f"snapshot-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(compiled(), folder / "main.json")
    (folder / "main.bicepparam").write_text(text, "utf-8")
    _configure(folder)
    return folder


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
    _configure(folder)
    done = _server().call("bicep/compile", path=str(source))
    shutil.rmtree(folder)
    # Not what the linter says: its rules are for files that people write.
    return [line for line in rpc.diagnostics(done, folder) if _TYPE_CHECK.search(line)]


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
    """A copy of the template with the configuration, so that nothing is changed."""
    target = _WORK / f"source-{os.getpid()}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(INFRA, target, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    _configure(target)
    return target


def _template() -> Path:
    """Where the compiled template of today's sources is kept."""
    parts = [path.read_bytes() for path in files(INFRA, "*") if path.is_file()]
    return _WORK / f"{_digest(b''.join(parts))}.json"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _configure(folder: Path) -> None:
    """Write the project's configuration, with our own types where Microsoft's cannot be fetched."""
    configuration = json.loads((INFRA / "bicepconfig.json").read_text("utf-8"))
    if (types := _types()) is not None:
        # The compiler takes only paths that are relative to the configuration.
        configuration["extensions"]["microsoftGraphV1"] = f"../{types.relative_to(_WORK)}"
    (folder / "bicepconfig.json").write_text(json.dumps(configuration), "utf-8")


@cache
def _types() -> Path | None:
    """Our own types of Microsoft Graph's resources, packed; None if Microsoft's can be fetched."""
    if _reaches_registry():
        return None
    folder = _WORK / f"graph-{_digest(Path(graph_types.__file__).read_bytes())}"
    packed = folder / "graph.tgz"
    if not packed.is_file():
        index = graph_types.write(folder)
        # Several processes may do this at once.
        own = folder / f"{os.getpid()}.tgz"
        subprocess.run(  # noqa: S603 - Microsoft's compiler
            [BICEP.path(), "publish-extension", index, "--target", own, "--force"],
            check=True,
            capture_output=True,
            env=_environment({}),
        )
        own.replace(packed)
    return packed


def _reaches_registry() -> bool:
    try:
        socket.create_connection(_REGISTRY, timeout=_QUICK).close()
    except OSError:
        return False
    return True


def _server() -> rpc.Server:
    return rpc.server(tuple(_environment({}).items()))


def _run(
    command: str, *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - Microsoft's compiler
        [BICEP.path(), command, *arguments],
        check=False,
        text=True,
        capture_output=True,
        env=_environment(environment or {}),
    )


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Only what a run needs: settings of this machine must not reach the template."""
    own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return own | _RUNTIME | dict(settings)
