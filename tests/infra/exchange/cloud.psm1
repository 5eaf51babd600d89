# The cloud that the stub modules share: what is there, what can be seen of it yet, and which call fails.
#
# As in the real modules, a failing call writes an error and returns; it does not throw. A change is visible only after a
# number of reads, as Exchange and Entra ID replicate.

$Graph = '00000003-0000-0000-c000-000000000000'
$Roles = @(
    'User.Read.All', 'GroupMember.Read.All', 'OrgContact.Read.All', 'Contacts.ReadWrite', 'MailboxSettings.ReadWrite'
)

function Reset-Cloud($Case) {
    $app = $Case.AppId
    $global:Cloud = @{
        Apps             = @(
            [pscustomobject]@{
                Id       = 'graph'; AppId = $Graph; DisplayName = 'Microsoft Graph'
                AppRoles = @($Roles | ForEach-Object { [pscustomobject]@{ Id = "role-$_"; Value = $_ } })
            }
        )
        Grants           = @()
        Pointers         = @()
        Scopes           = @()
        Assignments      = @()
        Groups           = @(
            [pscustomobject]@{
                Name = 'Synced'; DisplayName = 'Synced'; WindowsEmailAddress = 'synced@contoso.com'
                ExternalDirectoryObjectId = 'e1'; Guid = 'g1'; DistinguishedName = 'CN=Synced'
            }
        )
        Members          = @{ "MemberOfGroup -eq 'CN=Synced'" = @('in@contoso.com') }
        GraphSignedIn    = $false
        ExchangeSignedIn = $false
    }
    if ($Case.Consented) {
        $global:Cloud.Apps += [pscustomobject]@{ Id = 'app'; AppId = $app; DisplayName = 'Contact Sync'; AppRoles = @() }
        $global:Cloud.Grants = @($Roles | ForEach-Object {
                [pscustomobject]@{ Id = "grant-$_"; PrincipalId = 'app'; ResourceId = 'graph'; AppRoleId = "role-$_" }
            })
    }
    if ($Case.SetUp) {
        $name = "Contact Sync $($app.Substring(0, 8))"
        $object = if ($Case.Stale) { 'earlier-app' } else { 'app' }
        $global:Cloud.Pointers = @([pscustomobject]@{ AppId = $app; ObjectId = $object })
        $global:Cloud.Scopes = @([pscustomobject]@{ Name = $name; RecipientFilter = "MemberOfGroup -eq 'CN=Old'" })
        $global:Cloud.Assignments = @('Contacts.ReadWrite', 'MailboxSettings.ReadWrite' | ForEach-Object {
                [pscustomobject]@{ Name = "$name $_"; Role = "Application $_"; RoleAssigneeName = $object; Scope = $name }
            })
    }
    $global:Fails = $Case.Fails
    $global:FailsAt = $Case.FailsAt
    $global:Persists = [bool] $Case.Persists
    $global:Lag = [int] $Case.Lag
    $global:Unseen = 0
    $global:Seen = Copy-Cloud
    $global:Calls = @{}
}

function Copy-Cloud {
    @{
        Apps = @($Cloud.Apps); Grants = @($Cloud.Grants); Pointers = @($Cloud.Pointers)
        Scopes = @($Cloud.Scopes | ForEach-Object { $_.psobject.Copy() })
        Assignments = @($Cloud.Assignments | ForEach-Object { $_.psobject.Copy() })
    }
}

function Enter-Call([string] $Name, $Caller) {
    $global:Calls[$Name] = 1 + [int] $global:Calls[$Name]
    $at = $global:Calls[$Name]
    if ($Name -eq $global:Fails -and ($at -eq $global:FailsAt -or ($global:Persists -and $at -gt $global:FailsAt))) {
        # As a function of a module reports: whether the caller goes on is the caller's choice.
        $Caller.WriteError([System.Management.Automation.ErrorRecord]::new(
                [System.InvalidOperationException]::new("$Name failed."), 'Failed', 'NotSpecified', $null))
        return $false
    }
    $true
}

function Edit-Cloud([scriptblock] $Change) {
    & $Change
    $global:Unseen = $global:Lag
    if ($global:Lag -eq 0) { $global:Seen = Copy-Cloud }
}

function Get-Visible {
    if ($global:Unseen -gt 0) { $global:Unseen-- } else { $global:Seen = Copy-Cloud }
    $global:Seen
}

function Test-InScope($State, $Assignment, [string] $Mailbox) {
    $scope = $State.Scopes | Where-Object { $_.Name -eq $Assignment.Scope }
    $scope -and $Mailbox -in $global:Cloud.Members[$scope.RecipientFilter]
}

function Test-Open([string] $Mailbox) {
    # The truth: whether the app can open a mailbox in any way.
    $wide = $Cloud.Grants | Where-Object { $_.AppRoleId -in 'role-Contacts.ReadWrite', 'role-MailboxSettings.ReadWrite' }
    $scoped = $Cloud.Assignments | Where-Object { $_.RoleAssigneeName -in $Cloud.Apps.Id -and (Test-InScope $Cloud $_ $Mailbox) }
    [bool] $wide -or [bool] $scoped
}
