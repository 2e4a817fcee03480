// Why did this deal's money go where it went?
import { h } from "./dom.js";
import { icon } from "./icons.js";
import * as num from "./num.js";
import * as p from "./parts.js";
import { go, same, to } from "./route.js";
import { about, openDispute, reasons, stateOf } from "./view-governance.js";

export const title = "Journeys";
export const bones = () => p.bones("line", "block", "chart");
const listed = 100;
const typed = 250;

export async function load(ask, state, ctx, signal) {
  const id = state.get("id");
  const key = state.get("key");
  if (key) return { key, story: await ask("explain", { contribution: key }, signal) };
  if (id) return { id, story: await ask("explain", { opportunity: id }, signal) };
  const deals = await ask("deals", { q: state.get("q"), state: state.get("state"), partner: state.all("partner")[0] ?? null, cursor: state.get("cursor"), limit: listed }, signal);
  return { deals };
}

export function render(d, state, ctx) {
  if (d.key) return h("div", { key: `row-${d.key}`, class: "stack" }, row(d.story, ctx));
  if (d.id) return h("div", { key: `deal-${d.id}`, class: "stack" }, story(d.story, state, ctx));
  return h("div", { key: "deals", class: "stack" }, list(d.deals, state, ctx));
}

const states = [["", "All"], ["open", "Open"], ["won", "Won"], ["lost", "Lost"]];

function list(deals, state, ctx) {
  let waiting;
  const search = (e) => {
    clearTimeout(waiting);
    const q = e.target.value.trim();
    waiting = setTimeout(() => go(same({ q: q || null, cursor: null }), true), typed);
  };
  return p.card("Deals", { hint: "Choose one to see its touches and why each is credited",
    side: h("div", { class: "card-side" },
      h("label", { class: "search" }, icon("search"), h("span", { class: "sr" }, "Search by the deal's id"), h("input", { id: "search", type: "search", name: "q", placeholder: "Deal id", autocomplete: "off", spellcheck: "false", value: state.get("q") ?? "", oninput: search })),
      p.segmented("State", states.map(([id, name]) => ({ id, name, href: same({ state: id || null, cursor: null }) })), state.get("state") ?? "")) },
  dealRows(deals.deals, ctx, state.get("q") ? "No deal that you may see begins so." : "No deals yet. They appear with the first opportunity that the CRM reports."),
  deals.next ? h("p", { class: "pager" }, h("a", { class: "button", href: same({ cursor: deals.next }) }, "Next deals")) : null);
}

export function dealRows(deals, ctx, nothing) {
  return p.table("Deals", [
    { name: "Deal", cell: (x) => h("a", { href: to("journey", { id: x.id, partner: null }) }, p.dealId(x.id)) },
    { name: "Account", cls: "clip", cell: (x) => x.account },
    { name: "Amount", num: true, cell: (x) => [p.value(x.amount, true, { flash: x.amount ?? "" }), x.currency ? h("span", { class: "unit" }, x.currency) : null] },
    { name: "State", cell: (x) => stateTag(x) },
    { name: "Created", cls: "nowrap", cell: (x) => num.day((x.created_at ?? "").slice(0, 10), true) },
    { name: "Sourced by", cell: (x) => (x.sourced ? p.named(ctx, "sourced", x.sourced) : h("span", { class: "quiet" }, "\u2013")) },
    { name: "Touches", num: true, cell: (x) => x.touches ?? h("span", { class: "quiet" }, "\u2013") },
  ], deals, { keyOf: (x) => x.id, empty: nothing, min: "680px" });
}

function stateTag(x) {
  const tone = { won: "good", lost: "bad", open: "accent" }[x.state] ?? "";
  return h("span", { class: "stage-cell" }, h("span", { class: `tag ${tone}` }, p.label(x.state)), x.excluded ? h("span", { class: "tag warn" }, p.label(typeof x.excluded === "string" ? x.excluded : "excluded")) : null, x.open_disputes ? h("span", { class: "tag warn" }, "Disputed") : null, x.stage && p.label(x.stage) !== p.label(x.state) ? h("span", { class: "muted" }, p.label(x.stage)) : null);
}

const back = (text, href) => h("a", { class: "back", href }, icon("right", "flip"), text);

// story is one deal: what it is worth, to whom it went, and its touches and
// stages in the order of time.
function story(s, state, ctx) {
  const deal = s.deal ?? {};
  const models = s.measures.flatMap((m) => Object.keys(m.credits ?? {}));
  const model = [state.get("model"), ctx.model].find((m) => models.includes(m)) ?? models[0];
  const m = s.measures.find((x) => x.measure === (state.get("measure") ?? ctx.measure)) ?? s.measures.find((x) => p.isMoney(ctx, x.measure)) ?? s.measures[0];
  const credits = m?.credits?.[model] ?? [];
  return [
    back("All deals", to("journey")),
    h("section", { class: "card deal", "aria-labelledby": "deal-title" },
      h("div", { class: "deal-head" }, h("div", {}, h("h2", { id: "deal-title" }, p.dealId(deal.id ?? s.subject?.id)), h("p", { class: "muted" }, [deal.account, deal.id?.split("/").slice(0, -1).join(" / ")].filter(Boolean).join(" \u00b7 "))), h("div", { class: "deal-side" }, stateTag(deal), ctx.contract.proposed ? null : h("button", { type: "button", class: "button", onclick: () => openDispute(ctx, deal.id) }, "Dispute"))),
      h("dl", { class: "facts" },
        fact("Amount", [p.value(deal.amount, true), " ", deal.currency]), fact("Created", num.instant(deal.created_at)), fact("Closes", num.day(deal.close_date, true)),
        fact("First lead", deal.lead_at ? num.instant(deal.lead_at) : null),
        fact("Sourced by", deal.sourced ? [p.named(ctx, "sourced", deal.sourced), deal.sourced_by ? h("span", { class: "muted" }, ` by ${deal.sourced_by}`) : null] : null),
        fact("Merged with", items(deal.merged)), fact("Suspected overlap", items(deal.suspected)), fact("In no total", deal.excluded))),
    deal.disputes?.length ? p.card("Disputes", { hint: "What is disputed is in escrow until it is settled" }, disputes(deal.disputes, ctx)) : null,
    s.measures.length ? p.card("Why this credit", { hint: m ? worth(m, ctx) : null,
      side: h("div", { class: "card-side" }, p.segmented("Measure", s.measures.map((x) => ({ id: x.measure, name: p.label(x.measure), href: same({ measure: x.measure }) })), m?.measure)) },
    notes(m), shares(credits, m, model, ctx), certainty(m?.confidence), line(s, credits, m, ctx)) : p.card("Why this credit", {}, p.empty("Not credited", "This deal is in no book of this campaign: no touch of it lies in the lookback, and its CRM campaign is another.")),
    s.lines?.length ? p.card("Computed again", { hint: s.agrees ? "What the facts come to is what the ledger has, line by line" : "What the facts come to is not what the ledger has: it may still be on its way", side: s.agrees ? p.light("ok", "Agrees") : p.light("behind", "Differs") }, lines(s.lines, m, model, ctx)) : null,
    s.entries?.length ? p.card("Entries in the ledger", { hint: `Each change of this deal's ${p.label(m?.measure ?? "").toLowerCase()}, with its cause` }, entries(s.entries.filter((e) => e.measure === m?.measure), model, ctx)) : null,
  ];
}

const items = (list) => (list?.length ? list.map((x) => h("div", { key: x.item }, h("code", {}, x.item), h("span", { class: "muted small" }, ` ${[x.reporter, x.source].filter(Boolean).join(" / ")}`))) : null);
const fact = (name, text) => (text === null || text === undefined || text === "" ? null : h("div", { key: name }, h("dt", {}, name), h("dd", {}, text)));

function worth(m, ctx) {
  const converted = m.original_currency && m.currency && m.original_currency !== m.currency;
  return [`${p.label(m.measure)} of ${num.show(m.value, p.isMoney(ctx, m.measure))}${m.currency ? ` ${m.currency}` : ""} on ${num.day(m.day, true)}`,
    converted ? `, from ${num.show(m.original_amount, true)} ${m.original_currency} at ${m.rate}${m.rate_day ? ` of ${num.day(m.rate_day, true)}` : ""}${m.rate_via ? ` by way of ${m.rate_via}` : ""}` : ""];
}

function notes(m) {
  if (!m) return null;
  const list = [
    m.held ? `Held: ${typeof m.held === "string" ? m.held : "there is no rate for its day yet"}.` : null,
    m.in_scope === false ? "Out of scope: no touch of this campaign in the lookback." : null,
    m.truncated ? "The journey has more touches than are shared; the oldest are left out." : null,
  ].filter(Boolean);
  return list.length ? h("ul", { class: "notes" }, list.map((t) => h("li", { key: t }, icon("warn"), t))) : null;
}

// shares sums a deal's credit up by partner.
function shares(credits, m, model, ctx) {
  if (!credits.length) return null;
  const sums = new Map();
  for (const c of credits) sums.set(c.touch === 0 ? "(unattributed)" : c.partner, (sums.get(c.partner) ?? 0n) + num.units(c.amount));
  const total = num.units(m.value);
  const list = [...sums].sort((a, b) => (b[1] > a[1] ? 1 : -1));
  return h("div", { class: "shares" },
    h("span", { class: "split tall", "aria-hidden": "true" }, list.map(([key, n], i) => h("span", { key, style: { "--w": String(num.ratio(n, total)), background: `var(${p.colour(ctx, "partner", key, i)})` } }))),
    h("ul", { class: "legend" }, list.map(([key, n], i) => h("li", { key }, p.swatch(p.colour(ctx, "partner", key, i)), h("strong", {}, p.named(ctx, "partner", key)), h("span", { class: "num" }, num.like(n, p.isMoney(ctx, m.measure), m.value)), h("span", { class: "muted num" }, num.percent(n, total)))), h("li", { key: "(model)", class: "muted" }, `by ${p.modelName(ctx, model)}`)));
}

const sureOf = [["identity", "who it was"], ["taxonomy", "what it was"], ["currency", "its currency"], ["agreement", "agreement"], ["spread", "likeness of models"]];

// certainty is how sure the measure is, and what that is the mean of.
const certainty = (c) => (c ? h("p", { class: "certainty muted small" }, h("strong", {}, `${num.share(c.overall, 0)} certain`), ": ", sureOf.map(([k, name], i) => [i ? ", " : "", `${name} ${num.share(c[k], 0)}`])) : null);

function disputes(list, ctx) {
  return p.table("Disputes", [
    { name: "By", cell: (x) => p.named(ctx, "partner", x.partner) },
    { name: "About", cls: "nowrap", cell: (x) => about(x, ctx) },
    { name: "State", cell: (x) => stateOf(x, ctx) },
    { name: "Why", cls: "wide", cell: (x) => reasons(x) },
  ], list, { keyOf: (x) => x.id, min: "560px" });
}

// line is the journey: touches with what they got, stages between them.
function line(s, credits, m, ctx) {
  // A touch that several partners share is credited to each of them.
  const of = new Map();
  for (const c of credits) of.set(c.touch, [...(of.get(c.touch) ?? []), c]);
  const items = [
    ...s.touches.map((t) => ({ at: t.at, key: `t${t.n}`, touch: t })),
    ...(s.deal?.stages ?? []).map((g, i) => ({ at: g.at, key: `s${i}`, stage: g })),
  ].sort((a, b) => (a.at ?? "").localeCompare(b.at ?? ""));
  return h("ol", { class: "line" }, items.map((x) => (x.stage ? stage(x, ctx) : touch(x, of.get(x.touch.n), m, ctx))));
}

function stage({ key, stage: g }) {
  return h("li", { key, class: `line-stage ${g.state ?? ""}` }, h("span", { class: "line-dot", "aria-hidden": "true" }), h("span", { class: "line-when num" }, num.instant(g.at)),
    h("div", { class: "line-what" }, h("strong", {}, p.label(g.stage)), g.milestone && p.label(g.milestone) !== p.label(g.stage) ? h("span", { class: "tag" }, p.label(g.milestone)) : null, g.event_id ? h("details", { class: "ids" }, h("summary", {}, "Event"), h("code", {}, g.event_id)) : null));
}

function touch({ key, touch: t }, credits, m, ctx) {
  const withheld = h("span", { class: "quiet" }, "withheld by the contract's visibility");
  return h("li", { key, class: "line-touch" }, h("span", { class: "line-dot", "aria-hidden": "true", style: { background: `var(${p.colour(ctx, "partner", t.partner, 0)})` } }),
    h("span", { class: "line-when num" }, num.instant(t.at)),
    h("div", { class: "line-what" },
      h("div", { class: "line-head" }, h("strong", {}, t.type ? p.label(t.type) : p.named(ctx, "channel", t.channel)), h("span", { class: "muted" }, [t.type ? p.named(ctx, "channel", t.channel) : null, (t.partner ?? "").split("+").map((x) => p.named(ctx, "partner", x)).join(" and ")].filter(Boolean).join(" · "))),
      t.withheld ? withheld : h("div", { class: "line-more" }, [t.asset, t.source, p.named(ctx, "touch_campaign", t.campaign)].filter((x) => x && x !== "None" && !p.isSpecial(x)).join(" · ")),
      t.rule || t.evidence?.length ? h("details", { class: "ids" }, h("summary", {}, "Why and from where"),
        t.rule ? h("p", {}, h("span", { class: "muted" }, "Rule "), t.rule) : null,
        t.person ? h("p", {}, h("span", { class: "muted" }, "Person "), h("code", {}, t.person)) : null,
        (t.evidence ?? []).map((e, i) => h("p", { key: i }, h("span", { class: "muted" }, `${[e.reporter, e.source].filter(Boolean).join(" / ")} `), h("code", {}, e.item)))) : null),
    h("div", { class: "line-credit num" }, credits ? credits.map((c) => [h("strong", {}, c.escrow === "disputed" ? h("span", { class: "tag warn" }, "Disputed") : null, c.escrow === "disputed" ? " " : "", num.show(c.amount, m && p.isMoney(ctx, m.measure))), c.judged ? h("span", { class: "muted" }, `${p.named(ctx, "partner", c.partner)} instead of ${p.named(ctx, "partner", c.judged)}`) : null, h("span", { class: "muted" }, [credits.length > 1 ? p.named(ctx, "partner", c.partner) : "", c.weight ? num.share(c.weight) : ""].filter(Boolean).join(" "))]) : h("span", { class: "quiet" }, "no credit")));
}

// lines hold what follows from the facts against the sum of the ledger's entries.
function lines(list, m, model, ctx) {
  const shown = list.filter((x) => x.measure === m?.measure);
  const money = m && p.isMoney(ctx, m.measure);
  return p.table("Computed again", [
    { name: "Partner", cell: (x) => p.named(ctx, "partner", x.partner) },
    { name: "Channel", cell: (x) => p.named(ctx, "channel", x.channel) },
    { name: "Asset", cls: "clip", cell: (x) => p.named(ctx, "asset", x.asset) },
    { name: "Day", cell: (x) => num.day(x.day, true) },
    { name: "From the facts", num: true, cell: (x) => p.value(x.computed?.[model], money) },
    { name: "In the ledger", num: true, cell: (x) => p.value(x.ledger?.[model], money) },
    { name: "", cell: (x) => (x.agrees ? p.light("ok", "Same") : p.light("behind", "Differs")) },
  ], shown, { keyOf: (x) => [x.day, x.partner, x.channel, x.asset, x.region, x.segment, x.source, x.touch_campaign, x.escrow, x.currency].join("|"), empty: "Nothing of this measure is in the ledger.", min: "720px" });
}

function entries(list, model, ctx) {
  const at = (x) => (typeof x === "object" && x !== null ? x[model] ?? Object.values(x)[0] : x);
  return p.table("Entries in the ledger", [
    { name: "When", cell: (e) => num.instant(e.as_of) },
    { name: "Cause", cell: (e) => h("span", { class: "tag" }, p.label(e.cause)) },
    { name: "Day", cls: "nowrap", cell: (e) => h("span", { class: "feed-name" }, h("span", {}, num.day(e.day, true)), e.booked && e.booked !== e.day ? h("span", { class: "muted small", title: "its own day was closed" }, `booked on ${num.day(e.booked)}`) : null) },
    { name: "Partner", cell: (e) => [p.named(ctx, "partner", e.partner), e.escrow === "disputed" ? [" ", h("span", { class: "tag warn" }, "Disputed")] : null] },
    { name: "Channel", cell: (e) => p.named(ctx, "channel", e.channel) },
    { name: "Change", num: true, cell: (e) => h("span", { class: num.units(at(e.delta)) < 0n ? "bad" : "" }, `${num.units(at(e.delta)) > 0n ? "+" : ""}${num.show(at(e.delta), p.isMoney(ctx, e.measure))}`) },
    { name: "Then", num: true, cell: (e) => num.show(at(e.running), p.isMoney(ctx, e.measure)) },
    { name: "Rate", num: true, cell: (e) => e.rate || h("span", { class: "quiet" }, "\u2013") },
    { name: "Event", cls: "clip", cell: (e) => h("code", { title: e.cause_event }, e.cause_event) },
    { name: "Place", num: true, cell: (e) => h("code", {}, `${e.credits_partition}:${e.credits_offset}`) },
  ], list, { keyOf: (e) => `${e.credits_partition}:${e.credits_offset}`, min: "980px", empty: "The ledger has none of this measure." });
}

// row explains one contribution: the deals that it is the sum of, its entries.
function row(s, ctx) {
  const c = s.contribution;
  if (!c) return [back("All contributions", to("rows")), p.empty("There is no such row", "It may have been taken back since.")];
  const money = p.isMoney(ctx, c.measure);
  const rest = (name, text) => (num.units(text) === 0n ? [] : [{ id: name, amount: text, rest: true }]);
  const parts = [...(c.deals ?? []), ...rest(`${c.other_deals ?? ""} more`, c.others), ...rest("Withheld from you", c.withheld_sum)];
  return [
    back("All contributions", to("rows")),
    h("section", { class: "card deal", "aria-labelledby": "deal-title" },
      h("div", { class: "deal-head" }, h("div", {}, h("h2", { id: "deal-title" }, p.value(c.value, money, { flash: c.value }), c.currency && money ? h("span", { class: "unit" }, c.currency) : null), h("p", { class: "muted" }, [p.label(c.measure), p.modelName(ctx, c.model), num.day(c.day, true)].join(" \u00b7 "))), h("span", { class: c.is_final ? "tag" : "tag accent" }, c.is_final ? "Final" : "Open")),
      h("dl", { class: "facts" }, ["partner", "channel", "asset", "region", "segment", "source", "touch_campaign"].map((d) => fact(p.label(d), c[d] ? p.named(ctx, d, c[d]) : null)))),
    p.card("What it is the sum of", { hint: "Deals, and people as pseudonyms" }, p.table("What it is the sum of", [
      { name: "Deal", cell: (d) => (d.rest ? h("span", { class: "muted" }, d.id) : h("a", { href: to("journey", { id: d.id, key: null }) }, p.dealId(d.id))) },
      { name: "Share", num: true, cell: (d) => num.percent(num.units(d.amount), num.units(c.value)) },
      { name: "Amount", num: true, cell: (d) => p.value(d.amount, money, { flash: d.amount }) },
    ], parts, { keyOf: (d) => d.id, foot: parts.length ? ["Sum", "", num.like(num.sum(parts.map((d) => d.amount)), money, c.value)] : null, empty: "No deal that you may see is behind this row." })),
    s.entries?.length ? p.card("Entries in the ledger", { hint: "The newest changes of this row, with their causes" }, entries(s.entries, c.model, ctx)) : null,
  ];
}
