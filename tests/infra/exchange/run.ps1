# Runs the script once for each case of a file, each in a fresh cloud, and writes what it said and what is then true.
param([string] $Cases, [string] $Script, [string] $Answers)

$env:PSModulePath = Join-Path $PSScriptRoot 'modules'
Import-Module (Join-Path $PSScriptRoot 'cloud.psm1') -Global
$found = foreach ($case in Get-Content -Raw $Cases | ConvertFrom-Json -AsHashtable) {
    Reset-Cloud $case
    $arguments = $case.Arguments
    $said, $failure = @(), ''
    try {
        $said = @(& $Script @arguments -PauseSeconds 0 -Confirm:$false 3>&1 2>&1 6>&1 | ForEach-Object { "$_" })
    }
    catch {
        $failure = "$_"
    }
    [ordered]@{
        Said        = $said
        Failure     = $failure
        InsideOpen  = Test-Open 'in@contoso.com'
        OutsideOpen = Test-Open 'out@contoso.com'
        Ours        = @($Cloud.Assignments).Count + @($Cloud.Scopes).Count
        Pointers    = @($Cloud.Pointers | ForEach-Object { $_.ObjectId })
        Grants      = @($Cloud.Grants | ForEach-Object { $_.AppRoleId })
        SignedIn    = $Cloud.GraphSignedIn -or $Cloud.ExchangeSignedIn
        Calls       = $Calls
    }
}
ConvertTo-Json -Depth 5 -InputObject @($found) | Set-Content $Answers
