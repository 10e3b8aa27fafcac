// Makes the dashboard's bundle, which is built into alt (crates/web/assets); `--check`: looks whether it is what the source
// gives; `--out DIRECTORY`: elsewhere. What all share is `core.js`, what all pages share but parts of
// them do not is `states.js`, what those that are loaded later share is `frame.js`, what those of alerts share is `bits.js`, what pages with charts share is `chart.js`, with lists as well `panel.js`; each group of these, and each dictionary, is a file of its own.
// There, a directory with files that is no bundle is refused, because what is not of the bundle is deleted.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const here = new URL(".", import.meta.url);
const at = process.argv.indexOf("--out");
const to = at > 0 ? new URL(`file://${process.argv[at + 1]}/`) : new URL("../crates/web/assets/", here);
const { outputFiles, metafile } = await build({
  absWorkingDir: here.pathname,
  entryPoints: { app: "src/main.tsx", style: "src/style.css" },
  outdir: "out",
  bundle: true,
  minify: true,
  splitting: true,
  format: "esm",
  target: ["chrome123", "firefox121", "safari17.5"],
  jsx: "automatic",
  jsxImportSource: "preact",
  charset: "utf8",
  legalComments: "none",
  write: false,
  metafile: true,
});
// Names without hashes: `alt serve` has a list of them, and browsers ask whether a file has changed.
const names = new Map();
for (const [path, { inputs }] of Object.entries(metafile.outputs)) {
  const file = path.split("/").pop();
  const shared = ["frame", "bits", "states", "panel", "chart"].find((one) => `src/${one}.tsx` in inputs) ?? "core";
  const name = file.replace(/-[A-Z0-9]{8}\.js$/, ".js").replace(/^chunk\.js$/, `${shared}.js`);
  if ([...names.values()].includes(name)) throw new Error(`two files would be ${name}: ${Object.keys(inputs)}`);
  names.set(file, name);
}
const renamed = (text) => [...names].reduce((all, [from, to]) => all.replaceAll(from, to), text);
const files = outputFiles.map((file) => [names.get(file.path.split("/").pop()), renamed(file.text)]);
for (const name of ["index.html", "icon.svg"]) files.push([name, readFileSync(new URL(`src/${name}`, here), "utf8")]);
const there = readdirSync(to);
if (at > 0 && there.length > 0 && !(there.includes("app.js") && there.includes("index.html"))) {
  console.error(`${to.pathname} is not empty, and is no bundle of the dashboard: name an empty directory`);
  process.exit(1);
}
let wrong = 0;
for (const [name, text] of files) {
  const file = new URL(name, to);
  if (!process.argv.includes("--check")) writeFileSync(file, text);
  else if (readFileSync(file, "utf8") !== text) {
    console.error(`crates/web/assets/${name} is not what web/src gives: npm run build`);
    wrong = 1;
  }
}
for (const name of there) {
  if (files.some(([known]) => known === name)) continue;
  if (!process.argv.includes("--check")) rmSync(new URL(name, to));
  else {
    console.error(`crates/web/assets/${name} is made of nothing: npm run build`);
    wrong = 1;
  }
}
process.exit(wrong);
