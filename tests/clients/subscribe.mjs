// One subscription to events by a client from npm. Prints an event a line, and ends after as many as it was told.
//
//   node subscribe.mjs ws|sse URL TOKEN HOW_MANY [CURSOR]

import { createClient as overEvents } from "graphql-sse";
import { createClient as overSocket } from "graphql-ws";
import WebSocket from "ws";

const [way, url, token, many, after] = process.argv.slice(2);
const authorization = `Bearer ${token}`;
const client =
  way === "ws"
    ? overSocket({
        url: url.replace(/^http/, "ws"),
        webSocketImpl: WebSocket,
        connectionParams: { authorization },
        retryAttempts: 0,
      })
    : overEvents({ url, headers: { authorization }, retryAttempts: 0 });

const query = `subscription($after: String) { events(after: $after) { cursor kind subject { id } } }`;
let left = Number(many);
for await (const { data, errors } of client.iterate({ query, variables: { after: after ?? null } })) {
  if (errors) {
    console.log(JSON.stringify({ errors }));
    process.exitCode = 1;
    break;
  }
  console.log(JSON.stringify(data.events));
  left -= 1;
  // Leaving the loop completes the subscription.
  if (left === 0) break;
}
await client.dispose();
