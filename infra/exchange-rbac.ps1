<#
.SYNOPSIS
Limits Contact Sync to selected mailboxes with Exchange RBAC for Applications.

.DESCRIPTION
The admin consent gives the app access to every mailbox of the organization. This script grants the two
mailbox permissions in Exchange instead, for the mailboxes of a scope. It checks with two mailboxes that
the scope is right, and only then removes the tenant-wide grants in Entra ID. The permissions to read the
directory do not change.

Run it after admin consent was granted, or with -GrantDirectory instead of a consent: then there is never a
grant for every mailbox. Admin consent always grants all permissions of an app, so with -GrantDirectory the
script grants those for the directory one by one.

Run it in a new PowerShell session. It signs in twice (Microsoft Graph, Exchange Online) and signs out of
both. You can run it again at any time, to change the scope or to continue after an interruption: it keeps
what already exists.

Grants add up: while Entra ID grants Contacts.ReadWrite, no scope limits it. A new admin consent grants
it again, so run the script again afterwards.

A change in Exchange takes 30 minutes to apply, and up to 2 hours while the app keeps sending requests.
The check does not wait for that. Until then, mailboxes may fail with access_denied; the next run syncs
them.

You need: in Exchange, membership of Organization Management; in Entra ID, Exchange Administrator and
Privileged Role Administrator (or, without -GrantDirectory, Cloud Application Administrator).

.PARAMETER AppId
The application (client) ID of Contact Sync, as shown under Enterprise applications.

.PARAMETER Group
The scope as a group: a Microsoft 365 group, mail-enabled security group or distribution list, by
name, address or ID. Its direct members are in scope; members of nested groups are not.

.PARAMETER RecipientFilter
The scope as a mailbox filter, in the syntax of RecipientRestrictionFilter of New-ManagementScope.

.PARAMETER AdministrativeUnit
The scope as an administrative unit of Entra ID, by its object ID.

.PARAMETER Inside
A mailbox inside the scope, to check that the app can open it.

.PARAMETER Outside
A mailbox outside the scope, to check that the app cannot open it.

.PARAMETER GrantDirectory
For a tenant without admin consent: creates the enterprise application and, once the scope in Exchange is
verified, grants the three permissions to read the directory.

.PARAMETER Remove
Removes everything that this script created in Exchange. The app then has no access to any mailbox. This
grants nothing in Entra ID; for that, grant admin consent.

.EXAMPLE
./exchange-rbac.ps1 -AppId $id -Group contact-sync@contoso.com -Inside ada@contoso.com -Outside bob@contoso.com -WhatIf

Shows what the script would do for the members of a group.

.EXAMPLE
./exchange-rbac.ps1 -AppId $id -GrantDirectory -Group contact-sync@contoso.com -Inside ada@contoso.com -Outside bob@contoso.com

Connects a tenant that has not granted admin consent. Afterwards an admin signs in to the portal.

.EXAMPLE
./exchange-rbac.ps1 -AppId $id -RecipientFilter "CustomAttribute1 -eq 'ContactSync'" -Inside ada@contoso.com -Outside bob@contoso.com

.EXAMPLE
./exchange-rbac.ps1 -AppId $id -Remove

.NOTES
Sources. Exchange: application-rbac (Role Based Access Control for Applications in Exchange Online:
roles, scopes, limits, MemberOfGroup, and that the test ignores what Entra ID grants).
ExchangePowerShell: Connect-ExchangeOnline, Get-Group, Get-, New- and Remove-ServicePrincipal, Get-,
New-, Set- and Remove-ManagementScope, Get-, New-, Set- and Remove-ManagementRoleAssignment,
Test-ServicePrincipalAuthorization. Microsoft Graph: serviceprincipal-list-approleassignments,
serviceprincipal-post-approleassignments and serviceprincipal-delete-approleassignments (least permissions
and roles), serviceprincipal-post-serviceprincipals, permissions-reference. Entra: v2-permissions-and-consent
(.default), create-service-principal-cross-tenant.

The script connects to Graph before Exchange, and to Exchange without the sign-in broker, because the two
modules cannot load each other's sign-in library (GitHub: microsoftgraph/msgraph-sdk-powershell#3394).
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

    [Parameter(ParameterSetName = 'Group')]
    [Parameter(ParameterSetName = 'Filter')]
    [Parameter(ParameterSetName = 'Unit')]
    [switch] $GrantDirectory,

    [Parameter(Mandatory, ParameterSetName = 'Remove')]
    [switch] $Remove
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$Permissions = 'Contacts.ReadWrite', 'MailboxSettings.ReadWrite'
$DirectoryPermissions = 'User.Read.All', 'GroupMember.Read.All', 'OrgContact.Read.All'
$GraphAppId = '00000003-0000-0000-c000-000000000000'
# One name per app, so that two installations do not collide. A name has at most 64 characters.
$OurName = "Contact Sync $("$AppId".Substring(0, 8))"

function Get-OurAssignment([string] $Permission) {
    # List and compare: for an unknown Identity, Exchange returns everything.
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
        throw "$($found.Count) groups match $Group. Give the address of one group."
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
    elseif ($PSCmdlet.ShouldProcess($name, "Set the scope $($Where.Values)")) {
        Set-ManagementRoleAssignment -Identity $name @Where
    }
}

function Get-Verdict([string] $Mailbox, [string] $Permission, [string] $ObjectId) {
    # Match what a role grants rather than its name, so that a wider role from elsewhere counts as well.
    $word = "(?<![\w.])$([regex]::Escape($Permission))(?![\w.])"
    @(Test-ServicePrincipalAuthorization -Identity $ObjectId -Resource $Mailbox |
            Where-Object { "$($_.GrantedPermissions)" -match $word } |
            ForEach-Object { "$($_.InScope)" })
}

function Assert-Scope([string] $ObjectId) {
    foreach ($permission in $Permissions) {
        if ((Get-Verdict $Inside $permission $ObjectId) -notcontains 'True') {
            throw "$permission does not give access to $Inside, so nothing was removed in Entra ID. " +
            'Add the mailbox to the scope, or correct the scope, and run the script again.'
        }
        $verdict = Get-Verdict $Outside $permission $ObjectId
        if ($verdict -contains 'True' -or $verdict -notcontains 'False') {
            throw "$permission also gives access to $Outside, or Exchange reported no result, so " +
            'nothing was removed in Entra ID. Narrow the scope, remove other role assignments of ' +
            'the app, and run the script again.'
        }
    }
}

function Get-EnterpriseApp {
    $found = Get-MgServicePrincipal -Filter "appId eq '$AppId'"
    if ($found -or -not $GrantDirectory) {
        return $found
    }
    if ($PSCmdlet.ShouldProcess("$AppId", 'Create the enterprise application')) {
        New-MgServicePrincipal -AppId "$AppId"
    }
}

function Add-Directory([string] $ObjectId) {
    $graph = Get-MgServicePrincipal -Filter "appId eq '$GraphAppId'"
    $roles = @($graph.AppRoles | Where-Object { $_.Value -in $DirectoryPermissions })
    if ($roles.Count -ne $DirectoryPermissions.Count) {
        throw "Microsoft Graph has only $($roles.Count) of the $($DirectoryPermissions.Count) permissions."
    }
    $held = @(Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $ObjectId -All |
            Where-Object { $_.ResourceId -eq $graph.Id } | ForEach-Object { $_.AppRoleId })
    foreach ($role in $roles) {
        if ($role.Id -notin $held -and
            $PSCmdlet.ShouldProcess($role.Value, 'Grant the permission to read the directory')) {
            New-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $ObjectId -PrincipalId $ObjectId `
                -ResourceId $graph.Id -AppRoleId $role.Id | Out-Null
        }
    }
}

function Get-TenantWide([string] $ObjectId) {
    $graph = Get-MgServicePrincipal -Filter "appId eq '$GraphAppId'"
    $ids = @($graph.AppRoles | Where-Object { $_.Value -in $Permissions } |
            ForEach-Object { $_.Id })
    if ($ids.Count -ne $Permissions.Count) {
        throw "Microsoft Graph has only $($ids.Count) of the $($Permissions.Count) permissions."
    }
    Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $ObjectId -All |
        Where-Object { $_.ResourceId -eq $graph.Id -and $_.AppRoleId -in $ids }
}

function Remove-TenantWide([string] $ObjectId) {
    foreach ($grant in @(Get-TenantWide $ObjectId)) {
        if ($PSCmdlet.ShouldProcess($grant.AppRoleId, 'Remove the tenant-wide permission')) {
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
            Write-Warning "The app keeps $($others.Count) role assignments that this script did not create."
        }
        elseif ($PSCmdlet.ShouldProcess("$AppId", 'Remove the app from Exchange')) {
            Remove-ServicePrincipal -Identity $pointer.ObjectId -Confirm:$false
        }
    }
    Write-Warning ('Contact Sync no longer has access to any mailbox through Exchange. To give it ' +
        'access to all mailboxes, grant admin consent again.')
}

function Set-All {
    $app = Get-EnterpriseApp
    if (-not $app) {
        if ($GrantDirectory) {
            # With -WhatIf, or if the answer was no: without the app there is nothing more to show.
            return
        }
        throw "This tenant has no enterprise application $AppId. Grant admin consent, or use -GrantDirectory."
    }
    $name = $app.DisplayName
    if (-not (Get-Pointer) -and $PSCmdlet.ShouldProcess($name, 'Register the app in Exchange')) {
        # The object ID of the enterprise application, which differs from that of the app registration.
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
    if ($GrantDirectory) {
        Add-Directory $app.Id
    }
    if ($WhatIfPreference) {
        return
    }
    if ($left = @(Get-TenantWide $app.Id)) {
        throw "$($left.Count) tenant-wide permissions remain, so the app can still open every " +
        'mailbox. Run the script again.'
    }
    Write-Output ("Verified: Contact Sync can open $Inside and cannot open $Outside, and it has no " +
        'tenant-wide access. Exchange applies this everywhere within 30 minutes to 2 hours.')
}

$scopes = @('Application.Read.All')
if ($GrantDirectory) {
    $scopes += 'Application.ReadWrite.All'
}
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
