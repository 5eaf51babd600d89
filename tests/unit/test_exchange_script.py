"""The script for Exchange RBAC names just the permissions that the app can do with, in Exchange."""

import re
from pathlib import Path

from shared.domain.permissions import PERMISSIONS

SCRIPT = (Path(__file__).parents[2] / "infra" / "exchange-rbac.ps1").read_text("utf-8")


def test_the_script_moves_just_the_permissions_that_exchange_can_give() -> None:
    named = re.search(r"^\$Permissions = (.+)$", SCRIPT, re.MULTILINE)

    assert named is not None
    assert set(re.findall(r"'([^']+)'", named[1])) == {
        permission.name for permission in PERMISSIONS if not permission.needed
    }


def test_whatever_the_script_changes_can_be_looked_at_first() -> None:
    """Each changing cmdlet stands behind ShouldProcess, so that -WhatIf changes nothing."""
    code = re.sub(r"<#.*?#>|#[^\n]*", "", SCRIPT, flags=re.DOTALL)
    lines = code.splitlines()
    changing = [
        number
        for number, line in enumerate(lines)
        if re.search(r"\b(New|Set|Remove)-(?!StrictMode)[A-Z]\w+", line)
    ]

    assert len(changing) >= 6
    for number in changing:
        assert "ShouldProcess" in "\n".join(lines[max(0, number - 5) : number + 1]), lines[number]


def test_every_parameter_is_explained() -> None:
    parameters = set(re.findall(r"\] \[(?:guid|string|switch)\] \$(\w+)", SCRIPT))

    assert parameters == set(re.findall(r"^\.PARAMETER (\w+)$", SCRIPT, re.MULTILINE))
