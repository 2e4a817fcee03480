// Do deals that began together end alike?
import { h } from "./dom.js";
import * as num from "./num.js";
import * as p from "./parts.js";
import { same } from "./route.js";

export const title = "Cohorts";
export const bones = () => p.bones("line", "chart", "block");
const cohorts = [["created_month", "Created"], ["lead_month", "First lead"], ["won_month", "Won"]];
const groups = [["", "All"], ["sourced", "By source"], ["region", "Region"], ["segment", "Segment"]];
const values = [["won", "Won"], ["revenue", "Revenue"], ["pipeline", "Pipeline"]];

export async function load(ask, state, ctx, signal) {
  const cohort = state.get("cohort") ?? "created_month";
  const value = state.get("value") ?? "won";
  const by = state.get("by");
  return { c: await ask("cohorts", { cohort, value, by }, signal), cohort, value, by };
}

export function render({ c, cohort, value, by }, state, ctx) {
  const money = value !== "won";
  const side = h("div", { class: "card-side" }, p.segmented("Cohort", cohorts.map(([id, name]) => ({ id, name, href: same({ cohort: id }) })), cohort), p.segmented("Value", values.map(([id, name]) => ({ id, name, href: same({ value: id }) })), value), p.segmented("By", groups.map(([id, name]) => ({ id, name, href: same({ by: id || null }) })), by ?? ""));
  const list = c.cohorts ?? [];
  const ages = [...new Set(list.flatMap((x) => x.cells.map((y) => Number(y.age))))].sort((a, b) => a - b);
  return h("div", { key: "cohorts", class: "stack" },
    p.card("Cohorts", { hint: money ? `Value so far by months since; ${c.currency ?? ctx.contract.currency}` : "Share won so far, by months since", side },
      list.length ? table(list, ages, money, (g) => p.named(ctx, by, g)) : p.empty("No cohorts yet", "They appear with the first deal of this campaign.")),
    p.card("Velocity", { hint: "Days from stage to stage" }, p.table("Velocity", [
      { name: "From", cell: (v) => p.label(v.from) },
      { name: "To", cell: (v) => p.label(v.to) },
      { name: "Median", num: true, cell: (v) => days(v.median_days) },
      { name: "Nine of ten within", num: true, cell: (v) => days(v.p90_days) },
      { name: "Count", num: true, cell: (v) => p.value(v.count, false) },
    ], (c.velocity ?? []).filter((v) => num.units(v.count) > 0n), { keyOf: (v) => `${v.from}>${v.to}`, empty: "No deal has passed two stages yet." })));
}

const days = (d) => (d === null || d === undefined ? "\u2013" : `${num.fixed(num.units(d), num.units(d) % 1000000000n ? 1 : 0)} d`);

function table(list, ages, money, named) {
  const top = num.largest(list.flatMap((x) => x.cells.map((y) => (money ? y.value : y.rate))));
  const name = (x) => (typeof x.group === "string" && x.group ? `${num.day(x.cohort)} · ${named(x.group)}` : num.day(x.cohort));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Cohorts" }, h("table", { class: "cohorts" },
    h("caption", { class: "sr" }, "Cohorts by age in months"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Month"), h("th", { scope: "col", class: "num" }, "Deals"), ages.map((a) => h("th", { scope: "col", class: "num", key: a }, a === 0 ? "Same month" : `+${a}`)))),
    h("tbody", {}, list.map((x) => {
      const at = new Map(x.cells.map((y) => [Number(y.age), y]));
      return h("tr", { key: `${x.cohort} ${x.group ?? ""}` }, h("th", { scope: "row" }, name(x)), h("td", { class: "num" }, p.value(x.size, false)),
        ages.map((a) => {
          const y = at.get(a);
          if (!y) return h("td", { key: a, class: "num none" });
          const v = money ? y.value : y.rate;
          return p.heat(v, top, money, { key: a, title: `${num.show(y.count, false)} of ${num.show(x.size, false)}`, href: money ? p.value(v, true, { flash: v }) : h("span", { class: "num", flash: v }, num.share(v)) });
        }));
    }))));
}
