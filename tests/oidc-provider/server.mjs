// A provider of OpenID Connect for one test: `node server.mjs REDIRECT-URI…` prints its issuer once it listens, and ends with its
// input. Whoever signs in is believed; whoever is called NAME has the address that PUT /people/NAME said, or NAME@example.com.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const key = (kid, alg, ...how) => ({ ...generateKeyPairSync(...how).privateKey.export({ format: "jwk" }), kid, alg, use: "sig" });
const people = new Map();
const algorithms = ["RS256", "PS256", "ES256", "EdDSA"];
const server = createServer();
await new Promise((listens) => server.listen(0, "127.0.0.1", listens));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: algorithms.map((alg) => ({
    client_id: `alt-${alg.toLowerCase()}`,
    client_secret: "a secret: with % and +",
    application_type: process.argv[2].startsWith("https:") ? "web" : "native",
    redirect_uris: process.argv.slice(2),
    id_token_signed_response_alg: alg,
  })),
  jwks: {
    keys: [
      key("rs", "RS256", "rsa", { modulusLength: 2048 }),
      key("ps", "PS256", "rsa", { modulusLength: 2048 }),
      key("es", "ES256", "ec", { namedCurve: "P-256" }),
      key("ed", "EdDSA", "ed25519"),
    ],
  },
  enabledJWA: { idTokenSigningAlgValues: algorithms },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  // Else the address is in the answer of its own question alone.
  conformIdTokenClaims: process.env.IN_TOKEN !== "1",
  cookies: { keys: ["a key of a test"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: "<b>Somebody</b>", email: `${id}@example.com`, email_verified: true, ...people.get(id) }),
  }),
});

const answer = provider.callback();
server.on("request", async (request, response) => {
  if (request.method !== "PUT") return answer(request, response);
  let body = "";
  for await (const part of request) body += part;
  people.set(request.url.split("/").pop(), JSON.parse(body));
  response.end("kept\n");
});
console.log(issuer);
process.stdin.resume().on("end", () => process.exit());
