<#
.SYNOPSIS
Lets Contact Sync write contacts in some mailboxes only, by Exchange RBAC for Applications.

.DESCRIPTION
The ordinary admin consent opens all mailboxes to the app. This script gives the same permissions in
Exchange instead, for the mailboxes of a scope, takes the tenant-wide ones away in Entra ID, and
proves the outcome with one mailbox inside the scope and one outside of it.

Run it after joining (the app's enterprise application must be there). It may be run again: what
exists already is kept. Exchange takes 30 minutes to 2 hours until a change counts everywhere.

Grants add up: as long as Entra ID grants Contacts.ReadWrite for the tenant, no scope limits it.

Needs the PowerShell modules ExchangeOnlineManagement, Microsoft.Graph.Authentication and
Microsoft.Graph.Applications; in Exchange the role group Organization Management, in Entra ID the
role Privileged Role Administrator.

Docs: Role Based Access Control for Applications in Exchange Online (application-rbac),
New-ServicePrincipal, New-ManagementScope, New-ManagementRoleAssignment,
Test-ServicePrincipalAuthorization, serviceprincipal-delete-approleassignments.

.PARAMETER AppId
The application (client) id of Contact Sync.

.PARAMETER RecipientFilter
Which mailboxes the app may write to, as a filter of New-ManagementScope. For a group, for example:
"MemberOfGroup -eq 'CN=...'" with the group's DistinguishedName.

.PARAMETER AdministrativeUnit
Instead of a filter: the object id of an administrative unit that holds the mailboxes.

.PARAMETER Inside
A mailbox in the scope, to prove that it is open.

.PARAMETER Outside
A mailbox outside of the scope, to prove that it is closed.

.PARAMETER Remove
Takes the role assignments and the scope away again. It does not grant anything tenant-wide.

.EXAMPLE
./exchange-rbac.ps1 -AppId $id -RecipientFilter "CustomAttribute1 -eq 'ContactSync'" -Inside ada@contoso.example -Outside bob@contoso.example -WhatIf
#>
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High', DefaultParameterSetName = 'Filter')]
param(
    [Parameter(Mandatory)] [guid] $AppId,
    [Parameter(Mandatory, ParameterSetName = 'Filter')] [string] $RecipientFilter,
    [Parameter(Mandatory, ParameterSetName = 'Unit')] [guid] $AdministrativeUnit,
    [Parameter(Mandatory, ParameterSetName = 'Filter')]
    [Parameter(Mandatory, ParameterSetName = 'Unit')] [string] $Inside,
    [Parameter(Mandatory, ParameterSetName = 'Filter')]
    [Parameter(Mandatory, ParameterSetName = 'Unit')] [string] $Outside,
    [Parameter(Mandatory, ParameterSetName = 'Remove')] [switch] $Remove
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Permissions = 'Contacts.ReadWrite', 'MailboxSettings.ReadWrite'
$ScopeName = 'Contact Sync mailboxes'
$GraphAppId = '00000003-0000-0000-c000-000000000000'

Connect-ExchangeOnline -ShowBanner:$false
Connect-MgGraph -Scopes 'Application.Read.All', 'AppRoleAssignment.ReadWrite.All' -NoWelcome

$app = Get-MgServicePrincipal -Filter "appId eq '$AppId'"
if (-not $app) {
    throw "There is no enterprise application of the app id $AppId here: join first."
}

function Get-OurAssignment([string] $Role) {
    Get-ManagementRoleAssignment -RoleAssignee $app.Id -ErrorAction SilentlyContinue |
        Where-Object { $_.Role -eq $Role }
}

if ($Remove) {
    foreach ($permission in $Permissions) {
        foreach ($assignment in @(Get-OurAssignment "Application $permission")) {
            if ($PSCmdlet.ShouldProcess($assignment.Name, 'Remove the role assignment')) {
                Remove-ManagementRoleAssignment -Identity $assignment.Identity -Confirm:$false
            }
        }
    }
    if ((Get-ManagementScope -Identity $ScopeName -ErrorAction SilentlyContinue) -and
        $PSCmdlet.ShouldProcess($ScopeName, 'Remove the management scope')) {
        Remove-ManagementScope -Identity $ScopeName -Confirm:$false
    }
    return
}

$pointer = Get-ServicePrincipal -ErrorAction SilentlyContinue |
    Where-Object { $_.AppId -eq $AppId }
if (-not $pointer -and $PSCmdlet.ShouldProcess($app.DisplayName, 'Make it known to Exchange')) {
    # The object id of the enterprise application, not that of an app registration.
    New-ServicePrincipal -AppId $AppId -ObjectId $app.Id -DisplayName $app.DisplayName | Out-Null
}

if ($RecipientFilter) {
    $scope = Get-ManagementScope -Identity $ScopeName -ErrorAction SilentlyContinue
    if (-not $scope -and $PSCmdlet.ShouldProcess($ScopeName, 'Create the management scope')) {
        New-ManagementScope -Name $ScopeName -RecipientRestrictionFilter $RecipientFilter | Out-Null
    }
    elseif ($scope -and $scope.RecipientFilter -ne $RecipientFilter -and
        $PSCmdlet.ShouldProcess($ScopeName, 'Change the management scope')) {
        Set-ManagementScope -Identity $ScopeName -RecipientRestrictionFilter $RecipientFilter
    }
}

foreach ($permission in $Permissions) {
    $role = "Application $permission"
    if (-not (Get-OurAssignment $role) -and $PSCmdlet.ShouldProcess($role, 'Assign the role')) {
        $where = if ($RecipientFilter) { @{ CustomResourceScope = $ScopeName } }
        else { @{ RecipientAdministrativeUnitScope = "$AdministrativeUnit" } }
        New-ManagementRoleAssignment -App $app.Id -Role $role @where | Out-Null
    }
}

$graph = Get-MgServicePrincipal -Filter "appId eq '$GraphAppId'"
$wide = $graph.AppRoles | Where-Object { $_.Value -in $Permissions } | ForEach-Object Id
Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $app.Id -All |
    Where-Object { $_.ResourceId -eq $graph.Id -and $_.AppRoleId -in $wide } |
    ForEach-Object {
        if ($PSCmdlet.ShouldProcess($_.AppRoleId, 'Take the tenant-wide permission away')) {
            Remove-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $app.Id -AppRoleAssignmentId $_.Id
        }
    }

if ($WhatIfPreference) {
    return
}

function Test-Opened([string] $Mailbox, [string] $Role) {
    $rows = @(Test-ServicePrincipalAuthorization -Identity $app.Id -Resource $Mailbox |
            Where-Object { $_.RoleName -eq $Role })
    return @($rows | Where-Object { "$($_.InScope)" -eq 'True' }).Count -gt 0
}

foreach ($permission in $Permissions) {
    $role = "Application $permission"
    if (-not (Test-Opened $Inside $role)) {
        throw "$role does not open $Inside. Check the scope; then run the script again."
    }
    if (Test-Opened $Outside $role) {
        throw "$role opens $Outside too. Narrow the scope; then run the script again."
    }
}
Write-Output "Proved: the app may write to $Inside and not to $Outside (within 2 hours everywhere)."
