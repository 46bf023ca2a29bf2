// A real OpenID Connect provider on loopback: node provider.mjs MODULE PORT REDIRECT_URI
// Whoever gives a name is logged in; the address of each is NAME@lab.example.org, verified but for "unverified".
import { pathToFileURL } from "node:url";

const [, , module, port, redirectUri] = process.argv;
const { default: Provider } = await import(pathToFileURL(module));

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "varloom", client_secret: "the+secret/of%20the=test:~&", redirect_uris: [redirectUri] }],
  pkce: { required: () => true },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username"] },
  findAccount: (context, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      email: `${id}@lab.example.org`,
      email_verified: id !== "unverified",
      name: `Dr ${id}`,
      preferred_username: id,
    }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
