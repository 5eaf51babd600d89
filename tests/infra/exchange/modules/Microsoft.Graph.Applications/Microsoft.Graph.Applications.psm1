# A stand-in for the enterprise applications and their grants; see cloud.psm1.
function Get-MgServicePrincipal {
    [CmdletBinding()] param($Filter)
    if (-not (Enter-Call 'Get-MgServicePrincipal' $PSCmdlet)) { return }
    $wanted = ($Filter -split "'")[1]
    (Get-Visible).Apps | Where-Object { $_.AppId -eq $wanted }
}

function New-MgServicePrincipal {
    [CmdletBinding()] param($AppId)
    if (-not (Enter-Call 'New-MgServicePrincipal' $PSCmdlet)) { return }
    $app = [pscustomobject]@{ Id = "object-of-$AppId"; AppId = $AppId; DisplayName = 'Contact Sync'; AppRoles = @() }
    Edit-Cloud { $global:Cloud.Apps += $app }
    $app
}

function Get-MgServicePrincipalAppRoleAssignment {
    [CmdletBinding()] param($ServicePrincipalId, [switch] $All)
    if (-not (Enter-Call 'Get-MgServicePrincipalAppRoleAssignment' $PSCmdlet)) { return }
    (Get-Visible).Grants | Where-Object { $_.PrincipalId -eq $ServicePrincipalId }
}

function New-MgServicePrincipalAppRoleAssignment {
    [CmdletBinding()] param($ServicePrincipalId, $PrincipalId, $ResourceId, $AppRoleId)
    if (-not (Enter-Call 'New-MgServicePrincipalAppRoleAssignment' $PSCmdlet)) { return }
    $grant = [pscustomobject]@{
        Id = "grant-$AppRoleId"; PrincipalId = $PrincipalId; ResourceId = $ResourceId; AppRoleId = $AppRoleId
    }
    Edit-Cloud { $global:Cloud.Grants += $grant }
    $grant
}

function Remove-MgServicePrincipalAppRoleAssignment {
    [CmdletBinding()] param($ServicePrincipalId, $AppRoleAssignmentId)
    if (-not (Enter-Call 'Remove-MgServicePrincipalAppRoleAssignment' $PSCmdlet)) { return }
    Edit-Cloud { $global:Cloud.Grants = @($global:Cloud.Grants | Where-Object { $_.Id -ne $AppRoleAssignmentId }) }
}
