# A stand-in for Exchange's management commands; see cloud.psm1.
function Connect-ExchangeOnline {
    [CmdletBinding()] param([switch] $ShowBanner, [switch] $DisableWAM)
    if (Enter-Call 'Connect-ExchangeOnline' $PSCmdlet) { $global:Cloud.ExchangeSignedIn = $true }
}

function Disconnect-ExchangeOnline {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')] param()
    if (-not (Enter-Call 'Disconnect-ExchangeOnline' $PSCmdlet)) { return }
    if ($PSCmdlet.ShouldProcess('all')) { $global:Cloud.ExchangeSignedIn = $false }
}

function Get-Group {
    [CmdletBinding()] param($Identity)
    if (-not (Enter-Call 'Get-Group' $PSCmdlet)) { return }
    $found = $global:Cloud.Groups | Where-Object { $Identity -in $_.Name, $_.WindowsEmailAddress }
    # For an unknown identity, Exchange may return others.
    if ($found) { $found } else { $global:Cloud.Groups }
}

function Get-ServicePrincipal {
    [CmdletBinding()] param()
    if (Enter-Call 'Get-ServicePrincipal' $PSCmdlet) { (Get-Visible).Pointers }
}

function New-ServicePrincipal {
    [CmdletBinding()] param($AppId, $ObjectId, $DisplayName)
    if (-not (Enter-Call 'New-ServicePrincipal' $PSCmdlet)) { return }
    Edit-Cloud { $global:Cloud.Pointers += [pscustomobject]@{ AppId = $AppId; ObjectId = $ObjectId } }
}

function Remove-ServicePrincipal {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')] param($Identity)
    if (-not (Enter-Call 'Remove-ServicePrincipal' $PSCmdlet)) { return }
    Edit-Cloud { $global:Cloud.Pointers = @($global:Cloud.Pointers | Where-Object { $_.ObjectId -ne $Identity }) }
}

function Get-ManagementScope {
    [CmdletBinding()] param()
    if (Enter-Call 'Get-ManagementScope' $PSCmdlet) { (Get-Visible).Scopes }
}

function New-ManagementScope {
    [CmdletBinding()] param($Name, $RecipientRestrictionFilter)
    if (-not (Enter-Call 'New-ManagementScope' $PSCmdlet)) { return }
    Edit-Cloud {
        $global:Cloud.Scopes += [pscustomobject]@{ Name = $Name; RecipientFilter = $RecipientRestrictionFilter }
    }
}

function Set-ManagementScope {
    [CmdletBinding()] param($Identity, $RecipientRestrictionFilter)
    if (-not (Enter-Call 'Set-ManagementScope' $PSCmdlet)) { return }
    Edit-Cloud {
        foreach ($scope in $global:Cloud.Scopes) {
            if ($scope.Name -eq $Identity) { $scope.RecipientFilter = $RecipientRestrictionFilter }
        }
    }
}

function Remove-ManagementScope {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')] param($Identity)
    if (-not (Enter-Call 'Remove-ManagementScope' $PSCmdlet)) { return }
    Edit-Cloud { $global:Cloud.Scopes = @($global:Cloud.Scopes | Where-Object { $_.Name -ne $Identity }) }
}

function Get-ManagementRoleAssignment {
    [CmdletBinding()] param($Role)
    if (-not (Enter-Call 'Get-ManagementRoleAssignment' $PSCmdlet)) { return }
    (Get-Visible).Assignments | Where-Object { -not $Role -or $_.Role -eq $Role }
}

function New-ManagementRoleAssignment {
    [CmdletBinding()] param($Name, $App, $Role, $CustomResourceScope, $RecipientAdministrativeUnitScope)
    if (-not (Enter-Call 'New-ManagementRoleAssignment' $PSCmdlet)) { return }
    if ($global:Cloud.Pointers.ObjectId -notcontains $App) {
        Write-Error "There is no service principal $App."
        return
    }
    $scope = if ($CustomResourceScope) { $CustomResourceScope } else { $RecipientAdministrativeUnitScope }
    Edit-Cloud {
        $global:Cloud.Assignments += [pscustomobject]@{ Name = $Name; Role = $Role; RoleAssigneeName = $App; Scope = $scope }
    }
}

function Set-ManagementRoleAssignment {
    [CmdletBinding()] param($Identity, $CustomResourceScope, $RecipientAdministrativeUnitScope)
    if (-not (Enter-Call 'Set-ManagementRoleAssignment' $PSCmdlet)) { return }
    $scope = if ($CustomResourceScope) { $CustomResourceScope } else { $RecipientAdministrativeUnitScope }
    Edit-Cloud {
        foreach ($assignment in $global:Cloud.Assignments) {
            if ($assignment.Name -eq $Identity) { $assignment.Scope = $scope }
        }
    }
}

function Remove-ManagementRoleAssignment {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')] param($Identity)
    if (-not (Enter-Call 'Remove-ManagementRoleAssignment' $PSCmdlet)) { return }
    Edit-Cloud { $global:Cloud.Assignments = @($global:Cloud.Assignments | Where-Object { $_.Name -ne $Identity }) }
}

function Test-ServicePrincipalAuthorization {
    [CmdletBinding()] param($Identity, $Resource)
    if (-not (Enter-Call 'Test-ServicePrincipalAuthorization' $PSCmdlet)) { return }
    $seen = Get-Visible
    foreach ($assignment in $seen.Assignments | Where-Object { $_.RoleAssigneeName -eq $Identity }) {
        [pscustomobject]@{
            RoleName           = $assignment.Role
            GrantedPermissions = $assignment.Role -replace '^Application '
            InScope            = Test-InScope $seen $assignment $Resource
        }
    }
}
