// What the browser tests of a running reporter share: a Chromium, who looks, and pages
// that note what must not happen.
//
// DASHBOARD_URL is where the reporter serves, CHROMIUM the browser. DASHBOARD_TOKENS is
// the access token of each viewer, operator and globex, as a JSON object; without it
// the reporter has to take everybody for the operator.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

export const base = process.env.DASHBOARD_URL;
export const tokens = process.env.DASHBOARD_TOKENS ? JSON.parse(process.env.DASHBOARD_TOKENS) : null;
export const desktop = { width: 1440, height: 900 };
export const phone = { width: 390, height: 844 };
const settleMs = 240_000;
const waitMs = 120_000; // for what comes, on a machine that has much else to do

let browser;
const sessions = {}; // viewer -> storage of a browser in which it has signed in

export async function launch() {
  browser = await chromium.launch({ timeout: waitMs, executablePath: process.env.CHROMIUM, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
  for (const viewer of Object.keys(tokens ?? {})) {
    const context = await patient();
    await signIn(context, viewer);
    sessions[viewer] = await context.storageState();
    await context.close();
  }
}

export const close = () => browser?.close();

// patient gives a context whose waits end at what they wait for.
async function patient(options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(waitMs);
  return context;
}

// signIn makes the pages of a context those of another viewer.
export async function signIn(context, viewer) {
  const answer = await context.request.post(`${base}/api/v1/session`, { data: { token: tokens[viewer] } });
  assert.equal(answer.status(), 200, `signing in as ${viewer}`);
}

// atRest waits until the line has numbers that do not change for a while, and returns
// a deal and a row that there are.
export async function atRest() {
  const context = await patient({ storageState: sessions.operator });
  const api = (path) => context.request.get(`${base}/api/v1/${path}`).then((r) => r.json());
  const until = Date.now() + settleMs;
  for (let last = -1, since = Date.now(); ; await new Promise((r) => setTimeout(r, 300))) {
    const report = await api("report?window=all").catch(() => ({}));
    if (report.version !== last) { last = report.version; since = Date.now(); }
    const some = report.tiles?.some((t) => Number(t.total) > 0);
    if (some && Date.now() - since > 2500) break;
    assert.ok(Date.now() < until, `the reporter had no numbers at rest: ${JSON.stringify(report).slice(0, 400)}`);
  }
  const deals = (await api("deals?limit=50")).deals;
  const rows = (await api("contributions?window=all&limit=1")).rows;
  await context.close();
  return { deal: (deals.find((d) => d.state === "won" && d.touches > 1) ?? deals[0]).id, row: rows[0].key };
}

// open gives a page that notes what must not happen: errors in the console,
// violations of the policy, shifts of the layout. It is the operator's, or that of
// the viewer that options.as names; null has not signed in.
export async function open(path = "?window=all", { as = "operator", ...options } = {}) {
  const context = await patient({ viewport: desktop, colorScheme: "light", acceptDownloads: true, storageState: sessions[as], ...options });
  const page = await context.newPage();
  page.wrong = [];
  page.on("console", (m) => { if (m.type() === "error" && !(options.expects ?? /^$/).test(m.text())) page.wrong.push(m.text()); });
  page.on("pageerror", (e) => page.wrong.push(String(e)));
  await page.addInitScript(() => {
    globalThis.watch = { shifts: [], violations: [], tasks: [] };
    new PerformanceObserver((l) => { for (const e of l.getEntries()) if (!e.hadRecentInput) watch.shifts.push({ value: e.value, nodes: e.sources.map((s) => s.node?.className ?? s.node?.nodeName) }); }).observe({ type: "layout-shift", buffered: true });
    new PerformanceObserver((l) => { for (const e of l.getEntries()) watch.tasks.push(e.duration); }).observe({ type: "longtask", buffered: true });
    addEventListener("securitypolicyviolation", (e) => watch.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
  });
  if (options.routes) await options.routes(page);
  await page.goto(`${base}/${path}`);
  await drawn(page);
  page.api = (what) => context.request.get(`${base}/api/v1/${what}`).then((r) => r.json());
  return page;
}

// drawn waits until the view is there and no other is being read.
export const drawn = (page) => page.waitForFunction(() => document.querySelector("#main > :not([aria-hidden])") && !document.querySelector("#main[aria-busy]") && !document.querySelector("#main .bones"));

export async function done(page) {
  const watch = await page.evaluate(() => globalThis.watch);
  assert.deepEqual(watch.violations, [], "violations of the policy");
  assert.deepEqual(page.wrong, [], "errors in the console");
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await page.context().close();
}

// rewrite changes answers on their way; they are asked for whole, without tags.
export function rewrite(page, pattern, change) {
  return page.route(pattern, async (route) => {
    const { "if-none-match": _, ...headers } = route.request().headers();
    const response = await route.fetch({ headers });
    const body = await response.json();
    change(body);
    await route.fulfill({ response, json: body });
  });
}
