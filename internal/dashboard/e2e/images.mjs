// images.mjs rest URL waits until a reporter has numbers that no longer change;
// images.mjs take URL FILE takes a picture of the top of a page. tools/images calls it.
import { chromium } from "playwright-core";

const [what, url, file] = process.argv.slice(2);
const settleMs = 2500;
const wait = (ms) => new Promise((r) => setTimeout(r, ms));

if (what === "rest") {
  for (let last, since = Date.now(); ; await wait(300)) {
    const report = await fetch(`${url}/api/v1/report?window=all`).then((r) => r.json()).catch(() => ({}));
    if (report.version !== last) { last = report.version; since = Date.now(); }
    if (report.tiles?.some((t) => Number(t.total) > 0) && Date.now() - since > settleMs) break;
  }
} else {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
  const page = await browser.newPage({ viewport: { width: 1280, height: url.startsWith("http") ? 860 : 1240 }, colorScheme: "light", reducedMotion: "reduce" });
  await page.goto(url);
  if (url.startsWith("http")) await page.waitForFunction(() => document.querySelector("#main > :not([aria-hidden])") && !document.querySelector("#main[aria-busy]") && !document.querySelector("#main .bones"));
  await page.screenshot({ path: file });
  await browser.close();
}
