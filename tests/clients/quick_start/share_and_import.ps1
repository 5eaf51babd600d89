# Publish a share, import it, and follow the run to its end, with PowerShell 7.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$token = (Invoke-RestMethod $env:TOKEN_ADDRESS -Method Post -Body @{
        grant_type = 'client_credentials'; scope = $env:SCOPE
        client_id = $env:CLIENT_ID; client_secret = $env:CLIENT_SECRET
    }).access_token

function Invoke-Api([string] $Method, [string] $Path, $Body, [hashtable] $Headers = @{}, [int] $Expected) {
    # Call again after too many calls (429), when Retry-After says. Any other refusal than the expected one ends the program with the problem's words.
    $call = @{
        Uri = "$env:API$Path"; Method = $Method; SkipHttpErrorCheck = $true; SkipHeaderValidation = $true
        Headers = @{ Authorization = "Bearer $token" } + $Headers; ContentType = 'application/json'
    }
    if ($Body) { $call.Body = $Body | ConvertTo-Json -Depth 9 }
    while ($true) {
        $answer = Invoke-WebRequest @call
        $text = [Text.Encoding]::UTF8.GetString($answer.RawContentStream.ToArray())
        $read = if ($text) { $text | ConvertFrom-Json }
        if ($answer.StatusCode -lt 300 -or $answer.StatusCode -eq $Expected) { return $read }
        if ($answer.StatusCode -ne 429 -or $read.type -notlike '*:too-many-requests') { throw "$($read.code): $($read.detail)" }
        Start-Sleep -Seconds ([int] "$($answer.Headers['Retry-After'])")
    }
}

$share = Invoke-Api POST '/shares' @{
    name = 'Everyone'; sources = @{ groups = @(@{ id = $env:GROUP }) }
} @{ 'Idempotency-Key' = 'quick start: share' }
$import = Invoke-Api POST '/imports' @{
    name = 'Colleagues'; shareId = $share.id; targets = @{ users = @($env:MAILBOX) }
} @{ 'Idempotency-Key' = 'quick start: import' }

$run = Invoke-Api GET "/runs/$($import.firstRun)"
while ($run.status -in 'queued', 'running') {
    Start-Sleep -Milliseconds (1000 * [double] ($env:WAIT ?? '10'))
    $run = Invoke-Api GET "/runs/$($run.id)"
}

$next = ''
do {
    $page = Invoke-Api GET "/runs/$($run.id)/results?top=1$next"
    foreach ($result in $page.items) { "$($result.mailbox) $($result.outcome) $($result.contacts.created)" }
    $next = if ($page.next) { "&next=$([uri]::EscapeDataString($page.next))" }
} while ($next)
$run.status

# The state does not allow it (409): here, because nothing failed.
$retried = Invoke-Api POST "/runs/$($run.id)/retry" -Expected 409
if ($retried.code) { $retried.code }

$etag = $import.etag
while ($true) {
    $renamed = Invoke-Api PATCH "/imports/$($import.id)" @{ name = 'Team' } @{ 'If-Match' = $etag } -Expected 412
    if ($renamed.status -ne 412) { break }
    $etag = (Invoke-Api GET "/imports/$($import.id)").etag # somebody changed it: read it again
}
$renamed.name
