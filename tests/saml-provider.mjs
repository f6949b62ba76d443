// A SAML identity provider for the tests: node saml-provider.mjs PORT ENTITY_ID KEY_FILE CERTIFICATE_FILE
// Whoever comes is who their cookie says: {"name": value or values} for each attribute, as JSON, percent-encoded.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import samlp from "samlp";

const [port, issuer, keyFile, certificateFile] = process.argv.slice(2);
const config = { issuer, key: readFileSync(keyFile), cert: readFileSync(certificateFile), signResponse: true };

const profileMapper = (attributes) => ({
  getClaims: () => attributes,
  getNameIdentifier: () => ({ nameIdentifier: "a-name-that-no-front-uses" }),
});

const escape = (text) => text.replace(/[&"<]/g, (character) => `&#${character.charCodeAt(0)};`);
const field = ([name, value]) => `<input type="hidden" name="${name}" value="${escape(value)}">`;

const server = createServer((request, response) => {
  const fail = (error) => response.writeHead(500).end(String(error));
  const query = Object.fromEntries(new URL(request.url, issuer).searchParams);
  const [, person] = /(?:^|; )person=([^;]*)/.exec(request.headers.cookie ?? "") ?? [];
  if (person === undefined) {
    response.writeHead(401).end("nobody is signed in");
    return;
  }
  const attributes = JSON.parse(decodeURIComponent(person));
  samlp.parseRequest({ query }, {}, (fault, authentication) => {
    if (fault) return fail(fault);
    const destination = authentication.assertionConsumerServiceURL;
    const audience = authentication.issuer;
    const details = { ...config, profileMapper, destination, recipient: destination, audience, inResponseTo: authentication.id };
    samlp.getSamlResponse(
      { ...details, signatureAlgorithm: "rsa-sha256", digestAlgorithm: "sha256" },
      attributes,
      (error, answer) => {
        if (error) return fail(error);
        const fields = { SAMLResponse: Buffer.from(answer).toString("base64"), RelayState: query.RelayState ?? "" };
        response.setHeader("Content-Type", "text/html; charset=utf-8");
        response.end(`<form method="post" action="${destination}">${Object.entries(fields).map(field).join("")}</form>`);
      },
    );
  });
});
server.listen(Number(port), "127.0.0.1", () => console.log("ready"));
