// Bundles the browser's scripts and styles into ../static/dist, under names that carry their content's hash, and
// writes there what the server needs to find them (manifest.json), what their licences ask for (LICENSES.txt), and of
// which packages they hold code (packages.json, for the bill of materials).
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

import { broughtBy, igvSource, licenceComments } from "./igv_source.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const output = path.resolve(here, "../static/dist");
const packages = findPackages();

// Names of licences that are not those of SPDX, and theirs.
const SPDX = { "BSD-0-Clause": "0BSD" };

await rm(output, { recursive: true, force: true });
await mkdir(output, { recursive: true });
const result = await esbuild.build({
  absWorkingDir: here,
  entryPoints: { app: "app.js", login: "login.js", table: "table.js", samples: "samples.js", styles: "styles/app.css", grid: "styles/grid.css" },
  outdir: output,
  entryNames: "[name]-[hash]",
  chunkNames: "chunk-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  minify: true,
  target: ["chrome123", "firefox121", "safari17.5"],
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "none",
  metafile: true,
  plugins: [igvSource],
  logLevel: "warning",
});
await writeFile(path.join(output, "manifest.json"), `${JSON.stringify(manifestOf(result.metafile), null, 2)}\n`);
const used = await packagesOf(result.metafile);
await writeFile(path.join(output, "LICENSES.txt"), used.map((one) => one.text).join(`\n${"-".repeat(80)}\n\n`));
const told = used.map(({ text, ...rest }) => rest);
await writeFile(path.join(output, "packages.json"), `${JSON.stringify(told, null, 2)}\n`);

// {"app.js": "app-ABC123.js", ...}: the name that a template asks for, and the file that holds it.
function manifestOf(metafile) {
  const named = Object.entries(metafile.outputs)
    .filter(([, file]) => file.entryPoint)
    .map(([name]) => path.basename(name))
    .map((file) => [file.replace(/-[A-Z0-9]+(\.\w+)$/, "$1"), file]);
  return Object.fromEntries(named.sort());
}

// Every npm package of which a line went into a bundle, with the text of its licence and the checksum it is locked to.
async function packagesOf(metafile) {
  const locked = JSON.parse(await readFile(path.resolve(packages, "../package-lock.json"), "utf8")).packages;
  const names = Object.keys(metafile.inputs)
    .map((input) => input.split("node_modules/")[1])
    .filter(Boolean)
    .map((input) => input.split("/").slice(0, input.startsWith("@") ? 2 : 1).join("/"));
  return Promise.all(
    [...new Set(names)].sort().map(async (name) => {
      const folder = path.join(packages, name);
      const { version, license: given } = JSON.parse(await readFile(path.join(folder, "package.json"), "utf8"));
      const license = SPDX[given] ?? given;
      const source = name === "igv" ? await readFile(path.join(folder, "dist/igv.esm.js"), "utf8") : "";
      const text = [(await licenceText(folder)).trim(), ...licenceComments(source)].join("\n\n");
      const brings = name === "igv" ? broughtBy(source) : [];
      const { integrity } = locked[`node_modules/${name}`];
      return { name, version, license, integrity, brings, text: `${name} ${version} (${license})\n\n${text}\n` };
    }),
  );
}

async function licenceText(folder) {
  for (const name of ["LICENSE", "LICENSE.txt", "LICENSE.md"]) {
    try {
      return await readFile(path.join(folder, name), "utf8");
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  throw new Error(`${folder} has no licence file: its text has to be shipped with the bundle`);
}

function findPackages() {
  const esbuildPackage = createRequire(import.meta.url).resolve("esbuild/package.json");
  return path.resolve(path.dirname(esbuildPackage), "..");
}
