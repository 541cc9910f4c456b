// PostGraphile over the database of a benchmark. Row-level security holds each request to the facility its header
// names. Where to listen, the database and the settings of a transaction are told by the environment.
import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const settings = JSON.parse(process.env.PEER_SETTINGS);
const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  pgServices: [
    makePgService({
      connectionString: process.env.PEER_DATABASE_URL,
      schemas: ["public"],
      pubsub: false,
      poolConfig: { max: Number(process.env.PEER_POOL) },
    }),
  ],
  grafast: {
    context: (request) => ({
      pgSettings: { ...settings, "app.facility_id": request.node.req.headers["x-facility-id"] },
    }),
  },
  grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
});
const server = createServer();
await instance.createServ(grafserv).addTo(server);
server.listen(Number(process.env.PEER_PORT), "127.0.0.1");
