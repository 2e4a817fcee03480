// Where does the campaign stand?
import { h } from "./dom.js";
import { refusable } from "./api.js";
import { columns, legend } from "./chart.js";
import * as num from "./num.js";
import * as p from "./parts.js";
import { same, to } from "./route.js";

export const title = "Overview";
export const bones = () => p.bones("line", "tiles", "chart", "block", "block");

// A window is drawn by days, weeks or months, as there is room to tell apart. How
// long all days are the API knows.
export function stepOf(state, w) {
  const asked = state.get("step");
  if (asked) return asked;
  const days = w?.from && w?.to ? (Date.parse(w.to) - Date.parse(w.from)) / 86400000 + 1 : 0;
  const named = /^(\d+)d$/.exec(state.get("window") ?? "90d");
  const n = days || (named ? Number(named[1]) : 400);
  if (!named && !days) return null;
  return n <= 92 ? "day" : n <= 400 ? "week" : "month";
}

const doubtsShown = 6;

export async function load(ask, state, ctx, signal) {
  const measure = state.get("measure") ?? ctx.measure;
  const asked = stepOf(state, state.get("from") ? { from: state.get("from"), to: state.get("to") } : null);
  const [report, series, breakdown, funnel, sureness] = await Promise.all([
    ask("report", { measure: p.isMoney(ctx, measure) ? measure : ctx.measure }, signal),
    refusable(ask("timeseries", { measure, step: asked, by: "partner", top: 8 }, signal)),
    refusable(ask("breakdown", { measure, by: "partner,channel" }, signal)),
    ask("funnel", {}, signal),
    // Milestones are reached by people, of whom there are no facts to look into.
    ctx.contract.milestones?.includes(measure) ? {} : ask("confidence", { measure, limit: doubtsShown }, signal),
  ]);
  const step = series.step ?? asked;
  const nothing = !state.get("days") && report.tiles.every((t) => t.total !== null && num.units(t.total) === 0n);
  return { report, series, breakdown, funnel, sureness, step, measure, nothing };
}

export function render(data, state, ctx) {
  const { report, measure } = data;
  const tile = report.tiles.find((t) => t.measure === measure);
  // The largest groups are of money, so those of a count are of the first measure.
  const ranked = report.tiles.find((t) => t.measure === (p.isMoney(ctx, measure) ? measure : ctx.measure));
  const top = (title, dimension, groups) => p.card(title, { hint: `${p.label(ranked.measure)} credited` },
    p.ranked(ctx, title, dimension, groups, { money: true, total: ranked.total, href: (key) => to("rows", { measure: ranked.measure, [dimension]: key }) }));
  if (data.nothing) return nobody(report, ctx);
  return h("div", { key: "overview", class: "stack" },
    headline(data, tile, state, ctx),
    state.get("days") ? null : escrowed(report, measure, ctx),
    tiles(report, state, ctx),
    overTime(data, state, ctx),
    p.card("Partner by channel", { hint: `${p.label(measure)}${data.breakdown.currency ? `, ${data.breakdown.currency}` : ""}, darker is more` }, matrix(data.breakdown, measure, ctx)),
    p.card("Partners", { hint: `${p.label(measure)} by role in the deal, and what was spent` }, partners(report, measure, ctx)),
    state.get("days") ? null : sureness(data, ctx),
    h("div", { class: "cols two" },
      p.card("Funnel", { hint: funnelHint(data.funnel) }, funnel(data.funnel)),
      top("Top assets", "asset", report.top.assets)),
    h("div", { class: "cols two" },
      top("Top segments", "segment", report.top.segments), top("Top regions", "region", report.top.regions)));
}

function nobody(report, ctx) {
  return h("div", { key: "nothing", class: "stack" }, p.empty(`No numbers ${p.windowWords(report.window)}`,
    "Nothing was converted in this window under this contract. ", h("a", { href: same({ window: "all", from: null, to: null }) }, "Look at all days"),
    ", or see ", h("a", { href: to("feeds") }, "whether the feeds arrive"), ctx.contract ? "." : ""));
}

// headline is the one sentence that somebody reads who reads no more.
function headline({ report, measure }, tile, state, ctx) {
  if (!tile) return null;
  const money = tile.kind === "money";
  const best = [...report.partners].filter((x) => !p.isSpecial(x.partner)).sort((a, b) => num.compare(b.credited?.[measure], a.credited?.[measure]))[0];
  if (tile.total === null) return h("p", { class: "headline lead" }, best ? [h("strong", {}, p.named(ctx, "partner", best.partner)), " is credited with ", h("strong", {}, p.value(best.credited?.[measure] ?? "0", money), tile.currency ? ` ${tile.currency}` : ""), ` of ${p.label(measure).toLowerCase()} ${p.windowWords(report.window)}. `] : null, `What ${ctx.contract.name} brought as a whole is withheld by the contract's visibility.`);
  const change = num.change(tile.total, tile.previous);
  const share = best?.share?.[measure];
  const status = { ahead: "ahead of its target", on_track: "on track for its target", behind: "behind its target" }[tile.status];
  return h("p", { class: "headline lead" },
    h("strong", {}, ctx.contract.name), state.get("days") === "adjustments" ? " was adjusted by " : " brought ",
    h("strong", {}, p.value(tile.total, money, { flash: tile.total, "data-headline": "" }), tile.currency ? ` ${tile.currency}` : ""), ` of ${p.label(measure).toLowerCase()} ${p.windowWords(report.window)}`,
    change && change.sign ? [", ", h("span", { class: p.toneOf(measure, change.sign) }, `${change.text}${change.text.endsWith("%") ? (change.sign > 0 ? " more" : " less") : ""}`), change.text.endsWith("%") ? " than before" : ""] : null,
    ". ",
    best && state.get("days") !== "adjustments" && num.units(best.credited?.[measure]) > 0n ? [h("a", { href: to("partner", { id: best.partner }) }, best.name ?? best.partner), share ? ` is credited with the most, ${num.share(share)}. ` : " is credited with the most. "] : null,
    status ? ["It is ", h("span", { class: tile.status === "behind" ? "bad" : "good" }, status), tile.expected && num.units(tile.expected) > 0n ? `: ${num.percent(num.units(tile.reached ?? tile.total), num.units(tile.expected), 0)} of what was due by then.` : "."] : null);
}

// escrowed says how much of the measure is disputed: it is in every total, and whose it
// is, is open.
function escrowed(report, measure, ctx) {
  const e = report.escrow?.find((x) => x.measure === measure);
  const some = e?.partners?.filter((x) => num.units(x.value) !== 0n) ?? [];
  if (!some.length && (!e?.total || num.units(e.total) === 0n)) return null;
  return h("p", { class: "note", "data-escrow": "" }, p.light("warning", " "), h("span", {}, h("strong", {}, p.value(e.total ?? some[0]?.value, true), ` ${e.currency}`), ` of ${p.label(measure).toLowerCase()} is disputed`,
    some.length ? [": ", some.map((x, i) => [i ? ", " : "", p.named(ctx, "sourced", x.key), " ", p.value(x.value, true)])] : null, ". ", h("a", { href: to("governance", { state: "open" }) }, "See the disputes")));
}

// sure is how certain a value is, as a percentage; nothing where nobody says.
const sure = (t) => (t === null || t === undefined ? null : h("span", { title: "How certain it is, by value: identity, taxonomy, currency, agreement, spread" }, `${num.share(t, 0)} certain`));

const parts = [["identity", "Who it was", "by what evidence touches belong to the account"], ["taxonomy", "What it was", "how much of a touch the contract could name"], ["currency", "Its currency", "how near the rate's day is"], ["agreement", "Agreement", "whether reporters say the same"], ["spread", "Likeness of models", "how alike the ledger's models share it"]];

// sureness is what the certainty of the measure is made of, and where most of the doubt
// is.
function sureness({ sureness: c, measure }, ctx) {
  if (!c.parts) return null;
  const money = p.isMoney(ctx, measure);
  const least = c.feeds.filter((f) => f.completeness.share !== null && f.completeness.share !== undefined).sort((a, b) => num.compare(a.completeness.share, b.completeness.share))[0];
  return h("div", { class: "cols two" },
    p.card("How certain", { hint: `${p.label(measure)}, by value; with the least complete feed ${c.joined === null ? "not told" : num.share(c.joined, 0)}`, side: h("strong", { class: "num" }, num.share(c.confidence, 0)) },
      h("table", { class: "ranked" }, h("caption", { class: "sr" }, "What certainty is made of"),
        h("thead", { class: "sr" }, h("tr", {}, h("th", { scope: "col" }, "Part"), h("th", { scope: "col" }, "Certain"))),
        h("tbody", {}, parts.map(([k, name, why]) => h("tr", { key: k }, h("th", { scope: "row" }, h("span", { class: "ranked-name", title: why }, p.bar(num.ratio(num.units(c.parts[k]), 1000000000n)), h("span", {}, name))), h("td", { class: "num" }, num.share(c.parts[k])))))),
      least ? h("p", { class: "hint ladder" }, `${least.feed.toUpperCase()} of ${p.named(ctx, "partner", least.partner)} is ${num.share(least.completeness.share)} complete.`) : null),
    p.card("Most doubt", { hint: "Deals by value that is not certain" }, p.table("Most doubt", [
      { name: "Deal", cell: (x) => [h("a", { href: to("journey", { id: x.id, measure }) }, p.dealId(x.id)), x.open_disputes ? [" ", h("span", { class: "tag warn" }, "Disputed")] : null] },
      { name: "Value", num: true, cell: (x) => p.value(x.value, money, { flash: x.value }) },
      { name: "Certain", num: true, cell: (x) => num.share(x.confidence.overall, 0) },
      { name: "Doubt", num: true, cell: (x) => p.value(x.doubt, money, { flash: x.doubt }) },
    ], c.deals.filter((x) => num.units(x.doubt) > 0n), { keyOf: (x) => x.id, empty: "No deal that you may see is in doubt." })));
}

// tiles are the figures of the campaign; choosing one makes it the measure. Who
// sourced and influenced is in the table of partners.
function tiles(report, state, ctx) {
  const now = state.get("measure") ?? ctx.measure;
  const own = (t) => report.partners.find((x) => x.partner === ctx.viewer.partner)?.credited?.[t.measure] ?? "0";
  return h("ul", { class: "tiles", "aria-label": "Key figures" }, report.tiles.filter((t) => t.measure === now || t.target || !/_(sourced|influenced|co_sell)$|^opportunities_influenced$/.test(t.measure)).map((t) => h("li", { key: t.measure },
    h("a", { class: "tile", href: same({ measure: t.measure }), "aria-current": t.measure === now ? "true" : null, "data-measure": t.measure },
      h("span", { class: "tile-top" }, h("span", { class: "tile-name" }, p.label(t.measure)), t.status === "none" ? null : p.light(t.status)),
      h("span", { class: "tile-value" }, p.value(t.total ?? own(t), t.kind === "money", { flash: t.total ?? own(t) }), t.currency ? h("span", { class: "unit" }, t.currency) : null),
      h("span", { class: "tile-foot muted" }, t.total === null ? "yours; the whole is withheld" : p.delta(t.measure, t.total, t.previous, p.beforeWords(report.window))),
      progress(t)))));
}

function progress(t) {
  const target = num.units(t.target);
  if (!t.target || target <= 0n) return t.kind === "money" && t.total && num.units(t.unattributed) !== 0n ? h("span", { class: "tile-target muted" }, h("span", {}, `${num.percent(num.units(t.unattributed), num.units(t.total))} unattributed`, t.confidence ? [" \u00b7 ", sure(t.confidence)] : null)) : t.confidence ? h("span", { class: "tile-target muted" }, sure(t.confidence)) : null;
  return h("span", { class: "tile-target" },
    h("span", { class: "progress", "aria-hidden": "true" },
      h("span", { class: t.status === "behind" ? "bad" : "good", style: { "--w": `${num.ratio(num.units(t.reached ?? t.total), target) * 100}%` } }),
      t.expected ? h("i", { style: { "--x": `${num.ratio(num.units(t.expected), target) * 100}%` }, title: `due by now: ${num.show(t.expected, t.kind === "money")}` }) : null),
    h("span", { class: "muted" }, `${num.share(t.progress, 0)} of ${num.show(t.target, t.kind === "money").replace(/\.00$/, "")}`, t.confidence ? [" \u00b7 ", sure(t.confidence)] : null));
}

function overTime(data, state, ctx) {
  const { series, step, measure } = data;
  if (series.refused) return p.card("Over time", { class: "chart-card" }, refused(series.refused, measure));
  const cumulative = state.get("sum") === "1";
  const money = p.isMoney(ctx, measure);
  const chart = chartData(series, { step, money, cumulative, name: (k) => p.named(ctx, "partner", k), colour: (k, i) => p.colour(ctx, "partner", k, i) });
  const unit = { day: "Day", week: "Week", month: "Month" };
  return p.card("Over time", {
    class: "chart-card", hint: `${p.label(measure)}${series.currency ? `, ${series.currency}` : ""} credited by ${p.modelName(ctx, series.model ?? ctx.model)}`,
    side: h("div", { class: "card-side" },
      p.segmented("How", [{ id: "each", name: `Per ${step}`, href: same({ sum: null }) }, { id: "sum", name: "Summed up", href: same({ sum: 1 }) }], cumulative ? "sum" : "each"),
      p.segmented("Step", ["day", "week", "month"].map((s) => ({ id: s, name: unit[s], href: same({ step: s }) })), step)),
  },
  chart.starts.length ? [legend(chart.series, chart.target), h("div", { class: "plot-box", role: "img", "aria-label": `${p.label(measure)} over time by partner; the table below has the numbers`, widget: { make: columns, data: chart } })] : h("div", { class: "empty plot-box" }, "No days in this window."),
  p.asTable(seriesTable(chart, unit[step])));
}

// refused says why there is no such sum of the measure.
const refused = (problem, measure) => p.empty(`${p.label(measure)} is not added up so`, problem.message, ". ", h("a", { href: same({ measure: null }) }, "Look at revenue"));

// chartData makes a series of the API what the chart draws.
export function chartData(s, { step, money, cumulative, name, colour }) {
  const sums = s.total ?? s.starts.map((_, i) => num.text(num.sum(s.series.map((x) => x.values[i]))));
  // Of all days only those between the first and the last with a number are drawn.
  const some = sums.map((t, i) => num.units(t) !== 0n || s.series.some((x) => num.units(x.values[i]) !== 0n));
  const from = s.window?.name === "all" ? Math.max(0, some.indexOf(true)) : 0;
  const until = s.window?.name === "all" ? some.lastIndexOf(true) + 1 : sums.length;
  const run = (values) => {
    const part = values.slice(from, until);
    if (!cumulative) return part;
    let n = 0n;
    return part.map((v) => num.text((n += num.units(v))));
  };
  return {
    starts: s.starts.slice(from, until), step, money, upTo: cumulative,
    series: s.series.map((x, i) => ({ name: name(x.key), colour: colour(x.key, i), values: run(x.values), key: x.key })),
    total: run(sums), target: s.target ? run(s.target) : null,
  };
}

export function seriesTable(chart, unit) {
  const rows = chart.starts.map((start, i) => ({ start, i })).filter((r) => num.units(chart.total[r.i]) !== 0n || chart.series.some((s) => num.units(s.values[r.i]) !== 0n));
  return p.table("Over time", [
    { name: unit, cell: (r) => num.day(r.start, true) },
    ...chart.series.map((s) => ({ name: s.name, num: true, cell: (r) => num.show(s.values[r.i], chart.money) })),
    { name: "Total", num: true, cell: (r) => h("strong", {}, num.show(chart.total[r.i], chart.money)) },
    ...(chart.target ? [{ name: "Target", num: true, cell: (r) => num.show(chart.target[r.i], chart.money) }] : []),
  ], rows, { keyOf: (r) => r.start });
}

const channelsMax = 10;

// matrix is two dimensions against each other with their sums.
export function matrix(b, measure, ctx) {
  if (b.refused) return refused(b.refused, measure);
  const money = b.kind === "money";
  const margin = (d) => b.margins?.find((m) => m.dimension === d)?.groups ?? [];
  const keyed = (groups) => groups.map((g) => ({ key: [g.key].flat()[0], value: g.value, confidence: g.confidence }));
  const partners = keyed(margin("partner"));
  const channels = keyed(margin("channel")).slice(0, channelsMax);
  if (!partners.length) return h("div", { class: "empty" }, "Nothing was credited in this window.");
  const cells = new Map(b.groups.map((g) => [JSON.stringify(g.key), g]));
  const top = num.largest(b.groups.map((g) => g.value));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Partner by channel" },
    h("table", { class: "matrix" }, h("caption", { class: "sr" }, `${p.label(measure)} by partner and channel`),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Partner"), channels.map((c) => h("th", { scope: "col", class: "num", key: c.key }, p.named(ctx, "channel", c.key))), h("th", { scope: "col", class: "num" }, "Total"))),
      h("tbody", {}, partners.map((row, i) => h("tr", { key: row.key },
        h("th", { scope: "row" }, p.swatch(p.colour(ctx, "partner", row.key, i)), p.isSpecial(row.key) ? h("span", { class: "quiet" }, p.named(ctx, "partner", row.key)) : h("a", { href: to("partner", { id: row.key, measure }) }, p.named(ctx, "partner", row.key))),
        channels.map((c) => {
          const g = cells.get(JSON.stringify([row.key, c.key]));
          const v = g?.value;
          return p.heat(v, top, money, { key: c.key, ...(v === undefined ? {} : { href: h("a", { title: g.confidence ? `${num.share(g.confidence, 0)} certain` : null, href: to("rows", { measure, partner: row.key, channel: c.key }) }, p.value(v, money, { flash: v })) }) });
        }),
        h("td", { class: "num sum", title: row.confidence ? `${num.share(row.confidence, 0)} certain` : null }, p.value(row.value, money, { flash: row.value }))))),
      h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, "Total"), channels.map((c) => h("td", { class: "num", key: c.key }, p.value(c.value, money))), h("td", { class: "num", "data-total": "" }, p.value(b.total, money))))));
}

const funnelHint = (f) => f.basis.charAt(0).toUpperCase() + f.basis.slice(1);

export function funnel(f) {
  const top = num.largest(f.stages.map((s) => s.count));
  if (!f.stages.length || top === 0n) return h("div", { class: "empty" }, "Nobody reached a stage in this window.");
  return h("table", { class: "funnel" }, h("caption", { class: "sr" }, "Funnel with drop-offs"),
    h("thead", { class: "sr" }, h("tr", {}, ["Stage", "Count", "Of the stage before"].map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, f.stages.map((s, i) => h("tr", { key: s.stage },
      h("th", { scope: "row" }, p.label(s.stage)),
      h("td", { class: "funnel-bar" }, h("span", { class: "bar", "aria-hidden": "true" }, h("span", { style: { "--w": `${num.ratio(num.units(s.count), top) * 100}%` } })), h("strong", {}, p.value(s.count, false, { flash: s.count }))),
      h("td", { class: "num" }, i === 0 || s.from_previous === null ? h("span", { class: "quiet" }, "\u2013") : [h("span", {}, num.share(s.from_previous)), h("span", { class: "drop muted" }, dropText(s.drop_off))])))));
}

// dropText takes a fraction or a count, whichever the answer gives.
function dropText(d) {
  if (d === null || d === undefined) return "";
  const n = num.units(d);
  if (n <= 0n) return "no loss";
  return String(d).includes(".") ? `${num.share(d)} lost` : `${num.show(d, false)} lost`;
}

function partners(report, measure, ctx) {
  const key = p.roleKey(measure);
  const cols = [["Credited", "credited", measure], ["Sourced", "sourced", key], ["Influenced", "influenced", key], ["Co-sell", "co_sell", key]];
  const money = p.isMoney(ctx, measure);
  return p.table("Partners", [
    { name: "Partner", cell: (x) => (p.isSpecial(x.partner) ? h("span", { class: "quiet" }, p.named(ctx, "partner", x.partner)) : h("a", { href: to("partner", { id: x.partner }) }, p.named(ctx, "partner", x.partner))) },
    ...cols.map(([name, kind, k]) => ({ name, num: true, cell: (x) => p.value(x[kind]?.[k], money, { flash: x[kind]?.[k] }) })),
    { name: "Certain", num: true, cell: (x) => (x.confidence?.[measure] ? num.share(x.confidence[measure], 0) : h("span", { class: "quiet" }, "\u2013")) },
    { name: "Spend", num: true, cell: (x) => (num.units(x.spend) === 0n ? h("span", { class: "quiet" }, "\u2013") : p.value(x.spend, true)) },
    { name: "Return", num: true, cell: (x) => (x.return === null || x.return === undefined ? h("span", { class: "quiet" }, "\u2013") : `${num.fixed(num.units(x.return), 2)}\u00d7`) },
  ], report.partners, { keyOf: (x) => x.partner, empty: "No partner is credited in this window.", min: "560px" });
}
