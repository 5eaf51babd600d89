<#
.SYNOPSIS
Lets Contact Sync write to some mailboxes only, by Exchange RBAC for Applications.

.DESCRIPTION
The ordinary admin consent opens every mailbox of the organisation to the app. This script gives the
two permissions for mailboxes in Exchange instead, for the mailboxes of a scope, proves with two
mailboxes that the scope is right, and only then takes the tenant-wide grants away in Entra ID. The
permissions to read the directory stay as they are.

Run it once the admin consent has been granted, in a new PowerShell session of its own: it signs in
twice (Microsoft Graph, Exchange Online) and signs out of both. It may be run again at any time, to
change the scope or to go on where it was cut short: what is there already is kept.

Grants add up: while Entra ID grants Contacts.ReadWrite, no scope limits it. Whoever grants the admin
consent anew grants it again; so run the script again after that.

Exchange takes 30 minutes until a change counts, and up to 2 hours while the app goes on asking. The
proof does not wait for that. Until then mailboxes may end as access_denied; the next run goes on.

Needed: in Exchange, membership of Organization Management; in Entra ID, Exchange Administrator and
Privileged Role Administrator (or Cloud Application Administrator).

.PARAMETER AppId
The application (client) id of Contact Sync, as under Enterprise applications.

.PARAMETER Group
The scope as a group: a Microsoft 365 group, mail-enabled security group or distribution list, by
name, address or id. Its direct members are in scope, those of groups within it are not.

.PARAMETER RecipientFilter
The scope as a filter over mailboxes, as New-ManagementScope takes it in RecipientRestrictionFilter.

.PARAMETER AdministrativeUnit
The scope as an administrative unit of Entra ID, by its object id.

.PARAMETER Inside
A mailbox in the scope, to prove that it is open.

.PARAMETER Outside
A mailbox outside of the scope, to prove that it is closed.

.PARAMETER Remove
Takes away what this script made in Exchange; the app can then open no mailbox. It grants nothing in
Entra ID: that is for the admin consent.

.EXAMPLE
./exchange-rbac.ps1 -AppId $id -Group contact-sync@contoso.com -Inside ada@contoso.com -Outside bob@contoso.com -WhatIf

Shows what would be done for the members of a group.

.EXAMPLE
./exchange-rbac.ps1 -AppId $id -RecipientFilter "CustomAttribute1 -eq 'ContactSync'" -Inside ada@contoso.com -Outside bob@contoso.com

.EXAMPLE
./exchange-rbac.ps1 -AppId $id -Remove

.NOTES
Sources. Exchange: application-rbac (Role Based Access Control for Applications in Exchange Online:
roles, scopes, limits, MemberOfGroup, that the test leaves out what Entra ID grants).
ExchangePowerShell: Connect-ExchangeOnline, Get-Group, Get-, New- and Remove-ServicePrincipal, Get-,
New-, Set- and Remove-ManagementScope, Get-, New-, Set- and Remove-ManagementRoleAssignment,
Test-ServicePrincipalAuthorization. Microsoft Graph: serviceprincipal-list-approleassignments,
serviceprincipal-delete-approleassignments (least permissions and roles), permissions-reference.

Graph comes before Exchange, and Exchange without the sign-in broker, since the two modules cannot
load each other's sign-in library (GitHub: microsoftgraph/msgraph-sdk-powershell#3394).
#>
#Requires -Version 7.2
#Requires -Modules @{ ModuleName = 'ExchangeOnlineManagement'; ModuleVersion = '3.7.2' }
#Requires -Modules Microsoft.Graph.Authentication, Microsoft.Graph.Applications

[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High', DefaultParameterSetName = 'Group')]
param(
    [Parameter(Mandatory)]
    [guid] $AppId,

    [Parameter(Mandatory, ParameterSetName = 'Group')]
    [ValidateNotNullOrEmpty()]
    [string] $Group,

    [Parameter(Mandatory, ParameterSetName = 'Filter')]
    [ValidateNotNullOrEmpty()]
    [string] $RecipientFilter,

    [Parameter(Mandatory, ParameterSetName = 'Unit')]
    [guid] $AdministrativeUnit,

    [Parameter(Mandatory, ParameterSetName = 'Group')]
    [Parameter(Mandatory, ParameterSetName = 'Filter')]
    [Parameter(Mandatory, ParameterSetName = 'Unit')]
    [ValidateNotNullOrEmpty()]
    [string] $Inside,

    [Parameter(Mandatory, ParameterSetName = 'Group')]
    [Parameter(Mandatory, ParameterSetName = 'Filter')]
    [Parameter(Mandatory, ParameterSetName = 'Unit')]
    [ValidateNotNullOrEmpty()]
    [string] $Outside,

    [Parameter(Mandatory, ParameterSetName = 'Remove')]
    [switch] $Remove
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$Permissions = 'Contacts.ReadWrite', 'MailboxSettings.ReadWrite'
$GraphAppId = '00000003-0000-0000-c000-000000000000'
# Each app has its own, so that two installations go together; a name has 64 letters at most.
$OurName = "Contact Sync $("$AppId".Substring(0, 8))"

function Get-OurAssignment([string] $Permission) {
    # Listed and compared: Exchange answers an unknown Identity with everything there is.
    Get-ManagementRoleAssignment -Role "Application $Permission" |
        Where-Object { $_.Name -eq "$OurName $Permission" }
}

function Get-OurScope {
    Get-ManagementScope | Where-Object { $_.Name -eq $OurName }
}

function Get-Pointer {
    Get-ServicePrincipal | Where-Object { "$($_.AppId)" -eq "$AppId" }
}

function Get-WantedFilter {
    if ($PSCmdlet.ParameterSetName -eq 'Filter') {
        return $RecipientFilter
    }
    $found = @(Get-Group -Identity $Group)
    if ($found.Count -ne 1) {
        throw "$($found.Count) groups are called $Group. Give the address of one."
    }
    "MemberOfGroup -eq '$($found[0].DistinguishedName -replace "'", "''")'"
}

function Set-Scope {
    $filter = Get-WantedFilter
    if (-not (Get-OurScope)) {
        if ($PSCmdlet.ShouldProcess($OurName, "Create the management scope: $filter")) {
            New-ManagementScope -Name $OurName -RecipientRestrictionFilter $filter | Out-Null
        }
    }
    elseif ((Get-OurScope).RecipientFilter -ne $filter -and
        $PSCmdlet.ShouldProcess($OurName, "Change the management scope: $filter")) {
        Set-ManagementScope -Identity $OurName -RecipientRestrictionFilter $filter
    }
}

function Set-Assignment([string] $Permission, [hashtable] $Where, [string] $ObjectId) {
    $name, $role = "$OurName $Permission", "Application $Permission"
    if (-not (Get-OurAssignment $Permission)) {
        if ($PSCmdlet.ShouldProcess($name, "Assign the role $role to the app")) {
            New-ManagementRoleAssignment -Name $name -App $ObjectId -Role $role @Where | Out-Null
        }
    }
    elseif ($PSCmdlet.ShouldProcess($name, "Let it have the scope $($Where.Values)")) {
        Set-ManagementRoleAssignment -Identity $name @Where
    }
}

function Get-Verdict([string] $Mailbox, [string] $Permission, [string] $ObjectId) {
    # By what a role grants, not by its name: a wider role of somebody else's counts as well.
    $word = "(?<![\w.])$([regex]::Escape($Permission))(?![\w.])"
    @(Test-ServicePrincipalAuthorization -Identity $ObjectId -Resource $Mailbox |
            Where-Object { "$($_.GrantedPermissions)" -match $word } |
            ForEach-Object { "$($_.InScope)" })
}

function Assert-Scope([string] $ObjectId) {
    foreach ($permission in $Permissions) {
        if ((Get-Verdict $Inside $permission $ObjectId) -notcontains 'True') {
            throw "$permission does not open $Inside, so nothing was taken away in Entra ID. " +
            'Put the mailbox into the scope, or correct the scope, and run the script again.'
        }
        $verdict = Get-Verdict $Outside $permission $ObjectId
        if ($verdict -contains 'True' -or $verdict -notcontains 'False') {
            throw "$permission opens $Outside too, or Exchange did not say, so nothing was taken " +
            'away in Entra ID. Narrow the scope, remove other role assignments of the app, and ' +
            'run the script again.'
        }
    }
}

function Get-TenantWide([string] $ObjectId) {
    $graph = Get-MgServicePrincipal -Filter "appId eq '$GraphAppId'"
    $ids = @($graph.AppRoles | Where-Object { $_.Value -in $Permissions } |
            ForEach-Object { $_.Id })
    if ($ids.Count -ne $Permissions.Count) {
        throw "Microsoft Graph knows $($ids.Count) of our $($Permissions.Count) permissions."
    }
    Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $ObjectId -All |
        Where-Object { $_.ResourceId -eq $graph.Id -and $_.AppRoleId -in $ids }
}

function Remove-TenantWide([string] $ObjectId) {
    foreach ($grant in @(Get-TenantWide $ObjectId)) {
        if ($PSCmdlet.ShouldProcess($grant.AppRoleId, 'Take the tenant-wide permission away')) {
            Remove-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $ObjectId `
                -AppRoleAssignmentId $grant.Id
        }
    }
}

function Remove-All {
    foreach ($permission in $Permissions) {
        foreach ($assignment in @(Get-OurAssignment $permission)) {
            if ($PSCmdlet.ShouldProcess($assignment.Name, 'Remove the role assignment')) {
                Remove-ManagementRoleAssignment -Identity $assignment.Name -Confirm:$false
            }
        }
    }
    if ((Get-OurScope) -and $PSCmdlet.ShouldProcess($OurName, 'Remove the management scope')) {
        Remove-ManagementScope -Identity $OurName -Confirm:$false
    }
    foreach ($pointer in @(Get-Pointer)) {
        $others = @(Get-ManagementRoleAssignment |
                Where-Object { "$($_.RoleAssigneeName)" -eq "$($pointer.ObjectId)" })
        if ($others) {
            Write-Warning "The app keeps $($others.Count) role assignments of somebody else's."
        }
        elseif ($PSCmdlet.ShouldProcess("$AppId", 'Take the app out of Exchange')) {
            Remove-ServicePrincipal -Identity $pointer.ObjectId -Confirm:$false
        }
    }
    Write-Warning ('Contact Sync opens no mailbox by Exchange any more. To let it open all of ' +
        'them, grant the admin consent anew.')
}

function Set-All {
    $app = Get-MgServicePrincipal -Filter "appId eq '$AppId'"
    if (-not $app) {
        throw "There is no enterprise application $AppId here. Grant the admin consent first."
    }
    $name = $app.DisplayName
    if (-not (Get-Pointer) -and $PSCmdlet.ShouldProcess($name, 'Make it known to Exchange')) {
        # The enterprise application's object id; an app registration has another one.
        New-ServicePrincipal -AppId "$AppId" -ObjectId $app.Id -DisplayName $name | Out-Null
    }
    if ($PSCmdlet.ParameterSetName -eq 'Unit') {
        $scope = @{ RecipientAdministrativeUnitScope = "$AdministrativeUnit" }
    }
    else {
        Set-Scope
        $scope = @{ CustomResourceScope = $OurName }
    }
    foreach ($permission in $Permissions) {
        Set-Assignment $permission $scope $app.Id
    }
    if (-not $WhatIfPreference) {
        Assert-Scope $app.Id
    }
    Remove-TenantWide $app.Id
    if ($WhatIfPreference) {
        return
    }
    if ($left = @(Get-TenantWide $app.Id)) {
        throw "$($left.Count) tenant-wide permissions are still there, so every mailbox is open. " +
        'Run the script again.'
    }
    Write-Output ("Proved: $Inside is open to Contact Sync, $Outside is not, and no mailbox is " +
        'open tenant-wide. Exchange takes 30 minutes to 2 hours until this counts everywhere.')
}

$scopes = @('Application.Read.All')
if (-not $Remove) {
    $scopes += 'AppRoleAssignment.ReadWrite.All'
}
Connect-MgGraph -Scopes $scopes -ContextScope Process -NoWelcome
try {
    Connect-ExchangeOnline -ShowBanner:$false -DisableWAM
    try {
        if ($Remove) {
            Remove-All
        }
        else {
            Set-All
        }
    }
    finally {
        Disconnect-ExchangeOnline -Confirm:$false
    }
}
finally {
    Disconnect-MgGraph | Out-Null
}
