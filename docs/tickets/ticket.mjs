// node ticket.mjs portal.key GATEWAY PORTAL USER RECORDING      (no packages needed)
import { createPrivateKey, randomUUID, sign } from "node:crypto";
import { readFileSync } from "node:fs";

const [keyFile, gateway, portal, user, recording] = process.argv.slice(2);
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const now = Math.floor(Date.now() / 1000);
const claims = { iss: portal, aud: gateway, sub: user, iat: now, exp: now + 60, jti: randomUUID() };
const signed = `${part({ alg: "EdDSA", typ: "JWT" })}.${part({ ...claims, groups: ["supervisors"], recording })}`;
const signature = sign(null, Buffer.from(signed), createPrivateKey(readFileSync(keyFile))).toString("base64url");
console.log(`${gateway}/recordings/${recording}?ticket=${signed}.${signature}`);
