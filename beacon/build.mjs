// Makes beacon.min.js and beacon.full.min.js, which are built into alt; `--check`: looks whether they are what beacon.js
// gives.
import { readFileSync, writeFileSync } from "node:fs";
import { minify } from "terser";

const source = readFileSync(new URL("beacon.js", import.meta.url), "utf8");
let wrong = 0;
for (const [name, FULL] of [["beacon.min.js", false], ["beacon.full.min.js", true]]) {
  const { code, map } = await minify({ "beacon.js": source }, {
    ecma: 2020,
    compress: { global_defs: { FULL }, passes: 4, booleans_as_integers: true, unsafe: true, unsafe_arrows: true, unsafe_methods: true },
    mangle: true,
    sourceMap: { filename: name, includeSources: false },
  });
  for (const [file, text] of [[name, code + "\n"], [name + ".map", map + "\n"]]) {
    const at = new URL(file, import.meta.url);
    if (!process.argv.includes("--check")) writeFileSync(at, text);
    else if (readFileSync(at, "utf8") !== text) {
      console.error(`beacon/${file} is not what beacon.js gives: npm run build`);
      wrong = 1;
    }
  }
}
process.exit(wrong);
