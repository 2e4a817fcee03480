// What is read as a number is exact text; these are the cases that floats get wrong.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

// The page's modules have no package.json that would tell node what they are.
const num = await import(`data:text/javascript,${encodeURIComponent(readFileSync(new URL("../assets/num.js", import.meta.url), "utf8"))}`);

test("values keep every cent", () => {
  for (const [text, money, want] of [
    ["0", true, "0"], ["0.00", true, "0.00"], ["1234.5", true, "1,234.5"], ["-1234567.89", true, "\u22121,234,567.89"],
    ["9007199254740993.01", true, "9,007,199,254,740,993.01"], ["0.1", true, "0.1"], ["12.340000000", true, "12.34"], ["12.000000000", true, "12.00"],
    ["0.000000001", true, "0.000000001"], ["1000000", false, "1,000,000"], ["2210.500000", false, "2,210.50"], ["3.000000", false, "3"], [null, true, "\u2013"],
  ]) assert.equal(num.show(text, money), want, `${text}`);
});

test("sums of texts are exact and have their places", () => {
  assert.equal(num.text(num.sum(["0.1", "0.2"])), "0.3");
  assert.equal(num.like(num.sum(["2000.10", "501.10"]), true, "501.10"), "2,501.20");
  assert.equal(num.like(num.sum(["9007199254740993.01", "-0.01"]), true, "0.01"), "9,007,199,254,740,993.00");
  assert.equal(num.text(num.units("-0.5")), "-0.5");
});

test("shares and changes say what they can", () => {
  assert.equal(num.percent(1n, 3n), "33.3%");
  assert.equal(num.percent(2n, 3n, 0), "67%");
  assert.equal(num.percent(1n, 100000n), "<0.1%");
  assert.equal(num.percent(5n, 0n), "");
  assert.equal(num.share("0.4213"), "42.1%");
  assert.deepEqual(num.change("110", "100"), { sign: 1, text: "10.0%" });
  assert.deepEqual(num.change("50", "100"), { sign: -1, text: "50.0%" });
  assert.deepEqual(num.change("5", "0"), { sign: 1, text: "from none" });
  assert.equal(num.change("5", null), null);
  assert.equal(num.compare("10.00", "9.99"), 1);
});

test("days and spans are words", () => {
  assert.equal(num.day("2026-03-09"), "9 Mar");
  assert.equal(num.day("2026-03-09", true), "9 Mar 2026");
  assert.equal(num.day("2026-03"), "Mar 2026");
  assert.equal(num.instant("2026-03-09T12:30:00Z"), "9 Mar 2026, 12:30 UTC");
  assert.equal(num.instant("2026-03-09"), "9 Mar 2026");
  assert.equal(num.span(240), "4 min");
});
