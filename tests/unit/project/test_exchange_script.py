"""The script for Exchange RBAC for Applications calls only what Microsoft documents.

A grammar parses the script. `tests/infra/exchange` runs it.
"""

import re
from collections.abc import Iterator

import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from shared.domain.tenancy.permissions import PERMISSIONS
from tests import sources

SCRIPT = sources.text("infra/exchange-rbac.ps1")
TREE = Parser(Language(tree_sitter_powershell.language())).parse(SCRIPT.encode()).root_node

DOCUMENTED = {
    # docs: ExchangePowerShell, one page each
    "Connect-ExchangeOnline": "ShowBanner DisableWAM",
    "Disconnect-ExchangeOnline": "Confirm WhatIf",
    "Get-Group": "Identity",
    "Get-ServicePrincipal": "Identity",
    "New-ServicePrincipal": "AppId ObjectId DisplayName",
    "Remove-ServicePrincipal": "Identity Confirm",
    "Get-ManagementScope": "Identity",
    "New-ManagementScope": "Name RecipientRestrictionFilter",
    "Set-ManagementScope": "Identity RecipientRestrictionFilter",
    "Remove-ManagementScope": "Identity Confirm",
    "Get-ManagementRoleAssignment": "Identity Role",
    "New-ManagementRoleAssignment": (
        "Name App Role CustomResourceScope RecipientAdministrativeUnitScope"
    ),
    "Set-ManagementRoleAssignment": "Identity CustomResourceScope RecipientAdministrativeUnitScope",
    "Remove-ManagementRoleAssignment": "Identity Confirm",
    "Test-ServicePrincipalAuthorization": "Identity Resource",
    # docs: Microsoft.Graph.Authentication, Microsoft.Graph.Applications, one page each
    "Connect-MgGraph": "Scopes ContextScope NoWelcome",
    "Disconnect-MgGraph": "ErrorAction",
    "Get-MgServicePrincipal": "Filter",
    "New-MgServicePrincipal": "AppId",
    "Get-MgServicePrincipalAppRoleAssignment": "ServicePrincipalId All",
    "New-MgServicePrincipalAppRoleAssignment": (
        "ServicePrincipalId PrincipalId ResourceId AppRoleId"
    ),
    "Remove-MgServicePrincipalAppRoleAssignment": "ServicePrincipalId AppRoleAssignmentId",
    # docs: about_Functions, Microsoft.PowerShell.Core and .Utility
    "Set-StrictMode": "Version",
    "Start-Sleep": "Seconds",
    "Where-Object": "",
    "ForEach-Object": "",
    "Out-Null": "",
    "Write-Output": "",
    "Write-Warning": "",
}


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    for child in node.children:
        yield from walk(child)


def all_of(kind: str, below: Node = TREE) -> list[Node]:
    return [node for node in walk(below) if node.type == kind]


def text(node: Node | None) -> str:
    return (node.text or b"").decode() if node is not None else ""


def name(command: Node) -> str:
    return text(next(iter(all_of("command_name", command)), None))


OWN = {text(node) for node in all_of("function_name")}
# A block that is called has no name.
FOREIGN = [command for command in all_of("command") if name(command) not in OWN | {""}]


def test_script_parses_as_powershell() -> None:
    assert not TREE.has_error
    assert len(FOREIGN) > 20


def test_script_calls_only_documented_cmdlets_and_parameters() -> None:
    for command in FOREIGN:
        assert name(command) in DOCUMENTED
        known = {f"-{parameter}" for parameter in DOCUMENTED[name(command)].split()}
        own = [e for e in command.children if e.type == "command_elements"]
        given = {text(p) for e in own for p in e.children if p.type == "command_parameter"}
        assert given <= known, name(command)


def test_splatted_parameters_are_documented() -> None:
    spread = set(re.findall(r"\$scope = @\{ (\w+) =", SCRIPT))

    assert spread == {"CustomResourceScope", "RecipientAdministrativeUnitScope"}
    for cmdlet in ("New-ManagementRoleAssignment", "Set-ManagementRoleAssignment"):
        assert spread <= set(DOCUMENTED[cmdlet].split())


def test_script_moves_only_mailbox_permissions() -> None:
    named = re.search(r"^\$Permissions = (.+)$", SCRIPT, re.MULTILINE)

    assert named is not None
    assert set(re.findall(r"'([^']+)'", named[1])) == {
        permission.name for permission in PERMISSIONS if not permission.needed
    }


def test_script_grants_only_directory_permissions_and_after_the_scope_is_verified() -> None:
    named = re.search(r"^\$DirectoryPermissions = (.+)$", SCRIPT, re.MULTILINE)
    body = next(text(f) for f in all_of("function_statement") if "function Set-All" in text(f))

    assert named is not None
    assert set(re.findall(r"'([^']+)'", named[1])) == {
        permission.name for permission in PERMISSIONS if permission.needed
    }
    assert (
        body.index("Assert-Scope") < body.index("Remove-TenantWide") < body.index("Add-Directory")
    )


def test_tenant_wide_permissions_are_removed_only_after_the_scope_is_verified() -> None:
    body = next(text(f) for f in all_of("function_statement") if "function Set-All" in text(f))
    steps = ["Set-Assignment", "Assert-Scope", "Remove-TenantWide", "Get-TenantWide"]

    assert sorted(steps, key=body.index) == steps


def test_every_parameter_is_documented() -> None:
    block = next(iter(all_of("param_block")))
    declared = all_of("script_parameter", block)
    parameters = {text(all_of("variable", p)[-1]).strip("$") for p in declared}

    assert len(parameters) == 9
    assert parameters == set(re.findall(r"^\.PARAMETER (\w+)$", SCRIPT, re.MULTILINE))


def test_no_two_variables_differ_only_in_case() -> None:
    """PowerShell treats $Inside and $inside as the same variable."""
    spellings: dict[str, set[str]] = {}
    for variable in all_of("variable"):
        spellings.setdefault(text(variable).lower(), set()).add(text(variable))
    # The loop variable is passed on as the parameter of the same name.
    del spellings["$permission"]

    assert [found for found in spellings.values() if len(found) > 1] == []


def test_names_of_exchange_objects_fit_the_length_limit() -> None:
    """At most 64 characters (docs: New-ManagementRoleAssignment, New-ManagementScope)."""
    longest = max((permission.name for permission in PERMISSIONS), key=len)

    assert '$OurName = "Contact Sync $("$AppId".Substring(0, 8))"' in SCRIPT
    assert len(f"Contact Sync 12345678 {longest}") <= 64
