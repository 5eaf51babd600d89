# A stand-in: it signs in to the cloud of cloud.psm1, and writes errors as the real module's functions do.
function Connect-MgGraph {
    [CmdletBinding()] param($Scopes, $ContextScope, [switch] $NoWelcome)
    if (Enter-Call 'Connect-MgGraph' $PSCmdlet) { $global:Cloud.GraphSignedIn = $true }
}

function Disconnect-MgGraph {
    [CmdletBinding()] param()
    if (Enter-Call 'Disconnect-MgGraph' $PSCmdlet) { $global:Cloud.GraphSignedIn = $false }
}
