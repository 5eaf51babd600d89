#Requires -Version 7.2
#Requires -Modules @{ ModuleName = 'ExchangeOnlineManagement'; ModuleVersion = '3.7.2' }
#Requires -Modules Microsoft.Graph.Authentication, Microsoft.Graph.Applications

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

Exchange and Entra ID show a change only after a while, so the script looks several times before it says
that something is wrong. A change then takes 30 minutes to apply everywhere, and up to 2 hours while the app
keeps sending requests. The check does not wait for that. Until then, mailboxes may fail with access_denied; the next run syncs
them.

You need: in Exchange, membership of Organization Management; in Entra ID, Exchange Administrator and
Privileged Role Administrator (or, without -GrantDirectory, Cloud Application Administrator).

.PARAMETER AppId
The application (client) ID of Contact Sync, as shown under Enterprise applications.

.PARAMETER Group
The scope as a group: a Microsoft 365 group, mail-enabled security group or distribution list, by
its full name, address or ID. Its direct members are in scope; members of nested groups are not.

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
Removes everything that this script created in Exchange, and says what access the app still has. This
grants nothing in Entra ID; for that, grant admin consent.

.PARAMETER PauseSeconds
How long to wait between two looks at something that is not visible yet.

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
    [switch] $Remove,

    [ValidateRange(0, 300)]
    [double] $PauseSeconds = 15
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
# The preference does not reach functions of modules, and all commands of Exchange and Graph are such functions: without
# this they write an error, and the script goes on (microsoftgraph/msgraph-sdk-powershell#896).
$PSDefaultParameterValues = @{ '*:ErrorAction' = 'Stop' }

$Looks = 12
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

function Wait-Until([scriptblock] $IsSo) {
    # Whether something is so within the time that Exchange and Entra ID take to show a change.
    for ($look = 1; $look -lt $Looks; $look++) {
        if (& $IsSo) {
            return $true
        }
        Start-Sleep -Seconds $PauseSeconds
    }
    [bool] (& $IsSo)
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
    # For an unknown Identity, Exchange may return other groups.
    $found = @(Get-Group -Identity $Group | Where-Object {
            $Group -in "$($_.Name)", "$($_.DisplayName)", "$($_.WindowsEmailAddress)",
            "$($_.ExternalDirectoryObjectId)", "$($_.Guid)", "$($_.DistinguishedName)"
        })
    if ($found.Count -ne 1) {
        throw "$($found.Count) groups are called $Group. Give the address of one group."
    }
    "MemberOfGroup -eq '$($found[0].DistinguishedName -replace "'", "''")'"
}

function Set-Scope {
    $filter = Get-WantedFilter
    $scope = Get-OurScope
    if (-not $scope) {
        if (-not $PSCmdlet.ShouldProcess($OurName, "Create the management scope: $filter")) {
            return
        }
        New-ManagementScope -Name $OurName -RecipientRestrictionFilter $filter | Out-Null
    }
    elseif ($scope.RecipientFilter -ne $filter) {
        if (-not $PSCmdlet.ShouldProcess($OurName, "Change the management scope: $filter")) {
            return
        }
        Set-ManagementScope -Identity $OurName -RecipientRestrictionFilter $filter
    }
    else {
        return
    }
    if (-not (Wait-Until { $now = Get-OurScope; $now -and $now.RecipientFilter -eq $filter })) {
        throw "Exchange does not show the management scope $OurName yet. Run the script again in some minutes."
    }
}

function Set-Assignment([string] $Permission, [hashtable] $Where, [string] $ObjectId) {
    $name, $role = "$OurName $Permission", "Application $Permission"
    $there = Get-OurAssignment $Permission
    if (-not $there) {
        if ($PSCmdlet.ShouldProcess($name, "Assign the role $role to the app")) {
            New-ManagementRoleAssignment -Name $name -App $ObjectId -Role $role @Where | Out-Null
        }
    }
    elseif ($PSCmdlet.ShouldProcess($name, "Set the scope $($Where.Values)")) {
        Set-ManagementRoleAssignment -Identity $name @Where
    }
}

function Remove-Assignment {
    foreach ($permission in $Permissions) {
        foreach ($assignment in @(Get-OurAssignment $permission)) {
            if ($PSCmdlet.ShouldProcess($assignment.Name, 'Remove the role assignment')) {
                Remove-ManagementRoleAssignment -Identity $assignment.Name -Confirm:$false
            }
        }
    }
}

function Set-Pointer([string] $ObjectId, [string] $DisplayName) {
    # A new consent after the enterprise application was deleted has a new object ID. What Exchange knows is then of an
    # app that no longer exists, and so are the assignments to it.
    foreach ($stale in @(Get-Pointer | Where-Object { "$($_.ObjectId)" -ne $ObjectId })) {
        Remove-Assignment
        if ($PSCmdlet.ShouldProcess("$($stale.ObjectId)", 'Remove the earlier registration of the app')) {
            Remove-ServicePrincipal -Identity $stale.ObjectId -Confirm:$false
        }
    }
    $ours = { Get-Pointer | Where-Object { "$($_.ObjectId)" -eq $ObjectId } }
    if ((& $ours) -or -not $PSCmdlet.ShouldProcess($DisplayName, 'Register the app in Exchange')) {
        return
    }
    # The object ID of the enterprise application, which differs from that of the app registration.
    New-ServicePrincipal -AppId "$AppId" -ObjectId $ObjectId -DisplayName $DisplayName | Out-Null
    if (-not (Wait-Until $ours)) {
        throw 'Exchange does not show the app yet. Run the script again in some minutes.'
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
        if (-not (Wait-Until { (Get-Verdict $Inside $permission $ObjectId) -contains 'True' })) {
            throw "$permission does not give access to $Inside, so nothing was removed in Entra ID. " +
            'Add the mailbox to the scope, or correct the scope, and run the script again.'
        }
        $closed = {
            $verdict = Get-Verdict $Outside $permission $ObjectId
            $verdict -contains 'False' -and $verdict -notcontains 'True'
        }
        if (-not (Wait-Until $closed)) {
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
    Remove-Assignment
    if ((Get-OurScope) -and $PSCmdlet.ShouldProcess($OurName, 'Remove the management scope')) {
        Remove-ManagementScope -Identity $OurName -Confirm:$false
    }
    $ours = @($Permissions | ForEach-Object { "$OurName $_" })
    foreach ($pointer in @(Get-Pointer)) {
        $others = @(Get-ManagementRoleAssignment |
                Where-Object { "$($_.RoleAssigneeName)" -eq "$($pointer.ObjectId)" -and $_.Name -notin $ours })
        if ($others) {
            Write-Warning "The app keeps $($others.Count) role assignments that this script did not create."
        }
        elseif ($PSCmdlet.ShouldProcess("$AppId", 'Remove the app from Exchange')) {
            Remove-ServicePrincipal -Identity $pointer.ObjectId -Confirm:$false
        }
    }
    if ($WhatIfPreference) {
        return
    }
    if (-not (Wait-Until { -not ($Permissions | Where-Object { Get-OurAssignment $_ }) -and -not (Get-OurScope) })) {
        throw 'Role assignments of this script are still there, so the app can still open mailboxes. Run the ' +
        'script again.'
    }
    Write-Output 'Removed: nothing of this script is left in Exchange.'
    $app = Get-EnterpriseApp
    if ($app -and @(Get-TenantWide $app.Id)) {
        Write-Warning 'Entra ID still grants access to every mailbox. To end it, remove the admin consent.'
    }
    else {
        Write-Warning ('This script and Entra ID give Contact Sync no access to mailboxes now. To give it access ' +
            'to all mailboxes, grant admin consent.')
    }
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
    Set-Pointer $app.Id $app.DisplayName
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
    if (-not (Wait-Until { -not @(Get-TenantWide $app.Id) })) {
        throw 'Tenant-wide permissions remain, so the app can still open every mailbox. Run the script again.'
    }
    # Once more, because somebody may have changed the scope, or granted consent again, in the meantime.
    Assert-Scope $app.Id
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
try {
    Connect-MgGraph -Scopes $scopes -ContextScope Process -NoWelcome
    Connect-ExchangeOnline -ShowBanner:$false -DisableWAM
    if ($Remove) {
        Remove-All
    }
    else {
        Set-All
    }
}
finally {
    # Also with -WhatIf, and whatever failed: nobody stays signed in.
    try {
        Disconnect-ExchangeOnline -Confirm:$false -WhatIf:$false
    }
    catch {
        Write-Warning "This session may still be signed in to Exchange: close it. ($_)"
    }
    Disconnect-MgGraph -ErrorAction SilentlyContinue | Out-Null
}
