// Do deals that began together end alike?
import { legend, lines } from "./chart.js";
import { h } from "./dom.js";
import * as num from "./num.js";
import * as p from "./parts.js";
import { same } from "./route.js";

export const title = "Cohorts";
export const bones = () => p.bones("line", "chart", "block");
const cohorts = [
  { id: "created_month", name: "Month created", of: "Month" }, { id: "first_touch", name: "Month of first touch", of: "First touch" }, { id: "lead_month", name: "Month of first lead", of: "First lead" },
  { id: "won_month", name: "Month won", of: "Month" }, { id: "lead_source", name: "Lead source", of: "Lead source" }, { id: "segment", name: "Segment", of: "Segment" }, { id: "partner", name: "Sourcing partner", of: "Partner" },
];
const groups = [["", "All"], ["sourced", "By source"], ["region", "Region"], ["segment", "Segment"]];
const values = [["won", "Won"], ["revenue", "Revenue"], ["pipeline", "Pipeline"]];
const linesMax = 8; // as many colours as there are

export async function load(ask, state, ctx, signal) {
  const cohort = state.get("cohort") ?? "created_month";
  const value = state.get("value") ?? "won";
  const by = state.get("by");
  return { c: await ask("cohorts", { cohort, value, by }, signal), cohort, value, by };
}

export function render({ c, cohort, value, by }, state, ctx) {
  const money = value !== "won";
  const kind = cohorts.find((x) => x.id === cohort) ?? cohorts[0];
  const side = h("div", { class: "card-side" }, p.choose("cohort", "Cohort", cohorts, kind.id), p.segmented("Value", values.map(([id, name]) => ({ id, name, href: same({ value: id }) })), value), p.segmented("By", groups.map(([id, name]) => ({ id, name, href: same({ by: id || null }) })), by ?? ""));
  const list = c.cohorts ?? [];
  const name = (x) => {
    const key = !c.months ? p.named(ctx, cohort, x.cohort) : p.isSpecial(x.cohort) ? "No touch" : num.day(x.cohort);
    return x.group ? `${key} · ${p.named(ctx, by, x.group)}` : key;
  };
  const ages = [...new Set(list.flatMap((x) => x.cells.map((y) => Number(y.age))))].sort((a, b) => a - b);
  const hint = `${money ? `Value so far by months since; ${c.currency || ctx.contract.currency}` : "Share won by months since"}${c.left_out ? `; ${c.left_out} more cohorts are not shown` : ""}`;
  return h("div", { key: "cohorts", class: "stack" },
    p.card("Cohorts", { hint, side },
      list.length ? table(list, ages, money, kind.of, name) : p.empty("No cohorts yet", "They appear with the first deal of this campaign.")),
    list.length ? curves(c, ctx, cohort, value, ages, list, name) : null,
    list.length ? outcomes(c, kind.of, list, name) : null,
    p.card("Velocity", { hint: "Days from stage to stage" }, p.table("Velocity", [
      { name: "From", cell: (v) => p.label(v.from) },
      { name: "To", cell: (v) => p.label(v.to) },
      { name: "Median", num: true, cell: (v) => days(v.median_days) },
      { name: "Nine of ten within", num: true, cell: (v) => days(v.p90_days) },
      { name: "Count", num: true, cell: (v) => p.value(v.count, false) },
    ], (c.velocity ?? []).filter((v) => num.units(v.count) > 0n), { keyOf: (v) => `${v.from}>${v.to}`, empty: "No deal has passed two stages yet." })));
}

const days = (d) => (d === null || d === undefined ? "\u2013" : `${num.fixed(num.units(d), num.units(d) % 1000000000n ? 1 : 0)} d`);
const keyOf = (x) => `${x.cohort} ${x.group ?? ""}`;
const ageName = (a) => (a === 0 ? "Same month" : `+${a}`);

function table(list, ages, money, of, name) {
  const top = num.largest(list.flatMap((x) => x.cells.map((y) => (money ? y.value : y.rate))));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Cohorts" }, h("table", { class: "cohorts" },
    h("caption", { class: "sr" }, "Cohorts by age in months"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, of), h("th", { scope: "col", class: "num" }, "Deals"), ages.map((a) => h("th", { scope: "col", class: "num", key: a }, ageName(a))))),
    h("tbody", {}, list.map((x) => {
      const at = new Map(x.cells.map((y) => [Number(y.age), y]));
      return h("tr", { key: keyOf(x) }, h("th", { scope: "row" }, name(x)), h("td", { class: "num" }, p.value(x.size, false)),
        ages.map((a) => {
          const y = at.get(a);
          if (!y) return h("td", { key: a, class: "num none" });
          const v = money ? y.value : y.rate;
          const young = y.of === x.size ? "" : `; ${num.show(y.of, false)} are as old`;
          return p.heat(v, top, money, { key: a, title: `${num.show(y.count, false)} of ${num.show(x.size, false)}${young}`, href: money ? p.value(v, true, { flash: v }) : h("span", { class: "num", flash: v }, num.share(v)) });
        }));
    }))));
}

// curves are the shares of the newest months, or of the largest cohorts, by age.
function curves(c, ctx, cohort, value, ages, list, name) {
  const drawn = list.filter((x) => x.cells.length);
  const shown = c.months ? drawn.slice(-linesMax) : [...drawn].sort((a, b) => num.compare(b.size, a.size)).slice(0, linesMax);
  if (!shown.length) return null;
  // A partner has its colour where it has but one line, and nobody else a partner's; other
  // lines have theirs by their place.
  const partners = cohort === "partner" && shown.every((x) => !x.group);
  const colour = (x, i) => (!partners ? `--c${i}` : !p.isSpecial(x.cohort) ? p.colour(ctx, "partner", x.cohort, i) : x.cohort === "unsourced" ? "--c-none" : "--c-other");
  const series = shown.map((x, i) => ({ name: name(x), colour: colour(x, i), values: x.cells.map((y) => y.rate) }));
  const words = { won: "won", revenue: "with revenue", pipeline: "with pipeline" }[value];
  const left = drawn.length - shown.length;
  return p.card("Curves", { class: "chart-card", hint: `Share of deals ${words} by months since${left > 0 ? `; the ${c.months ? "newest" : "largest"} ${shown.length} of ${drawn.length}` : ""}` },
    legend(series),
    h("div", { class: "plot-box", role: "img", "aria-label": `Share of deals ${words} by age of each cohort; the table below has the numbers`, widget: { make: lines, data: { ages: ages.map(ageName), series } } }),
    p.asTable(p.table("Curves", [{ name: "Cohort", cell: (s) => s.name }, ...ages.map((a) => ({ name: ageName(a), num: true, cell: (s) => (s.values[a] === undefined ? "" : num.share(s.values[a])) }))], series, { keyOf: (s) => s.name })));
}

// outcomes are what became of each cohort until now.
function outcomes(c, of, list, name) {
  const covered = list.some((x) => x.coverage !== null && x.coverage !== undefined);
  return p.card("What became of them", { hint: `Until now; ${c.amounts_currency}` }, p.table("What became of them", [
    { name: of, cell: name },
    { name: "Deals", num: true, cell: (x) => p.value(x.size, false, { flash: x.size }) },
    { name: "Decided", num: true, cell: (x) => p.value(x.decided, false) },
    { name: "Won", num: true, cell: (x) => p.value(x.won, false, { flash: x.won }) },
    { name: "Win rate", num: true, cell: (x) => num.share(x.win_rate) },
    { name: "Contract value", num: true, cell: (x) => p.value(x.contract_value, true) },
    { name: "Median to won", num: true, cell: (x) => days(x.median_days) },
    { name: "Nine of ten within", num: true, cell: (x) => days(x.p90_days) },
    { name: "Pipeline", num: true, cell: (x) => p.value(x.pipeline, true) },
    { name: "Open", num: true, cell: (x) => p.value(x.pipeline_open, true) },
    ...(covered ? [{ name: "Coverage", num: true, cell: (x) => (x.coverage === null ? "\u2013" : `${num.show(x.coverage, false)}×`) }] : []),
    { name: "Revenue", num: true, cell: (x) => p.value(x.revenue, true, { flash: x.revenue }) },
  ], list, { keyOf }));
}
