// Makes the dashboard's bundle, which is built into alt (crates/web/assets); `--check`: looks whether it is what the source
// gives; `--out DIRECTORY`: elsewhere.
import { readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const here = new URL(".", import.meta.url);
const at = process.argv.indexOf("--out");
const to = at > 0 ? new URL(`file://${process.argv[at + 1]}/`) : new URL("../crates/web/assets/", here);
const { outputFiles } = await build({
  absWorkingDir: here.pathname,
  entryPoints: { app: "src/main.tsx", style: "src/style.css" },
  outdir: "out",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome123", "firefox121", "safari17.5"],
  jsx: "automatic",
  jsxImportSource: "preact",
  charset: "utf8",
  legalComments: "none",
  write: false,
});
const files = outputFiles.map((file) => [file.path.split("/").pop(), file.text]);
for (const name of ["index.html", "icon.svg"]) files.push([name, readFileSync(new URL(`src/${name}`, here), "utf8")]);
let wrong = 0;
for (const [name, text] of files) {
  const file = new URL(name, to);
  if (!process.argv.includes("--check")) writeFileSync(file, text);
  else if (readFileSync(file, "utf8") !== text) {
    console.error(`crates/web/assets/${name} is not what web/src gives: npm run build`);
    wrong = 1;
  }
}
process.exit(wrong);
