"""azure.yaml says only what azd understands, and names what exists.

The parts that we use, as in azd's published schema (Azure/azure-dev, schemas/v1.0/azure.yaml.json
at ae35809, which the file matched as a whole). azd ignores a misspelt name in some places.
"""

import os
import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.sources import ROOT

FILE: dict[str, Any] = yaml.safe_load((ROOT / "azure.yaml").read_text("utf-8"))
KNOWN = {
    "": {"name", "requiredVersions", "infra", "services", "hooks"},
    "infra": {"provider", "path", "module"},
    "service": {"project", "host", "language", "dist", "remoteBuild", "hooks"},
    "hook": {"shell", "run"},
}
PROJECT_HOOKS = {"preprovision", "postprovision", "preup", "postup", "predeploy", "postdeploy"}
SERVICE_HOOKS = {"prepackage", "postpackage", "predeploy", "postdeploy", "prebuild", "postbuild"}

HOOKS = [
    *FILE["hooks"].values(),
    *(hook for service in FILE["services"].values() for hook in service["hooks"].values()),
]


def test_only_known_names_are_used() -> None:
    assert FILE.keys() <= KNOWN[""]
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", FILE["name"])
    assert FILE["infra"].keys() <= KNOWN["infra"]
    assert FILE["hooks"].keys() <= PROJECT_HOOKS
    for service in FILE["services"].values():
        assert service.keys() <= KNOWN["service"]
        assert (service["host"], service["language"]) == ("function", "python")
        assert service["remoteBuild"] is False
        assert service["hooks"].keys() <= SERVICE_HOOKS
    for hook in HOOKS:
        assert hook.keys() == KNOWN["hook"]
        assert hook["shell"] == "sh"


def test_named_files_exist() -> None:
    assert (ROOT / FILE["infra"]["path"] / f"{FILE['infra']['module']}.bicep").is_file()
    assert (ROOT / FILE["infra"]["path"] / f"{FILE['infra']['module']}.bicepparam").is_file()


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["run"][:30])
def test_scripts_can_be_started(hook: dict[str, str]) -> None:
    """Azd starts a script by its path, so it needs its first line and the right to be executed."""
    first = hook["run"].split()[0]
    if first == "make":
        assert f"\n{hook['run'].split()[1]}:" in (ROOT / "Makefile").read_text("utf-8")
        return
    assert os.access(ROOT / first, os.X_OK)
    assert (ROOT / first).read_text("utf-8").startswith("#!/usr/bin/env bash\n")


def test_values_that_hooks_read_are_outputs_of_the_template() -> None:
    outputs = set(
        re.findall(r"^output (\w+)", (ROOT / "infra/main.bicep").read_text("utf-8"), re.MULTILINE)
    )
    read = {name for hook in HOOKS for name in re.findall(r"\$(\w+)", hook["run"])}

    assert read == {"keyVaultName"}
    assert read <= outputs


def test_service_is_found_by_its_tag() -> None:
    (name,) = FILE["services"]
    functions = (ROOT / "infra/modules/functions.bicep").read_text("utf-8")

    assert f"'azd-service-name': '{name}'" in functions
    assert "'azd-env-name': environmentName" in (ROOT / "infra/main.bicep").read_text("utf-8")
