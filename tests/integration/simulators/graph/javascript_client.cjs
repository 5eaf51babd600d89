// Drives the Graph simulator with Microsoft's JavaScript client, and prints as JSON what it saw.
//
// node javascript_client.cjs PATH_OF_THE_PACKAGE < {"graph", "token", "user"}
"use strict";

const { readFileSync } = require("node:fs");

const { BatchRequestContent, BatchResponseContent, Client, PageIterator } = require(process.argv[2]);
const { graph, token, user } = JSON.parse(readFileSync(0, "utf8"));
const CONTACTS = 25;

async function main() {
  const client = Client.init({
    baseUrl: graph.slice(0, -"v1.0".length),
    customHosts: new Set(["127.0.0.1"]),
    authProvider: (done) => done(null, token),
  });
  const box = `/users/${user}`;
  const folder = await client.api(`${box}/contactFolders`).post({ displayName: "Script" });
  const contacts = `${box}/contactFolders/${folder.id}/contacts`;
  for (let number = 0; number < CONTACTS; number += 1) {
    await client.api(contacts).post({ givenName: `N${number}`, surname: "Script" });
  }

  const names = [];
  const first = await client.api(contacts).select("displayName").top(10).get();
  const pages = new PageIterator(client, first, (contact) => names.push(contact.displayName));
  await pages.iterate();

  let delta = await client.api(`${contacts}/delta`).get();
  while (delta["@odata.nextLink"]) delta = await client.api(delta["@odata.nextLink"]).get();
  const id = (await client.api(contacts).filter("givenName eq 'N7'").get()).value[0].id;
  await client.api(`${contacts}/${id}`).patch({ jobTitle: "Countess" });
  const changed = await client.api(delta["@odata.deltaLink"]).get();

  // The client takes the host off the address of each step, and leaves the path.
  const step = `https://graph.invalid${contacts}/${id}`;
  const steps = new BatchRequestContent([
    {
      id: "write",
      request: new Request(step, {
        method: "PATCH",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ jobTitle: "Writer" }),
      }),
    },
    { id: "read", dependsOn: ["write"], request: new Request(step, { method: "GET" }) },
  ]);
  const content = await steps.getContent();
  const batch = new BatchResponseContent(await client.api("/$batch").post(content));
  const read = await batch.getResponseById("read").json();

  const photo = `${contacts}/${id}/photo/$value`;
  const jpeg = Buffer.from([255, 216, 62, 63, 255]);
  await client.api(photo).header("Content-Type", "image/jpeg").put(jpeg);
  const kept = await client.api(photo).responseType("arraybuffer").get();

  await client.api(`${box}/contactFolders/${folder.id}`).patch({ displayName: "Renamed" });
  const renamed = await client.api(`${box}/contactFolders/${folder.id}`).get();
  await client.api(`${box}/contactFolders/${folder.id}`).delete();
  const refused = await client.api(`${contacts}/nonsense`).get().catch((error) => error);
  return {
    names: names.length,
    nextLink: first["@odata.nextLink"],
    changed: changed.value.map((contact) => contact.jobTitle),
    written: batch.getResponseById("write").status,
    photo: Array.from(new Uint8Array(kept)),
    read: read.jobTitle,
    folder: renamed.displayName,
    refused: [refused.statusCode, refused.code],
  };
}

main().then(
  (found) => process.stdout.write(JSON.stringify(found)),
  (error) => {
    process.stderr.write(`${error.stack}\n${JSON.stringify(error)}\n`);
    process.exitCode = 1;
  },
);
