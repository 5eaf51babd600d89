// Publish a share, import it, and follow the run to its end, with openapi-fetch and the types of
// `openapi-typescript openapi.json --default-non-nullable false -o contact_sync.ts`.
import createClient from "openapi-fetch";
import type { components, paths } from "./contact_sync.js";

declare const process: { env: Record<string, string> };
const { API, TOKEN_ADDRESS, SCOPE, CLIENT_ID, CLIENT_SECRET, GROUP, MAILBOX, WAIT } = process.env;

const seconds = (n: number) => new Promise((resolve) => setTimeout(resolve, 1000 * n));
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

// Call again after too many calls (429), when Retry-After says.
async function patient(request: Request): Promise<Response> {
  for (;;) {
    const answer = await fetch(request.clone());
    if (answer.status !== 429) return answer;
    const { type } = (await answer.clone().json()) as components["schemas"]["Problem"];
    if (!type.endsWith(":too-many-requests")) return answer;
    await seconds(Number(answer.headers.get("Retry-After")));
  }
}
// Lists are also offered as CSV and NDJSON; this client takes JSON.
const client = createClient<paths, "application/json" | "application/problem+json">({
  baseUrl: API,
  headers: { Authorization: `Bearer ${token}` },
  fetch: patient,
});

function done<T>(answer: { data?: T; error?: components["schemas"]["Problem"] }): T {
  if (answer.data === undefined) throw new Error(`${answer.error?.code}: ${answer.error?.detail}`);
  return answer.data;
}

const share = done(
  await client.POST("/shares", {
    params: { header: { "Idempotency-Key": "quick start: share" } },
    body: { name: "Everyone", sources: { groups: [{ id: GROUP! }] } },
  }),
);
const made = done(
  await client.POST("/imports", {
    params: { header: { "Idempotency-Key": "quick start: import" } },
    body: { name: "Colleagues", shareId: share.id, targets: { users: [MAILBOX!] } },
  }),
);
const path = { id: made.firstRun! };
let run = done(await client.GET("/runs/{id}", { params: { path } }));
while (run.status === "queued" || run.status === "running") {
  await seconds(Number(WAIT ?? "10"));
  run = done(await client.GET("/runs/{id}", { params: { path } }));
}
let next: string | undefined;
do {
  const query = { top: 1, ...(next === undefined ? {} : { next }) };
  const page = done(await client.GET("/runs/{id}/results", { params: { path, query } }));
  for (const result of page.items)
    console.log(result.mailbox, result.outcome, result.contacts?.created);
  next = page.next ?? undefined;
} while (next !== undefined);
console.log(run.status);

const retried = await client.POST("/runs/{id}/retry", { params: { path } });
// The state does not allow it: here, because nothing failed.
if (retried.error?.status === 409) console.log(retried.error.code);
else done(retried);

const named = { path: { id: made.id } };
const rename = (etag: string) =>
  client.PATCH("/imports/{id}", {
    params: { ...named, header: { "If-Match": etag } },
    body: { name: "Team" },
  });
let renamed = await rename(made.etag);
while (renamed.error?.status === 412) {
  // Somebody changed it: read it again.
  const { etag } = done(await client.GET("/imports/{id}", { params: named }));
  renamed = await rename(etag);
}
console.log(done(renamed).name);
