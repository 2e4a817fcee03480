// The pages of reporting packages in a real browser that is offline. The Go test of
// report/render writes them; by hand:
//
//   PACKAGE_DIRS='["/some/package"]' CHROMIUM=/usr/bin/chromium node --test package.test.mjs
//
// The first directory is of a plain package, whose pages have to fit their paper.
// PACKAGE_SHOTS is a directory for pictures of every page.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const dirs = JSON.parse(process.env.PACKAGE_DIRS ?? "[]");
const shots = process.env.PACKAGE_SHOTS;
const pages = ["snapshot", "summary", "packet"];
const screens = {
  desktop: { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  dark: { viewport: { width: 1024, height: 768 }, colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: "light" },
};
// The executive summary is a page; the others have so many at most.
const sheets = { snapshot: 12, summary: 1, packet: 5 };
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser;
before(async () => {
  assert.ok(dirs.length > 0, "PACKAGE_DIRS names no package");
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
});
after(() => browser?.close());

// open gives a page that notes what it asks for and what goes wrong in it.
async function open(file, options) {
  const context = await browser.newContext({ offline: true, ...options });
  const page = await context.newPage();
  page.wrong = [];
  page.on("console", (m) => page.wrong.push(m.text()));
  page.on("pageerror", (e) => page.wrong.push(String(e)));
  page.on("dialog", (d) => { page.wrong.push(`dialog ${d.message()}`); d.dismiss(); });
  page.on("request", (r) => { if (r.url() !== page.own) page.wrong.push(`asks for ${r.url()}`); });
  page.own = pathToFileURL(file).href;
  await page.goto(page.own);
  return page;
}

for (const [n, dir] of dirs.entries()) {
  for (const name of pages) {
    test(`${basename(dir)}: ${name}`, async () => {
      for (const [screen, options] of Object.entries(screens)) {
        if (n > 0 && screen === "dark") continue;
        const page = await open(`${dir}/${name}.html`, options);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${screen}: the page is ${wide} wider than the screen`);
        if (n === 0 && shots) {
          mkdirSync(shots, { recursive: true });
          await page.screenshot({ path: `${shots}/${name}-${screen}.png`, fullPage: true });
        }
        if (n === 0 && screen !== "phone") await accessible(page, screen);
        assert.deepEqual(page.wrong, [], screen);
        await page.context().close();
      }
    });

    test(`${basename(dir)}: ${name} on paper`, async () => {
      const page = await open(`${dir}/${name}.html`, screens.dark);
      for (const format of n === 0 ? ["A4", "Letter"] : ["A4"]) {
        const pdf = (await page.pdf({ format, path: n === 0 && shots ? `${shots}/${name}-${format}.pdf` : undefined })).toString("latin1");
        const count = pdf.match(/\/Type\s*\/Page\b(?!s)/g)?.length ?? 0;
        assert.ok(count > 0, "no sheet was printed");
        if (n === 0) assert.ok(count <= sheets[name], `${format}: ${count} sheets, ${sheets[name]} at most`);
      }
      // Paper is as wide as this; nothing may be cut off at its edge.
      await page.setViewportSize({ width: 702, height: 1000 });
      await page.emulateMedia({ media: "print" });
      const look = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth - innerWidth, ground: getComputedStyle(document.body).backgroundColor }));
      assert.equal(look.ground, "rgb(255, 255, 255)", "paper is white");
      if (n === 0) assert.ok(look.wide <= 0, `the page is ${look.wide} wider than the paper`);
      assert.deepEqual(page.wrong, []);
      await page.context().close();
    });
  }
}

// accessible asks axe. All of a page is read in light, what is folded as well; in the dark
// only its colours differ. Long tables say the same in each row: some are enough.
async function accessible(page, screen) {
  await page.evaluate(() => {
    document.querySelectorAll("details").forEach((d) => { d.open = true; });
    document.querySelectorAll("tbody tr:nth-child(n+6)").forEach((r) => r.remove());
  });
  await page.evaluate(axe);
  const violations = await page.evaluate((dark) => globalThis.axe.run({ resultTypes: ["violations"], ...(dark ? { runOnly: ["color-contrast"] } : {}) }).then((r) => r.violations), screen === "dark");
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((x) => x.html.slice(0, 160)).join(" | ")}`), [], screen);
}
