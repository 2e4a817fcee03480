// watch.mjs URL MEASURE opens a page and prints what the tile of a measure shows,
// each time that it changes, behind the time in milliseconds. It ends with SIGINT.
import { chromium } from "playwright-core";

const [url, measure] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
process.on("SIGINT", () => browser.close().finally(() => process.exit(0)));
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
await page.exposeFunction("shows", (at, text) => console.log(`${at} ${text}`));
await page.addInitScript((selector) => {
  let last;
  new MutationObserver(() => {
    const text = document.querySelector(selector)?.getAttribute("data-exact");
    if (text && text !== last) window.shows(Date.now(), (last = text));
  }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
}, `[data-measure="${measure}"] .tile-value [data-exact]`);
await page.goto(url);
