// The dashboard in a real browser against a running reporter: what it shows. The Go test
// beside this directory starts both; by hand:
//
//   DASHBOARD_URL=http://127.0.0.1:8080 CHROMIUM=/usr/bin/chromium node --test dashboard.test.mjs
//
// DASHBOARD_SEND is a command, as a JSON list, that makes an event arrive;
// DASHBOARD_SHOTS a directory for pictures of every view; browser.mjs says what else.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { atRest, base, close, desktop, done, drawn, launch, open, phone, rewrite, tokens } from "./browser.mjs";

const send = process.env.DASHBOARD_SEND ? JSON.parse(process.env.DASHBOARD_SEND) : null;
const shots = process.env.DASHBOARD_SHOTS;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let sample; // a deal and a row that there are

before(async () => {
  await launch();
  sample = await atRest();
});
after(close);

// still wants a layout that nobody sees moving: a text that is a pixel wider than
// before counts a hundredth of this.
const stillMax = 0.001;
function still(shifts, what) {
  assert.ok(shifts.reduce((a, s) => a + s.value, 0) < stillMax, `${what}: ${JSON.stringify(shifts)}`);
}

const plain = (shown) => shown.replaceAll(",", "").replace("\u2212", "-").trim();
const same = (text) => { const [w, d = ""] = String(text).split("."); const t = d.replace(/0+$/, ""); return t ? `${w}.${t}` : w; };

test("numbers on the page equal the API", async () => {
  const page = await open();
  const report = await page.api("report?window=all");
  const shown = await page.$$eval("[data-measure]", (l) => l.map((n) => n.dataset.measure));
  assert.ok(shown.length > 4, `tiles: ${shown}`);
  for (const t of report.tiles.filter((x) => shown.includes(x.measure))) {
    const text = plain(await page.textContent(`[data-measure="${t.measure}"] .tile-value .num`));
    const exact = await page.getAttribute(`[data-measure="${t.measure}"] .tile-value .num`, "data-exact");
    assert.equal(exact, t.total, t.measure);
    if (t.kind === "money") assert.equal(same(text), same(t.total), t.measure);
  }
  const breakdown = await page.api("breakdown?window=all&measure=revenue&by=partner,channel");
  const cells = await page.$$eval("table.matrix tbody td.heat [data-exact]", (list) => list.map((n) => n.dataset.exact));
  assert.deepEqual(cells.sort(), breakdown.groups.map((g) => g.value).sort(), "cells of partner by channel");
  assert.equal(await page.getAttribute("table.matrix [data-total] [data-exact]", "data-exact"), breakdown.total);
  const funnel = await page.api("funnel?window=all");
  assert.deepEqual(await page.$$eval("table.funnel [data-exact]", (l) => l.map((n) => n.dataset.exact)), funnel.stages.map((s) => s.count));
  // The table behind the chart has the same sum as the tile.
  const rows = await page.$$eval(".chart-card .as-table tbody tr td:last-child", (l) => l.map((n) => n.textContent));
  assert.ok(rows.length > 0, "the chart has a table behind it");
  // Each figure can be looked at, those that are no money as well.
  for (const measure of shown) {
    await page.click(`[data-measure="${measure}"]`);
    await page.waitForSelector(`[data-measure="${measure}"][aria-current]`);
    await drawn(page);
    assert.equal(await page.isVisible("[role=alert]"), false, `${measure}: ${await page.textContent("#main")}`);
  }
  // What must not be added up is left for what can be.
  await page.goto(`${base}/?window=all&measure=revenue_co_sell`);
  await page.waitForURL((u) => !u.searchParams.has("measure"));
  await drawn(page);
  await done(page);
});

test("models, deals and contributions equal the API", async () => {
  const page = await open("?view=models&window=all");
  const { models } = await page.api("models?window=all&measure=revenue&by=partner");
  for (const m of models) {
    const shown = await page.$$eval(`tr[data-model="${m.id}"] td.heat [data-exact]`, (l) => l.map((n) => n.dataset.exact));
    for (const g of m.groups.slice(0, 4)) assert.ok(shown.includes(g.value), `${m.id} ${g.key}: ${g.value} is not among ${shown}`);
  }
  await page.goto(`${base}/?view=rows&window=all`);
  await drawn(page);
  const { rows } = await page.api("contributions?window=all&measure=revenue&limit=5000");
  await page.waitForFunction((n) => document.getElementById("row-count")?.textContent.replaceAll(",", "") === n, String(rows.length));
  const cents = rows.reduce((a, r) => { const [w, d = ""] = r.value.replace("-", "").split("."); const n = BigInt(w + d.padEnd(9, "0")); return r.value.startsWith("-") ? a - n : a + n; }, 0n);
  const [w, d = ""] = (await page.getAttribute("#row-sum", "data-exact")).replace("-", "").split(".");
  assert.equal(BigInt(w + d.padEnd(9, "0")), cents < 0n ? -cents : cents, "sum of the rows");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(".grid-bar button:has-text('CSV')")]);
  const csv = readFileSync(await download.path(), "utf8").trim().split("\r\n");
  assert.equal(csv.length, rows.length + 1, "lines of the CSV");
  // What changed behind a closed period, on the day that it was booked on.
  await page.selectOption("select[name=days]", "adjustments");
  await page.selectOption("select[name=measure]", "pipeline_created");
  await page.waitForURL(/days=adjustments.*measure=pipeline_created|measure=pipeline_created.*days=adjustments/);
  const adjusted = (await page.api("contributions?window=all&measure=pipeline_created&view=adjustments&limit=5000")).rows;
  assert.ok(adjusted.length > 0 && adjusted.every((r) => r.booked > r.day), JSON.stringify(adjusted).slice(0, 300));
  await page.waitForFunction((n) => document.getElementById("row-count")?.textContent === n, String(adjusted.length));
  await done(page);
});

test("a change is seen without a reload, and nothing moves", { skip: send ? false : "no command that makes an event" }, async () => {
  // The page looks again every few seconds: not this one, which has to be told.
  const page = await open("?window=all&measure=pipeline_created", { routes: (page) => page.addInitScript(() => { globalThis.setInterval = () => 0; }) });
  await page.evaluate(() => { globalThis.marked = true; scrollTo(0, 120); });
  const before = await page.getAttribute('[data-measure="pipeline_created"] .tile-value .num', "data-exact");
  const asked = [];
  const open_ = new Map();
  page.on("request", (r) => { const kind = new URL(r.url()).pathname; if (!kind.startsWith("/api/v1/") || kind.endsWith("/events")) return; open_.set(kind, (open_.get(kind) ?? 0) + 1); asked.push([kind, open_.get(kind)]); });
  const end = (r) => { const kind = new URL(r.url()).pathname; open_.set(kind, Math.max(0, (open_.get(kind) ?? 0) - 1)); };
  page.on("requestfinished", end);
  page.on("requestfailed", end);
  const start = Date.now();
  execFileSync(send[0], send.slice(1), { stdio: "pipe" });
  const sent = Date.now();
  await page.waitForFunction((old) => document.querySelector('[data-measure="pipeline_created"] .tile-value .num').dataset.exact !== old, before);
  console.log(`change seen ${Date.now() - sent} ms after the event was acknowledged, ${Date.now() - start} ms after the command began`);
  assert.equal(await page.evaluate(() => globalThis.marked && performance.getEntriesByType("navigation").length), 1, "the page was loaded again");
  assert.ok(await page.$eval('[data-measure="pipeline_created"] .tile-value .num', (n) => Number(n.dataset.changed) > 0), "what changed is not marked");
  assert.equal(await page.evaluate(() => scrollY), 120, "the page scrolled");
  assert.ok(asked.every(([, n]) => n <= 1), `more than one request of a kind at once: ${JSON.stringify(asked)}`);
  still(await page.evaluate(() => watch.shifts), "shifts of the layout");
  await done(page);
});

test("filters, window and measure are in the address; back undoes them", async () => {
  const page = await open();
  const total = () => page.getAttribute('[data-measure="revenue"] .tile-value .num', "data-exact");
  const whole = await total();
  await page.click("details.pop summary:has-text('Filter')");
  await page.selectOption("select[name=dimension]", "partner");
  const partner = (await page.api("contracts")).contracts[0].partners[1].id;
  await page.fill("input[name=value]", partner);
  await page.click("button:has-text('Add')");
  await page.waitForURL((u) => u.searchParams.get("partner") === partner);
  await drawn(page);
  const api = await page.api(`report?window=all&measure=revenue&partner=${partner}`);
  assert.equal(await total(), api.tiles.find((t) => t.measure === "revenue").total);
  await page.selectOption("select[name=measure]", "pipeline_created");
  await page.waitForURL(/measure=pipeline_created/);
  await drawn(page);
  // The address alone gives the same page to somebody else.
  const shared = await open(new URL(page.url()).search);
  assert.equal(await shared.textContent(".headline"), await page.textContent(".headline"));
  await done(shared);
  await page.goBack();
  await page.waitForURL((u) => !u.searchParams.has("measure"));
  await page.goBack();
  await page.waitForURL((u) => !u.searchParams.has("partner"));
  await page.waitForFunction((t) => document.querySelector('[data-measure="revenue"] .tile-value .num').dataset.exact === t, whole);
  await page.goForward();
  await page.waitForURL((u) => u.searchParams.has("partner"));
  await page.click(".chips .clear a");
  await page.waitForURL((u) => !u.searchParams.has("partner"));
  await done(page);
});

test("dark mode follows the system and the button, and stays", async () => {
  const page = await open("?window=all", { colorScheme: "dark" });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.emulateMedia({ colorScheme: "light" });
  const light = await ground();
  assert.notEqual(dark, light);
  await page.click("#theme"); // light
  await page.click("#theme"); // dark
  assert.equal(await ground(), dark);
  await page.reload();
  await drawn(page);
  assert.equal(await ground(), dark, "the choice is kept");
  await done(page);
});

test("the keyboard alone is enough", async () => {
  const page = await open();
  const focused = () => page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.getAttribute("aria-label") || document.activeElement.tagName);
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the numbers");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Track Source");
  const seen = new Set();
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    seen.add(await focused());
    const ring = await page.evaluate(() => { const e = document.activeElement; return e === document.body || getComputedStyle(e).outlineStyle !== "none" || e.matches("select, input, details, summary, canvas"); });
    assert.ok(ring, `no focus ring on ${await focused()}`);
  }
  for (const want of ["Models", "30 d", "Filter"]) assert.ok(seen.has(want), `Tab does not come to ${want}: ${[...seen].join(", ")}`);
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("?");
  await page.waitForSelector("#keys[open]");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#keys:not([open])", { state: "attached" });
  await page.keyboard.press("g");
  await page.keyboard.press("m");
  await page.waitForURL(/view=models/);
  await page.focus(".nav a[aria-current]");
  await page.keyboard.press("ArrowDown");
  assert.equal(await focused(), "Cohorts");
  await page.keyboard.press("/");
  await page.waitForURL(/view=journey/);
  await page.waitForFunction(() => document.activeElement.id === "search");
  await page.keyboard.type(sample.deal.slice(0, 4));
  await page.waitForURL(/q=/);
  assert.ok(await page.evaluate(() => document.activeElement.id === "search"), "typing keeps the focus");
  await page.goto(`${base}/?view=rows&window=all`);
  await drawn(page);
  await page.focus(".grid-table");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForURL(/key=/);
  await drawn(page);
  await done(page);
});

test("cohorts are by what deals have in common, with curves and what became of them", async () => {
  const page = await open("?view=cohorts");
  for (const cohort of ["partner", "lead_source", "first_touch"]) {
    await page.selectOption("select[name=cohort]", cohort);
    await page.waitForURL(new RegExp(`cohort=${cohort}`));
    await drawn(page);
    const answer = await page.api(`cohorts?cohort=${cohort}`);
    const rows = page.locator('table:has(caption:text-is("What became of them")) tbody tr');
    assert.equal(await rows.count(), answer.cohorts.length);
    const exact = await rows.evaluateAll((list) => list.map((r) => [...r.querySelectorAll("[data-exact]")].map((e) => e.dataset.exact)));
    assert.deepEqual(exact, answer.cohorts.map((c) => [c.size, c.decided, c.won, c.contract_value, c.pipeline, c.pipeline_open, c.revenue].filter((v) => v !== null)));
    const curves = page.locator('table:has(caption:text-is("Curves")) tbody tr');
    assert.equal(await curves.count(), Math.min(8, answer.cohorts.filter((c) => c.cells.length).length));
    assert.equal(await page.locator(".chart-card canvas").count(), 1);
  }
  await done(page);
});

for (const [screen, viewport] of Object.entries({ desktop, phone })) {
  test(`a feed's match rate opens what it is made of, and what nobody told is no zero, on a ${screen} screen`, async () => {
    const told = { accepted: "1150", duplicates: "30", late: "7", suppressed: "0", unmatchable: "5", touches: "800", unmatched: "120", match_rate: "0.8500" };
    const none = Object.fromEntries(Object.keys(told).map((k) => [k, k === "match_rate" ? null : "0"]));
    const silent = Object.fromEntries(Object.keys(told).map((k) => [k, null]));
    const page = await open("?view=feeds", { viewport, routes: (p) => rewrite(p, "**/api/v1/freshness**", (b) => { b.feeds = [told, none, silent].map((counts, i) => ({ ...b.feeds[i], ...counts })); }) });
    const cells = page.locator("td.matched");
    assert.deepEqual(await cells.locator("summary").allTextContents(), ["85.0%", "No touches"]);
    assert.equal(await cells.nth(2).textContent(), "Not told");
    assert.equal(await cells.nth(2).locator("details").count(), 0);
    await cells.first().locator("summary").click();
    const parts = await cells.first().locator("dl > div").evaluateAll((l) => l.map((n) => [n.querySelector("dt").textContent, n.querySelector("[data-exact]").dataset.exact]));
    assert.deepEqual(parts, [["Touches", "800"], ["Unmatched", "120"], ["Accepted", "1150"], ["Duplicates", "30"], ["Late", "7"], ["Erased", "0"], ["Unmatchable", "5"]]);
    assert.ok(await cells.first().locator("dd").last().isVisible());
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "the page has its width");
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] }));
    assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(" ")}`), []);
    if (shots) await page.screenshot({ path: `${shots}/feeds-matched-${screen}.png` });
    await done(page);
  });
}

test("it prints", async () => {
  const page = await open();
  const pdf = await page.pdf({ format: "A4" });
  assert.ok(pdf.length > 20_000 && pdf.subarray(0, 5).toString() === "%PDF-", `${pdf.length} bytes`);
  await page.emulateMedia({ media: "print" });
  assert.equal(await page.isVisible("#side"), false);
  assert.equal(await page.isVisible("table.matrix"), true);
  await done(page);
});

const views = () => ({
  overview: "?window=all", partner: "?view=partner&window=all", models: "?view=models&window=all", cohorts: "?view=cohorts", sources: "?view=cohorts&cohort=lead_source&by=region", journeys: "?view=journey",
  deal: `?view=journey&id=${encodeURIComponent(sample.deal)}`, row: `?view=journey&key=${encodeURIComponent(sample.row)}`, rows: "?view=rows&window=all", feeds: "?view=feeds", actions: "?view=actions", governance: "?view=governance", reconcile: "?view=reconcile",
});

for (const [name, viewport] of Object.entries({ desktop, phone })) {
  for (const scheme of ["light", "dark"]) {
    // Layout is the screen's and colours are the theme's: the fourth pair adds pictures alone.
    const skip = name === "phone" && scheme === "dark" && !shots && "only for pictures";
    test(`every view on a ${name} screen in ${scheme}: still, accessible, without errors`, { skip }, async () => {
      const page = await open("?view=feeds", { viewport, colorScheme: scheme });
      for (const [view, path] of Object.entries(views())) {
        const look = async () => {
          await page.goto(`${base}/${path}`);
          await drawn(page);
          await page.waitForTimeout(100); // what would shift has the time to
          return page.evaluate(() => watch.shifts);
        };
        // A guardrail that is evaluated just then gives a table a row; a view that moves
        // by itself moves again.
        let shifts = await look();
        if (shifts.length) shifts = await look();
        still(shifts, `${view}: shifts of the layout`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${view}: ${wide} pixels wider than the screen`);
        await page.evaluate(axe);
        // A narrow screen has the colours of a wide one, and measuring them takes longest.
        const broken = await page.evaluate((contrast) => axe.run(document, { resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21aa"], rules: { "color-contrast": { enabled: contrast } } }), name === "desktop");
        assert.deepEqual(broken.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 4).map((n) => `${n.target} ${n.failureSummary.split("\n")[1] ?? ""}`).join(" | ")}`), [], `${view}: axe`);
        if (shots) {
          mkdirSync(shots, { recursive: true });
          await page.screenshot({ path: `${shots}/${view}-${name}-${scheme}.png`, fullPage: view !== "rows" });
        }
      }
      await done(page);
    });
  }
}

test("100,000 rows stay interactive", async () => {
  const total = 100_000;
  const pick = (list, i) => list[i % list.length];
  const row = (i) => ({
    measure: "revenue", model: "linear", day: `2026-${String(1 + (i % 12)).padStart(2, "0")}-${String(1 + (i % 28)).padStart(2, "0")}`, partner: pick(["acme", "globex", "(unattributed)"], i), channel: pick(["Events", "Email", "Direct"], i >> 2),
    asset: `asset-${i % 977}`, region: pick(["EMEA", "APAC"], i >> 3), segment: pick(["Enterprise", "(unknown)"], i >> 4), source: pick(["google", "globex"], i >> 5), touch_campaign: "ai-launch-tour", value: `${(i * 7919) % 100000}.${String(i % 100).padStart(2, "0")}`, currency: "USD",
    version: 1, is_final: i % 2 === 0, as_of: "2026-06-01T00:00:00Z", updated_at: "2026-06-01T00:00:00Z", credits_partition: 0, credits_offset: i, key: `row${i}`,
  });
  const page = await open("?view=rows&window=all", { routes: (p) => p.route("**/api/v1/contributions**", (route) => {
    const q = new URL(route.request().url()).searchParams;
    const from = Number(q.get("cursor") ?? 0);
    const limit = Number(q.get("limit"));
    route.fulfill({ json: { campaign: "x", version: 1, as_of: null, behind: { seconds: 0, why: "" }, withheld: false, restating: [], rows: Array.from({ length: Math.min(limit, total - from) }, (_, i) => row(from + i)), next: from + limit < total ? String(from + limit) : null } });
  }) });
  await page.waitForFunction(() => document.getElementById("row-count")?.textContent === "100,000" && !document.querySelector(".grid-count").textContent.includes("reading"), null);
  const elements = await page.$$eval(".grid-body .grid-row", (l) => l.length);
  assert.ok(elements < 80, `${elements} rows are elements`);
  const timed = async (what, act) => {
    await page.evaluate(() => { watch.tasks.length = 0; });
    const start = Date.now();
    await act();
    const tasks = await page.evaluate(() => new Promise((r) => setTimeout(() => r(watch.tasks), 100)));
    console.log(`100,000 rows, ${what}: ${Date.now() - start} ms, longest task ${Math.round(Math.max(0, ...tasks))} ms`);
  };
  await timed("60 steps of scrolling", () => page.evaluate(async () => {
    const table = document.querySelector(".grid-table");
    for (let i = 0; i < 60; i++) { table.scrollTop += 40_000; await new Promise(requestAnimationFrame); }
  }));
  await timed("sorting by value", async () => { await page.click(".grid-head button:has-text('Value')"); await page.waitForSelector("[aria-sort=descending] button:has-text('Value')"); });
  assert.equal(await page.textContent(".grid-body .grid-row:first-child .num:not(.left)"), "99,999.21"); // of row 82,321
  await timed("filtering", async () => { await page.fill("#search", "asset-976 email"); await page.waitForFunction(() => document.querySelector(".grid-count").textContent.includes(" of 100,000")); });
  await done(page);
});

test("HTML in names stays text", async () => {
  const evil = "<img src=x onerror=globalThis.owned=1><script>globalThis.owned=1</script>";
  const page = await open("?window=all", { routes: async (p) => {
    await rewrite(p, "**/api/v1/report**", (b) => { for (const list of Object.values(b.top)) list.unshift({ key: evil, value: "1.00" }); for (const x of b.partners) x.name = evil; });
    await rewrite(p, "**/api/v1/contracts", (b) => { for (const c of b.contracts) { c.name = evil; for (const x of c.partners) x.name = evil; } });
  } });
  assert.ok((await page.textContent(".headline")).includes(evil));
  assert.ok((await page.textContent(".ranked:has(caption:text-is('Top assets')) tbody")).includes(evil));
  assert.equal(await page.evaluate(() => document.querySelectorAll("#main img, #main script").length), 0);
  assert.equal(await page.evaluate(() => globalThis.owned), undefined);
  await done(page);
});

test("what is behind, offline or refused is said", async () => {
  const page = await open("?window=all", { expects: /Failed to load resource/, routes: (p) => rewrite(p, "**/api/v1/report**", (b) => { b.behind = { seconds: 240, why: "the broker cannot be reached" }; }) });
  await page.waitForSelector("#toast :text('Numbers are 4 min behind: the broker cannot be reached')");
  await page.context().setOffline(true);
  await page.evaluate(() => dispatchEvent(new Event("route")));
  await page.waitForSelector("#toast :text('cannot be reached')");
  assert.ok(await page.isVisible(".tile"), "the last numbers stay");
  await page.context().setOffline(false);
  await page.goto(`${base}/?campaign=no-such-thing`);
  await page.waitForSelector(".empty a");
  assert.match(await page.textContent("#main"), /no such campaign/i);
  await page.goto(`${base}/?window=5000d`);
  await page.waitForSelector("#main [role=alert]");
  await done(page);
});

test("who is not known signs in", { skip: tokens ? false : "no tokens" }, async () => {
  const page = await open("?window=all", { as: null, expects: /401/ });
  await page.fill("input[name=token]", "wrong");
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=This token is not known here");
  for (const [name, viewer] of [["globex", { role: "partner", partner: "globex" }], ["operator", { role: "operator", partner: "" }]]) {
    await page.fill("input[name=token]", tokens[name]);
    await page.keyboard.press("Enter");
    await page.waitForSelector(".tiles");
    assert.deepEqual((await page.api("contracts")).viewer, viewer);
    await page.click("#side button[aria-label='Sign out']");
    await page.waitForSelector("input[name=token]");
    assert.equal(await page.isVisible(".tiles"), false, `numbers stay after ${name} signed out`);
  }
  await done(page);
});

test("an export is held against the book", async () => {
  const page = await open("?view=reconcile&window=all");
  const deals = (await page.api("deals?limit=3")).deals;
  const csv = `Opportunity ID,Amount,Currency,Stage,Close Date,Created Date\n${deals.map((d) => `${d.id},${d.amount},${d.currency},Closed Won,${d.close_date},${(d.created_at ?? "").slice(0, 10)}`).join("\n")}\n`;
  await page.setInputFiles("input[type=file]", { name: "export.csv", mimeType: "text/csv", buffer: Buffer.from(csv) });
  await page.click("button:has-text('Compare')");
  await page.waitForSelector(".tiles.three");
  const shown = await page.$$eval(".tiles.three [data-exact]", (l) => l.map((n) => n.dataset.exact));
  assert.equal(shown.length, 3);
  await done(page);
});
