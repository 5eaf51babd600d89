"""The Bicep files as data: parameters, resources, modules and outputs, parsed by pycep.

pycep knows the syntax but no types. Expressions are strings as they are written.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pycep import BicepParser

from tests.sources import ROOT, files

INFRA: Final = ROOT / "infra"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as it is declared."""

    file: str
    name: str
    type: str
    version: str
    existing: bool
    config: Mapping[str, Any]

    @property
    def where(self) -> str:
        """The resource's name in test ids."""
        return f"{self.file}:{self.name}"


@dataclass(frozen=True, slots=True)
class File:
    """One Bicep file."""

    name: str
    parsed: Mapping[str, Any]

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """Its parameters, each with its default, if any, and its decorators."""
        return dict(self.parsed.get("parameters", {}))

    @property
    def outputs(self) -> Mapping[str, Mapping[str, Any]]:
        """Its outputs."""
        return dict(self.parsed.get("outputs", {}))

    @property
    def variables(self) -> Mapping[str, Mapping[str, Any]]:
        """Its variables."""
        return dict(self.parsed.get("variables", {}))

    @property
    def modules(self) -> Mapping[str, Mapping[str, Any]]:
        """The modules it calls, by symbol."""
        return dict(self.parsed.get("modules", {}))

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Its resources, without those nested in others."""
        return tuple(
            Resource(
                self.name,
                name,
                found["type"],
                found["api_version"],
                bool(found.get("existing")),
                body(found),
            )
            for name, found in self.parsed.get("resources", {}).items()
        )


def body(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body of a resource or module, also inside a loop or a condition."""
    config = found.get("config")
    while isinstance(config, Mapping) and "config" in config and "condition" in config:
        config = config["config"]
    return config if isinstance(config, Mapping) else {}


def decorator(found: Mapping[str, Any], kind: str) -> Any:
    """The argument of a decorator of this kind, or None."""
    for one in found.get("decorators") or ():
        if one.get("type") == kind:
            return one.get("argument")
    return None


@cache
def _parser() -> BicepParser:
    """One parser for all files: it takes longer to load than to parse a file."""
    return BicepParser()


@cache
def read(name: str) -> File:
    """Parse one file below infra/; pycep's error names the place of a syntax error."""
    text = (INFRA / name).read_text("utf-8")
    return File(name, _parser().parse(text=text))


def names() -> tuple[str, ...]:
    """All Bicep files below infra/."""
    return tuple(path.relative_to(INFRA).as_posix() for path in files(INFRA, "*.bicep"))


def resources() -> Iterator[Resource]:
    """Each resource of all files."""
    for name in names():
        yield from read(name).resources
