// Checks the palette of style.css: contrast of text (WCAG 2.2), and that people with each kind of colour blindness tell
// apart what stands for different things. The simulation is that of Machado, Oliveira and Fernandes (2009), the distance
// CIE76 in Lab. `node palette.mjs` prints what it found, and fails where a rule is broken.
import { readFileSync } from "node:fs";

const css = readFileSync(process.argv[2] ?? new URL("src/style.css", import.meta.url), "utf8");
const tokens = {};
for (const [, name, light, dark] of css.matchAll(/--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)) tokens[name] = [light, dark];

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const luminance = (hex) => {
  const [r, g, b] = rgb(hex).map(linear);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m);
  return (x + 0.05) / (y + 0.05);
};
const SEEN_BY = {
  everybody: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritanopia: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};
const lab = (hex, matrix) => {
  const c = rgb(hex).map(linear);
  const [r, g, b] = matrix.map((row) => Math.min(1, Math.max(0, row[0] * c[0] + row[1] * c[1] + row[2] * c[2])));
  const [x, y, z] = [0.4124 * r + 0.3576 * g + 0.1805 * b, 0.2126 * r + 0.7152 * g + 0.0722 * b, 0.0193 * r + 0.1192 * g + 0.9505 * b];
  const f = (t) => (t > 216 / 24389 ? Math.cbrt(t) : (24389 / 27 * t + 16) / 116);
  const [fx, fy, fz] = [f(x / 0.95047), f(y), f(z / 1.08883)];
  return [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)];
};
const distance = (a, b, matrix) => Math.hypot(...lab(a, matrix).map((v, n) => v - lab(b, matrix)[n]));

// Text on what it stands on; 4.5 is WCAG's AA. Lines and marks: 3.
const READ = [
  ["text", "card", 7], ["text", "ground", 7], ["text", "bar", 7], ["text", "hover", 7], ["text", "raised", 7],
  ["soft", "card", 4.5], ["soft", "ground", 4.5], ["soft", "raised", 4.5],
  ["accent", "card", 4.5], ["accent", "raised", 4.5], ["on-accent", "accent", 4.5],
  ["good", "card", 4.5], ["bad", "card", 4.5], ["good", "raised", 4.5], ["bad", "raised", 4.5], ["part-text", "part", 4.5],
  ["past", "card", 3], ["live", "ground", 3],
];
// What stands for different things and is seen side by side: a distance of 20 is plain to see.
const APART = [["good", "bad", 25], ["accent", "past", 20], ["bad", "soft", 20], ["live", "edge", 20]];
let wrong = 0;
const check = (is, what) => {
  console.log(`${is ? "ok   " : "WRONG"} ${what}`);
  if (!is) wrong = 1;
};
["light", "dark"].forEach((theme, n) => {
  for (const [a, b, least] of READ) {
    const is = contrast(tokens[a][n], tokens[b][n]);
    check(is >= least, `${theme}: ${a} on ${b}: contrast ${is.toFixed(2)}, at least ${least}`);
  }
  for (const [a, b, least] of APART) {
    for (const [who, matrix] of Object.entries(SEEN_BY)) {
      const is = distance(tokens[a][n], tokens[b][n], matrix);
      check(is >= least, `${theme}: ${a} and ${b}, ${who}: distance ${is.toFixed(0)}, at least ${least}`);
    }
  }
});
process.exit(wrong);
