// Takes pictures of the pages of a running `alt serve`, in Chromium: light and dark, of a telephone and of a desk.
//
//   node shots.mjs URL DIRECTORY [--token TOKEN] [--widths 390,1440] [--themes light,dark] [--keys KEYS] [--language TAG] PATH…
//
// Each picture is NAME-WIDTH-THEME.png, and NAME comes of the path. scripts/screenshots starts a server and calls this.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";

const [url, directory, ...rest] = process.argv.slice(2);
const option = (name) => {
  const at = rest.indexOf(name);
  return at < 0 ? undefined : rest.splice(at, 2)[1];
};
const token = option("--token");
const widths = (option("--widths") ?? "390,1440").split(",").map(Number);
const themes = (option("--themes") ?? "light,dark").split(",");
const keys = option("--keys") ?? "";
const language = option("--language");
mkdirSync(directory, { recursive: true });
const profile = mkdtempSync(`${tmpdir()}/alt-shots.`);
const args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"];
args.push("--remote-debugging-pipe", `--user-data-dir=${profile}`, "--host-resolver-rules=MAP * ^NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost");
const browser = spawn("chromium", args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], env: { ...process.env, HOME: profile } });
const [to, from] = [browser.stdio[3], browser.stdio[4]];
let next = 1;
let unread = "";
const open = new Map();
from.on("data", (bytes) => {
  unread += bytes;
  for (let end; (end = unread.indexOf("\0")) >= 0; unread = unread.slice(end + 1)) {
    const message = JSON.parse(unread.slice(0, end));
    const answer = open.get(message.id);
    if (answer) {
      open.delete(message.id);
      message.error ? answer.reject(new Error(JSON.stringify(message.error))) : answer.resolve(message.result);
    }
  }
});
function send(method, params = {}, sessionId) {
  const id = next++;
  to.write(`${JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) })}\0`);
  return new Promise((resolve, reject) => open.set(id, { resolve, reject }));
}
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

try {
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  const page = (method, params) => send(method, params, sessionId);
  const js = async (expression) => (await page("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true })).result.value;
  await page("Page.enable");
  if (language) await page("Page.addScriptToEvaluateOnNewDocument", { source: `localStorage.setItem("alt.language", "${language}")` });
  if (token) {
    await page("Network.enable");
    await page("Network.setExtraHTTPHeaders", { headers: { Authorization: `Bearer ${token}` } });
  }
  for (const path of rest) {
    for (const width of widths) {
      for (const theme of themes) {
        await page("Emulation.setDeviceMetricsOverride", { width, height: width < 600 ? 844 : 900, deviceScaleFactor: 1, mobile: false });
        await page("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: theme }] });
        await page("Page.navigate", { url: url + path });
        for (let look = 0; look < 60; look += 1) {
          await pause(100);
          if (await js('document.readyState === "complete" && !!document.querySelector("main") && !document.querySelector("[aria-busy=true], i.wait, .waits")')) break;
        }
        await pause(300);
        for (const key of keys) {
          await page("Input.dispatchKeyEvent", { type: "keyDown", text: key, key });
          await page("Input.dispatchKeyEvent", { type: "keyUp", key });
          await pause(400);
        }
        // So high that all of the page is seen.
        const height = keys ? 900 : Math.min(6000, Math.max(width < 600 ? 844 : 900, await js("document.documentElement.scrollHeight")));
        await page("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
        await pause(250);
        const { data } = await page("Page.captureScreenshot", { format: "png" });
        const name = (path.replace(/alt_[^&]*/, "").replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "") || "all") + (keys ? `-key-${keys.replace("?", "help")}` : "");
        writeFileSync(`${directory}/${name}-${width}-${theme}.png`, Buffer.from(data, "base64"));
      }
    }
  }
} finally {
  browser.kill("SIGKILL");
  await pause(200);
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
