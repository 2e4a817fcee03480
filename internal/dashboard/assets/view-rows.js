// Every contribution, as it stands in the topic.
import { h } from "./dom.js";
import { grid } from "./grid.js";
import * as p from "./parts.js";
import { same, to } from "./route.js";

export const title = "Contributions";
export const bones = () => p.bones("grid");
const pageRows = 5000;

export async function load(ask, state, ctx, signal) {
  const measure = state.get("measure") ?? ctx.measure;
  const first = await ask("contributions", { measure, limit: pageRows }, signal);
  return { first, measure, next: (cursor) => ask("contributions", { measure, limit: pageRows, cursor }) };
}

export function render({ first, measure, next }, state, ctx) {
  const asked = ["campaign", "model", "measure", "window", "from", "to", "days"].map((k) => state.get(k)).concat(state.filters.map((f) => `${f.name}=${f.value}`)).join("|");
  return h("div", { key: "rows", class: "stack" }, h("section", { class: "card flush", "aria-label": "Contributions", widget: { make: grid, data: {
    first, next, asked, money: p.isMoney(ctx, measure), name: `${first.campaign ?? ctx.contract.campaign}-${measure}`,
    sort: state.get("sort") ?? "day", down: state.get("dir") !== "up", find: state.get("q") ?? "",
    show: (d, key) => p.named(ctx, d, key), sorted: (sort, down) => same({ sort, dir: down ? null : "up" }), found: (q) => same({ q: q || null }),
    open: (row) => to("journey", { key: row.key, q: null }),
  } } }));
}
