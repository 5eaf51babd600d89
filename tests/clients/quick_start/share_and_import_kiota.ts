// Publish a share, import it, and follow the run to its end, with Kiota's TypeScript client of
// `kiota generate -l TypeScript -d openapi.json -o contact_sync -n contact_sync -c ContactSync`.
// Kiota calls again by itself after too many calls (429), when Retry-After says.
import {
  AllowedHostsValidator,
  BaseBearerTokenAuthenticationProvider,
} from "@microsoft/kiota-abstractions";
import { DefaultRequestAdapter } from "@microsoft/kiota-bundle";
import { createContactSync } from "./contact_sync/contactSync.js";
import type { Problem } from "./contact_sync/models/index.js";

declare const process: { env: Record<string, string> };
const { API, TOKEN_ADDRESS, SCOPE, CLIENT_ID, CLIENT_SECRET, GROUP, MAILBOX, WAIT } = process.env;

const signedIn = await fetch(TOKEN_ADDRESS!, {
  method: "POST",
  body: new URLSearchParams({
    grant_type: "client_credentials",
    client_id: CLIENT_ID!,
    client_secret: CLIENT_SECRET!,
    scope: SCOPE!,
  }),
});
const { access_token: token } = (await signedIn.json()) as { access_token: string };
const adapter = new DefaultRequestAdapter(
  new BaseBearerTokenAuthenticationProvider({
    getAuthorizationToken: async () => token,
    getAllowedHostsValidator: () => new AllowedHostsValidator(new Set([new URL(API!).host])),
  }),
);
adapter.baseUrl = API!;
const client = createContactSync(adapter);

const once = (key: string) => ({ headers: { "Idempotency-Key": [key] } });
const share = await client.shares.post(
  { name: "Everyone", sources: { groups: [{ id: GROUP }] } },
  once("quick start: share"),
);
const made = await client.imports.post(
  { name: "Colleagues", shareId: share!.id, targets: { users: [MAILBOX!] } },
  once("quick start: import"),
);
const ofRun = client.runs.byId(made!.firstRun!);
let run = await ofRun.get();
while (run!.status === "queued" || run!.status === "running") {
  await new Promise((resolve) => setTimeout(resolve, 1000 * Number(WAIT ?? "10")));
  run = await ofRun.get();
}
let next: string | undefined;
do {
  const page = await ofRun.results.get({ queryParameters: { top: 1, next } });
  for (const result of page!.items!)
    console.log(result.mailbox, result.outcome, result.contacts?.created);
  next = page!.next ?? undefined;
} while (next !== undefined);
console.log(run!.status);

try {
  await ofRun.retry.post();
} catch (error) {
  const problem = error as Problem;
  if (problem.responseStatusCode !== 409) throw error;
  console.log(problem.code); // the state does not allow it: here, because nothing failed
}

const ofImport = client.imports.byId(made!.id!);
let etag = made!.etag!;
for (;;) {
  try {
    const renamed = await ofImport.patch({ name: "Team" }, { headers: { "If-Match": [etag] } });
    console.log(renamed!.name);
    break;
  } catch (error) {
    if ((error as Problem).responseStatusCode !== 412) throw error;
    etag = (await ofImport.get())!.etag!; // somebody changed it: read it again
  }
}
