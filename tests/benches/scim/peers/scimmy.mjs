// The SCIM routers of SCIMMY over express, with users in memory: two maps, so that neither a read by id nor a look-up by name
// walks over anything. Nothing is durable.
import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const byId = new Map();
const byName = new Map();

SCIMMY.Resources.declare(SCIMMY.Resources.User, {
  egress: (resource) => {
    if (resource.id) {
      const found = byId.get(resource.id);
      if (!found) throw new SCIMMY.Types.Error(404, null, "no such user");
      return found;
    }
    const name = resource.filter?.[0]?.userName?.[1];
    const found = name === undefined ? [...byId.values()] : [byName.get(name.toLowerCase())];
    return found.filter((user) => user !== undefined);
  },
  ingress: (resource, data) => {
    const key = data.userName.toLowerCase();
    if (!resource.id && byName.has(key)) throw new SCIMMY.Types.Error(409, "uniqueness", "taken");
    const now = new Date().toISOString();
    const id = resource.id ?? randomUUID();
    const user = { ...data, id, meta: { resourceType: "User", created: now, lastModified: now } };
    byId.set(id, user);
    byName.set(key, user);
    return user;
  },
  degress: (resource) => byId.delete(resource.id),
});

const app = express();
const handler = (request) => {
  if (request.header("Authorization") !== "Bearer bench") throw new Error("no token");
  return "bench";
};
app.use("/scim/v2", new SCIMMYRouters({ type: "bearer", handler }));
const server = app.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("listening"));
server.keepAliveTimeout = 60_000;
