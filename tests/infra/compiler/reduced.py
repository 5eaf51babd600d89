"""What each variant deploys, as lines that a reviewer can read; `make snapshots` writes them.

`infra/snapshots/default.txt` has one line per value. The other files hold the lines that differ
from it. What differs in every line stands as a placeholder: the name, the region and the unique
part. Tags are left out, and so are long texts such as queries and policies, which have files of
their own.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.infra.compiler import bicep
from tests.infra.compiler.variants import SUBSCRIPTION, VARIANTS
from tests.infra.readers.bicep import INFRA

FOLDER: Final = INFRA / "snapshots"
_LONGEST: Final = 300
_LEFT_OUT: Final = {"id", "type", "apiVersion", "name", "dependsOn", "symbolicName", "tags"}


@cache
def resources(variant: str) -> tuple[Mapping[str, Any], ...]:
    """The resources of a variant."""
    return tuple(bicep.snapshot(VARIANTS[variant])["predictedResources"])


def lines(variant: str) -> list[str]:
    """One line for each value of a variant."""
    short = _placeholders(variant)
    found = []
    for resource in resources(variant):
        label = f"{resource['type'].split('@')[0]} {name(resource)}"
        for line in ("", *_flat(resource)):
            text = f"{label} {line}".rstrip()
            for long, placeholder in short.items():
                text = text.replace(long, placeholder)
            found.append(text)
    return sorted(set(found))


def differing(variant: str) -> list[str]:
    """The lines of a variant that the default has not, and those that it lacks."""
    ours, default = set(lines(variant)), set(lines("default"))
    marked = [f"- {line}" for line in default - ours] + [f"+ {line}" for line in ours - default]
    return sorted(marked, key=lambda line: (line[2:], line[0]))


def files() -> Iterator[tuple[Path, str]]:
    """Each committed file and what it should hold."""
    for variant in VARIANTS:
        found = lines(variant) if variant == "default" else differing(variant)
        yield FOLDER / f"{variant}.txt", "\n".join(found) + "\n"


def name(resource: Mapping[str, Any]) -> str:
    """What a resource is called, where its own name says nothing by its properties."""
    properties = resource.get("properties", {})
    if resource["type"] == "Microsoft.Authorization/roleAssignments":
        return f"({properties['description'].split('.')[0]})"
    if resource["type"] == "Microsoft.Insights/workbooks":
        return str(properties["displayName"])
    return str(
        resource.get("name") or properties.get("name") or properties.get("uniqueName") or "-"
    )


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for path, text in files():
        path.write_text(text, "utf-8")


def _placeholders(variant: str) -> dict[str, str]:
    settings = VARIANTS[variant]
    stamp, region = f"contactsync-{settings['AZURE_ENV_NAME']}", settings["AZURE_LOCATION"]
    (account,) = {
        str(found["name"])
        for found in resources(variant)
        if found["type"] == "Microsoft.Storage/storageAccounts"
    }
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-{stamp}-{region}/providers/"
    return {
        group: "",
        account.removeprefix("stcontactsync"): "{unique}",
        stamp: "{stamp}",
        region: "{region}",
    }


def _flat(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, one in value.items():
            if key not in (_LEFT_OUT if not path else {"name"} if path.endswith("]") else ()):
                yield from _flat(one, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for at, one in enumerate(value):
            # Settings are told by their name, so that one more does not change all after it.
            label = one.get("name", at) if isinstance(one, Mapping) else at
            yield from _flat(one, f"{path}[{label}]")
    elif value is not None:
        text = str(value)
        yield f"{path} = {'(long text)' if len(text) > _LONGEST or '\n' in text else text}"


if __name__ == "__main__":
    main()
