// Does everything arrive, and how old is it?
import { h } from "./dom.js";
import * as num from "./num.js";
import * as p from "./parts.js";

export const title = "Feeds";
export const bones = () => p.bones("tiles", "chart");
const staleAfter = 86400;
const counters = [["raw", "Raw events"], ["accepted", "Accepted"], ["duplicates", "Duplicates"], ["dead_letters", "Dead letters"], ["unresolved", "Unresolved"]];

// What became of a feed's events, and what it says to who asks for it.
const became = [
  ["touches", "Touches", "of accepted events, that count now"], ["unmatched", "Unmatched", "touches on an account that only stands in for one"], ["accepted", "Accepted", "distinct events taken in"],
  ["duplicates", "Duplicates", "the same event again"], ["late", "Late", "older than the horizon"], ["suppressed", "Erased", "of people who were erased"],
  ["unmatchable", "Unmatchable", "accepted, with a hashed address that has no domain or another scheme"],
];
const unknown = (t) => t === null || t === undefined;

// matched is the part of a feed's touches that are on a known account, and opens what it
// is made of. What nobody has told is said to be that.
function matched(x) {
  if (unknown(x.touches)) return p.light("unknown", "Not told");
  return h("details", { class: "ids became" },
    h("summary", { title: `${num.show(x.unmatched, false)} of ${num.show(x.touches, false)} touches are on no known account` }, unknown(x.match_rate) ? "No touches" : h("strong", { class: "num", flash: x.match_rate }, num.share(x.match_rate))),
    h("dl", {}, became.map(([k, name, why]) => h("div", { key: k, title: why }, h("dt", {}, name), h("dd", {}, p.value(x[k], false, { flash: x[k] }))))));
}

export async function load(ask, state, ctx, signal) {
  return { f: await ask("freshness", {}, signal) };
}

const age = (f) => (f.age_seconds === null || f.age_seconds === undefined ? null : Number(f.age_seconds));

export function render({ f }, state, ctx) {
  const late = f.feeds.filter((x) => (age(x) ?? staleAfter) >= staleAfter);
  const dead = f.feeds.reduce((a, x) => a + num.units(x.dead_letters), 0n);
  const count = (n) => num.fixed(n, 0);
  return h("div", { key: "feeds", class: "stack" },
    h("p", { class: "headline" }, f.feeds.length === 0 ? "No feed is known yet." : late.length ? [h("strong", { class: "warn" }, `${late.length} of ${f.feeds.length} feeds`), " brought nothing for a day or more"] : [h("strong", {}, `All ${f.feeds.length} feeds`), " brought events within a day"],
      f.feeds.length ? [", ", dead > 0n ? h("strong", { class: "bad" }, count(dead)) : "no", dead === 1000000000n ? " record was refused." : " records were refused."] : null),
    f.counters ? h("ul", { class: "tiles five", "aria-label": "Events behind these numbers" }, counters.map(([k, name]) => h("li", { key: k }, h("div", { class: "tile still short" }, h("span", { class: "tile-name" }, name), h("span", { class: "tile-value" }, p.value(f.counters[k], false, { flash: f.counters[k] ?? "" })))))) : null,
    p.card("Feeds", { hint: "By partner and source; matched is the part of the touches that are on a known account" }, p.table("Feeds", [
      { name: "Feed", cell: (x) => h("span", { class: "feed-name" }, h("strong", {}, p.named(ctx, "partner", x.partner)), h("span", { class: "muted small" }, { crm: "CRM", map: "Marketing automation", analytics: "Web analytics" }[x.feed] ?? x.feed)) },
      { name: "State", cell: (x) => (age(x) === null ? p.light("silent", "No events") : age(x) >= staleAfter ? p.light("stale") : p.light("ok", "Fresh")) },
      { name: "Newest event", num: true, cell: (x) => (age(x) === null ? h("span", { class: "quiet" }, "\u2013") : h("span", { title: x.last_event }, `${num.span(age(x))} ago`)) },
      { name: "Records", num: true, cell: (x) => p.value(x.records, false, { flash: x.records }) },
      { name: "Lag", num: true, cell: (x) => p.value(x.lag, false) },
      { name: "Dead letters", num: true, cell: (x) => h("span", { class: num.units(x.dead_letters) > 0n ? "bad" : "" }, p.value(x.dead_letters, false, { flash: x.dead_letters })) },
      { name: "Codes", cell: (x) => (x.dead_codes?.length ? h("span", { class: "codes" }, x.dead_codes.slice(0, 3).map((c) => h("span", { class: "tag", key: c.code }, `${c.code} ${num.show(c.count, false)}`)), x.dead_codes.length > 3 ? h("span", { class: "muted" }, `+${x.dead_codes.length - 3}`) : null) : h("span", { class: "quiet" }, "\u2013")) },
      { name: "Completeness", cell: (x) => h("span", { title: x.completeness?.detail || null }, p.light(x.completeness?.state ?? "unknown", { ok: "Complete", short: "Short", unknown: "Not told" }[x.completeness?.state ?? "unknown"])) },
      { name: "Matched", cls: "matched", cell: matched },
    ], f.feeds, { keyOf: (x) => `${x.feed}.${x.partner}`, empty: "No feed has sent anything. Point a partner's source at its raw topic.", min: "960px" })),
    f.line?.length ? p.card("The line", { hint: "Records between what came and what these numbers say" }, p.table("The line", [
      { name: "Group", cell: (x) => h("code", {}, x.group) },
      { name: "Behind by", num: true, cell: (x) => p.value(x.lag, false, { flash: x.lag }) },
      { name: "State", cell: (x) => (num.units(x.lag) === 0n ? p.light("ok", "Through") : p.light("warning", "Working")) },
    ], f.line, { keyOf: (x) => x.group })) : null);
}
