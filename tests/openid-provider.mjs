// A certified OpenID provider for the tests: node openid-provider.mjs PORT REDIRECT_URI POST_LOGOUT_URI [BACKCHANNEL_URI]
// Whoever signs in is who they say; the groups of "anna" are supervisors, of anybody else none. A login name that is JSON,
// {"name": text, "groups": texts}, says both.
// Each start has keys of its own.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import Provider from "oidc-provider";

const [port, redirect, back, backchannel] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg: "RS256" };
const provider = new Provider(`http://localhost:${port}`, {
  clients: [
    {
      client_id: "valt-gateway",
      client_secret: "planted-client-secret",
      redirect_uris: [redirect],
      post_logout_redirect_uris: [back],
      ...(backchannel && { backchannel_logout_uri: backchannel, backchannel_logout_session_required: true }),
    },
  ],
  claims: { openid: ["sub"], profile: ["preferred_username"], email: ["email"], groups: ["groups"] },
  scopes: ["openid", "profile", "email", "groups"],
  pkce: { required: () => true },
  jwks: { keys: [key] },
  cookies: { keys: ["planted-cookie-key"] },
  features: { devInteractions: { enabled: true }, backchannelLogout: { enabled: true } },
  // Its own dispatcher would not speak to loopback, where the gateway is.
  fetch: (url, { dispatcher: _, ...options }) => fetch(url, options),
  findAccount: (_ctx, id) => {
    const groups = id === "anna" ? ["supervisors"] : [];
    const person = id.startsWith("{") ? JSON.parse(id) : { name: id, groups };
    return { accountId: id, claims: () => ({ sub: id, preferred_username: person.name, groups: person.groups }) };
  },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
