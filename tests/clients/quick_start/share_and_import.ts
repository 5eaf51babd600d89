// Publish a share, import it, and follow the run to its end, with openapi-fetch and the types of
// `openapi-typescript openapi.json --default-non-nullable false -o contact_sync.ts`.
import createClient from "openapi-fetch";
import type { components, paths } from "./contact_sync.js";

declare const process: { env: Record<string, string> };

const { API, TOKEN, GROUP, MAILBOX, WAIT } = process.env;
// Lists are also offered as CSV and NDJSON; this client takes JSON.
const client = createClient<paths, "application/json" | "application/problem+json">({
  baseUrl: API,
  headers: { Authorization: `Bearer ${TOKEN}` },
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
  await new Promise((resolve) => setTimeout(resolve, 1000 * Number(WAIT ?? "10")));
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
