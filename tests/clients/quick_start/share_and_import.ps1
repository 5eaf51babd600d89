# Publish a share, import it, and follow the run to its end, with PowerShell 7.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

function Invoke-Api([string] $Method, [string] $Path, $Body, [string] $Key) {
    # Call again after too many calls (429), when Retry-After says. Any other refusal ends the program with the problem's words.
    $call = @{
        Uri = "$env:API$Path"; Method = $Method; SkipHttpErrorCheck = $true
        Headers = @{ Authorization = "Bearer $env:TOKEN" }; ContentType = 'application/json'
    }
    if ($Key) { $call.Headers['Idempotency-Key'] = $Key }
    if ($Body) { $call.Body = $Body | ConvertTo-Json -Depth 9 }
    while ($true) {
        $answer = Invoke-WebRequest @call
        $text = [Text.Encoding]::UTF8.GetString($answer.RawContentStream.ToArray())
        $read = if ($text) { $text | ConvertFrom-Json }
        if ($answer.StatusCode -lt 300) { return $read }
        if ($answer.StatusCode -ne 429 -or $read.type -notlike '*:too-many-requests') { throw "$($read.code): $($read.detail)" }
        Start-Sleep -Seconds ([int] "$($answer.Headers['Retry-After'])")
    }
}

$share = Invoke-Api POST '/shares' @{ name = 'Everyone'; sources = @{ groups = @(@{ id = $env:GROUP }) } } 'quick start: share'
$import = Invoke-Api POST '/imports' @{
    name = 'Colleagues'; shareId = $share.id; targets = @{ users = @($env:MAILBOX) }
} 'quick start: import'

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
