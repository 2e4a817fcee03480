// What did one partner bring?
import { h } from "./dom.js";
import { refusable } from "./api.js";
import { columns, legend } from "./chart.js";
import { dealRows } from "./view-journey.js";
import { chartData, seriesTable, stepOf } from "./view-overview.js";
import * as num from "./num.js";
import * as p from "./parts.js";
import { same, to } from "./route.js";

export const title = "Partners";
export const bones = () => p.bones("line", "tiles", "chart", "block");
const dealsShown = 12;

export async function load(ask, state, ctx, signal) {
  const measure = state.get("measure") ?? ctx.measure;
  const known = ctx.contract.partners ?? [];
  const id = state.get("id") ?? (ctx.viewer.partner || known.find((x) => x.role !== "host")?.id || known[0]?.id);
  const asked = stepOf(state, state.get("from") ? { from: state.get("from"), to: state.get("to") } : null);
  if (!id) return { id: null };
  const [report, series, channels, assets, deals] = await Promise.all([
    ask("report", { measure: p.isMoney(ctx, measure) ? measure : ctx.measure, partner: null }, signal),
    refusable(ask("timeseries", { measure, step: asked, by: "channel", top: 8, partner: id }, signal)),
    refusable(ask("breakdown", { measure, by: "channel", partner: id }, signal)),
    refusable(ask("breakdown", { measure, by: "asset", partner: id }, signal)),
    ask("deals", { partner: id, limit: dealsShown }, signal),
  ]);
  const none = { groups: [], starts: [], series: [], total: [] };
  return { id, report, series: series.refused ? none : series, channels: channels.refused ? none : channels, assets: assets.refused ? none : assets, deals, step: series.step ?? asked ?? "day", measure };
}

export function render(d, state, ctx) {
  if (!d.id) return h("div", { key: "nobody", class: "stack" }, p.empty("No partners", "This contract names none that you may see."));
  const { id, report, measure } = d;
  const money = p.isMoney(ctx, measure);
  const row = report.partners.find((x) => x.partner === id);
  const signed = ctx.contract.partners?.find((x) => x.id === id);
  const unit = d.channels.currency || (money ? ctx.contract.currency : "");
  const groups = (b) => b.groups.map((g) => ({ key: [g.key].flat()[0], value: g.value }));
  const total = d.channels.attributed ?? d.channels.total;
  const rows = (dimension) => (key) => to("rows", { measure, partner: id, [dimension]: key });
  const chart = chartData(d.series, { step: d.step, money, cumulative: state.get("sum") === "1", name: (k) => p.named(ctx, "channel", k), colour: (k, i) => p.colour(ctx, "channel", k, i) });
  return h("div", { key: `partner-${id}`, class: "stack" },
    h("div", { class: "pick" }, p.segmented("Partner", (ctx.contract.partners ?? []).map((x) => ({ id: x.id, name: x.name || x.id, href: same({ id: x.id }) })), id),
      signed ? h("span", { class: "muted" }, `${p.label(signed.role)}, visibility ${signed.visibility}`) : null),
    figures(row, d, money, unit),
    p.card("Trend by channel", { class: "chart-card", hint: `${p.label(measure)}${unit ? `, ${unit}` : ""} credited to ${p.named(ctx, "partner", id)}`, side: p.segmented("How", [{ id: "each", name: `Per ${d.step}`, href: same({ sum: null }) }, { id: "sum", name: "Summed up", href: same({ sum: 1 }) }], chart.upTo ? "sum" : "each") },
      chart.starts.length ? [legend(chart.series, null), h("div", { class: "plot-box", role: "img", "aria-label": "Trend by channel; the table below has the numbers", widget: { make: columns, data: { ...chart, target: null } } })] : h("div", { class: "empty plot-box" }, "No days in this window."),
      p.asTable(seriesTable({ ...chart, target: null }, p.label(d.step)))),
    h("div", { class: "cols two" },
      p.card("Channels", {}, p.ranked(ctx, "Channels", "channel", groups(d.channels), { money, total, href: rows("channel"), max: 8 })),
      p.card("Assets", {}, p.ranked(ctx, "Assets", "asset", groups(d.assets), { money, total, href: rows("asset"), max: 8 }))),
    p.card("Deals", { hint: "Those it has a part in, newest first", side: h("a", { class: "button", href: to("journey", { partner: id }) }, "All deals") }, dealRows(d.deals.deals, ctx, "No deal that you may see has a touch of this partner.")));
}

function figures(row, d, money, unit) {
  const key = p.roleKey(d.measure);
  const role = (kind) => row?.[kind]?.[key];
  const list = [
    ["Credited", row?.credited?.[d.measure], money, unit, row?.share?.[d.measure] ? `${num.share(row.share[d.measure])} of all` : "under the agreed model"],
    ["Sourced", role("sourced"), money, unit, "it came first, or registered"],
    ["Influenced", role("influenced"), money, unit, "it had a touch in the window"],
    ["Co-sell", role("co_sell"), money, unit, "sourced by one, influenced by another"],
    ["Spend", num.units(row?.spend) === 0n ? null : row.spend, true, unit, row?.return ? `returned ${num.fixed(num.units(row.return), 2)}\u00d7` : "no spend is recorded"],
  ];
  return h("ul", { class: "tiles five", "aria-label": "Key figures" }, list.map(([name, text, isMoney, u, foot]) => h("li", { key: name },
    h("div", { class: "tile still" }, h("span", { class: "tile-top" }, h("span", { class: "tile-name" }, name)),
      h("span", { class: "tile-value" }, p.value(text, isMoney, { flash: text ?? "" }), u && text !== null && text !== undefined ? h("span", { class: "unit" }, u) : null),
      h("span", { class: "tile-foot muted" }, foot)))));
}
