// Publish a share, import it, and follow the run to its end, with Kiota's C# client (.NET 8 or newer).
// dotnet add package Microsoft.Kiota.Bundle
// kiota generate -l csharp -d openapi.json -o contact_sync -n ContactSync -c ContactSyncClient
// Kiota calls again by itself after too many calls (429), when Retry-After says.
using System.Net.Http.Json;
using System.Text.Json;
using ContactSync;
using ContactSync.Models;
using Microsoft.Kiota.Abstractions.Authentication;
using Microsoft.Kiota.Bundle;

static string Known(string name) => Environment.GetEnvironmentVariable(name)!;

var adapter = new DefaultRequestAdapter(new BaseBearerTokenAuthenticationProvider(new Credentials()))
{
    BaseUrl = Known("API"),
};
var client = new ContactSyncClient(adapter);

var group = Guid.Parse(Known("GROUP"));
var share = await client.Shares.PostAsync(
    new ShareInput { Name = "Everyone", Sources = new Sources { Groups = [new GroupSource { Id = group }] } },
    call => call.Headers.Add("Idempotency-Key", "quick start: share"));
var made = await client.Imports.PostAsync(
    new ImportInput
    {
        Name = "Colleagues",
        ShareId = share!.Id,
        Targets = new Targets { Users = [Guid.Parse(Known("MAILBOX"))] },
    },
    call => call.Headers.Add("Idempotency-Key", "quick start: import"));

var ofRun = client.Runs[made!.FirstRun!];
var run = await ofRun.GetAsync();
while (run!.Status is "queued" or "running")
{
    await Task.Delay(TimeSpan.FromSeconds(10));
    run = await ofRun.GetAsync();
}

string? next = null;
do
{
    var page = await ofRun.Results.GetAsync(call =>
    {
        call.QueryParameters.Top = 100;
        call.QueryParameters.Next = next;
    });
    foreach (var result in page!.Items!)
        Console.WriteLine($"{result.Mailbox} {result.Outcome} {result.Contacts?.Created}");
    next = page.Next;
} while (next is not null);
Console.WriteLine(run.Status);

try
{
    await ofRun.Retry.PostAsync();
}
catch (Problem problem) when (problem.ResponseStatusCode == 409)
{
    Console.WriteLine(problem.Code); // the state does not allow it: here, because nothing failed
}

for (var etag = made.Etag!; ;)
{
    try
    {
        var renamed = await client.Imports[made.Id!].PatchAsync(
            new ImportPatch { Name = "Team" }, call => call.Headers.Add("If-Match", etag));
        Console.WriteLine(renamed!.Name);
        break;
    }
    catch (Problem problem) when (problem.ResponseStatusCode == 412)
    {
        etag = (await client.Imports[made.Id!].GetAsync())!.Etag!; // somebody changed it: read it again
    }
}

class Credentials : IAccessTokenProvider
{
    static string Known(string name) => Environment.GetEnvironmentVariable(name)!;
    readonly HttpClient http = new();
    string? token;

    public AllowedHostsValidator AllowedHostsValidator { get; } = new([new Uri(Known("API")).Host]);

    public async Task<string> GetAuthorizationTokenAsync(
        Uri uri, Dictionary<string, object>? context = null, CancellationToken cancel = default)
    {
        if (token is not null) return token;
        var form = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["grant_type"] = "client_credentials",
            ["client_id"] = Known("CLIENT_ID"),
            ["client_secret"] = Known("CLIENT_SECRET"),
            ["scope"] = Known("SCOPE"),
        });
        var answer = await http.PostAsync(Known("TOKEN_ADDRESS"), form, cancel);
        answer.EnsureSuccessStatusCode();
        var signedIn = await answer.Content.ReadFromJsonAsync<JsonElement>(cancel);
        return token = signedIn.GetProperty("access_token").GetString()!;
    }
}
