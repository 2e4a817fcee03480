// Do all agree, and what is watched?
import { refusable } from "./api.js";
import { decide, who } from "./decide.js";
import { h } from "./dom.js";
import * as num from "./num.js";
import * as p from "./parts.js";
import { same, to } from "./route.js";

export const title = "Governance";
export const bones = () => p.bones("line", "tiles", "chart", "block");

const none = () => h("span", { class: "quiet" }, "\u2013");
const units = { "%": "%", x: "\u00d7", h: " h", mo: " months", days: " days" };
const bands = { green: ["ok", "Green"], amber: ["warning", "Amber"], red: ["error", "Red"], no_data: ["unknown", "No data"], "": ["unknown", "Not yet"] };
const states = { open: ["warning", "Open"], upheld: ["ok", "Upheld"], rejected: ["none", "Rejected"], withdrawn: ["none", "Withdrawn"] };
const names = { cac_payback: "CAC payback", control_totals: "Control totals", pipeline_coverage: "Pipeline coverage", win_rate: "Win rate" };
const named = (g) => names[g.guardrail] ?? p.label(g.guardrail);

export async function load(ask, state, ctx, signal) {
  const [g, d, k] = await Promise.all([ask("governance", {}, signal), refusable(ask("disputes", { limit: 200 }, signal)), ask("kpis", {}, signal)]);
  return { g, d, k };
}

export function render({ g, d, k }, state, ctx) {
  const disputes = d.disputes ?? [];
  const rules = { g, ctx, operator: ctx.viewer.role === "operator", proposed: ctx.contract.proposed };
  return h("div", { key: "governance", class: "stack" },
    headline(g, disputes),
    figures(g, disputes),
    guardrails(g, ctx),
    keyFigures(k),
    disputed(disputes, state, rules),
    h("div", { class: "cols two" }, periods(rules), approvals(rules)),
    rules.proposed ? null : revisions(g),
    signatures(rules),
    satisfaction(rules));
}

// headline is what somebody reads who reads no more.
function headline(g, disputes) {
  const bad = g.guardrails.filter((x) => x.band === "red");
  const amber = g.guardrails.filter((x) => x.band === "amber").length;
  const open = disputes.filter((x) => x.state === "open").length;
  const known = g.guardrails.filter((x) => x.band && x.band !== "no_data").length;
  return h("p", { class: "headline" },
    bad.length ? [h("strong", { class: "bad" }, [...new Set(bad.map(named))].join(", ")), bad.length > 1 ? " are outside of what was agreed" : " is outside of what was agreed"] : known ? [h("strong", {}, amber ? "No guardrail is red" : "Every guardrail with data is green"), amber ? `, ${amber} amber` : ""] : "No guardrail was evaluated yet",
    ". ", open ? [h("strong", { class: "warn" }, open === 1 ? "One dispute" : `${open} disputes`), open === 1 ? " is open. " : " are open. "] : "No dispute is open. ",
    g.periods.closed_until ? ["All days until ", h("strong", {}, num.day(g.periods.closed_until, true)), " are closed."] : "Nothing is closed yet.");
}

function figures(g, disputes) {
  const day = g.guardrails.map((x) => x.day).sort().at(-1);
  const known = g.guardrails.filter((x) => x.band && x.band !== "no_data");
  const scores = g.satisfaction.filter((x) => x.score !== null);
  const list = [
    ["Guardrails in bounds", known.length ? `${known.filter((x) => x.band === "green").length} of ${known.length}` : null, known.length ? `with data, as of ${num.day(day, true)}` : "evaluated once a day"],
    ["Feeds on time and complete", g.sla.adherence === null ? null : num.share(g.sla.adherence), `${num.show(g.sla.kept, false)} of ${num.show(g.sla.feed_days, false)} feed days`],
    ["Open disputes", String(disputes.filter((x) => x.state === "open").length), `${disputes.filter((x) => x.state !== "open").length} settled`],
    ["Closed until", g.periods.closed_until ? num.day(g.periods.closed_until, true) : null, g.periods.closed_until ? "later changes are adjustments" : "every day is open"],
    ["Latest survey", scores.length ? scores.map((x) => x.score).join(" \u00b7 ") : null, scores.length ? "of 10, by partner" : "no partner was asked"],
  ];
  return h("ul", { class: "tiles five", "aria-label": "Key figures" }, list.map(([name, text, foot]) => h("li", { key: name }, h("div", { class: "tile still" },
    h("span", { class: "tile-top" }, h("span", { class: "tile-name" }, name)), h("span", { class: "tile-value" }, text ?? none()), h("span", { class: "tile-foot muted" }, foot)))));
}

const valueOf = (x, unit) => (x === null || x === undefined ? none() : h("span", { class: "num", "data-exact": x }, `${num.fixed(num.units(x), num.units(x) % 1000000000n === 0n ? 0 : 1)}${units[unit] ?? ` ${unit}`}`));

// bound is a limit in the unit of its guardrail.
const bound = (t, unit) => (/\d$/.test(t) ? `${t}${units[unit] ?? ` ${unit}`}` : t);

const bandLight = (band) => p.light(...(bands[band] ?? ["unknown", p.label(band)]));

function guardrails(g, ctx) {
  return p.card("Guardrails", { hint: "Each contract day against what was agreed; the strip is the last 30 evaluated days" }, p.table("Guardrails", [
    { name: "What", cell: (x) => h("span", { class: "feed-name" }, h("strong", {}, named(x)), x.of ? h("span", { class: "muted small" }, `${x.of} feeds`) : x.subject ? h("span", { class: "muted small" }, subject(ctx, x.subject)) : null) },
    { name: "Band", cell: (x) => bandLight(x.band) },
    { name: "Value", num: true, cell: (x) => valueOf(x.value, x.unit) },
    { name: "Agreed", num: true, cell: (x) => h("span", { title: `${x.at_most ? "at most" : "at least"} ${bound(x.target, x.unit)}; red ${x.at_most ? "over" : "under"} ${bound(x.limit, x.unit)}` }, `${x.at_most ? "\u2264" : "\u2265"} ${bound(x.target, x.unit)}`) },
    { name: "History", cell: (x) => strip(x) },
    { name: "Detail", cls: "wide", cell: (x) => (x.detail ? h("span", { class: "small" }, x.detail) : none()) },
  ], gathered(g.guardrails), { keyOf: (x) => `${x.guardrail}/${x.subject}`, empty: "The contract names nothing that is watched.", min: "860px" }));
}

const kpis = { cac_payback: "CAC payback", average_contract_value: "Average contract value", velocity_median: "Days to win, median", velocity_mean: "Days to win, mean" };
const figure = (x) => (x.value === null ? none() : x.unit === "money" ? [p.value(x.value, true), h("span", { class: "unit" }, x.currency)] : valueOf(x.value, x.unit));

// keyFigures are those of the executive dashboard, with what each is made of.
function keyFigures(k) {
  return p.card("Key figures", { hint: `Deals that closed ${p.windowWords(k.window)}; pipeline against the quota of the quarter` }, p.table("Key figures", [
    { name: "What", cell: (x) => h("strong", {}, kpis[x.kpi] ?? names[x.kpi] ?? p.label(x.kpi)) },
    { name: "Band", cell: (x) => (x.band ? bandLight(x.band) : none()) },
    { name: "Value", num: true, cell: figure },
    { name: "Made of", cls: "wide", cell: (x) => h("span", { class: "small" }, x.value === null ? `No data: ${x.missing} is missing` : x.detail) },
  ], k.kpis, { keyOf: (x) => x.kpi, empty: "There are no key figures.", min: "620px" }));
}

const subject = (ctx, text) => { const [feed, partner] = text.split(/[./]/); return partner ? `${p.label(feed)} of ${p.named(ctx, "partner", partner)}` : p.label(text); };

// gathered makes one row of a guardrail without data for any of its feeds.
function gathered(list) {
  const silent = (x) => !x.band || x.band === "no_data";
  const of = Map.groupBy(list, (x) => x.guardrail);
  return list.flatMap((x) => {
    const all = of.get(x.guardrail);
    if (all.length === 1 || !all.every(silent)) return [x];
    return x === all[0] ? [{ ...x, of: all.length }] : [];
  });
}

// strip is the history in small: a bar a day, in the colour and the height of its band.
function strip(x) {
  if (!x.history?.length) return none();
  const words = ["red", "amber", "green", "no_data"].map((b) => [x.history.filter((d) => d.band === b).length, bands[b][1].toLowerCase()]).filter(([n]) => n).map(([n, b]) => `${n} ${b}`).join(", ");
  return h("span", { class: "strip", role: "img", "aria-label": `${x.history.length} evaluated days: ${words}` },
    x.history.map((d) => h("i", { key: d.day, class: d.band, title: `${num.day(d.day, true)}: ${bands[d.band]?.[1] ?? d.band}${d.value === null ? "" : `, ${num.show(d.value, false)}${units[x.unit] ?? ""}`}` })));
}

export const about = (x, ctx) => (x.about === "credit" ? `Credit of ${p.named(ctx, "partner", x.against)}` : "Who sourced it");

export const stateOf = (x, ctx) => h("span", { "data-state": x.state }, p.light(...(states[x.state] ?? ["none", p.label(x.state)])), x.to ? h("span", { class: "muted small" }, ` to ${p.named(ctx, "sourced", x.to)}`) : null);

// reasons are why a dispute was opened, and how it was settled.
export const reasons = (x) => h("div", { class: "alert" }, h("span", {}, x.why), h("span", { class: "muted small" }, [x.opened_by, num.instant(x.opened_at)].filter(Boolean).join(", ")),
  x.settled_at ? h("span", { class: "small" }, x.settled_why, h("span", { class: "muted" }, ` ${[x.settled_by, num.instant(x.settled_at)].filter(Boolean).join(", ")}`)) : null);

function disputed(list, state, { ctx, operator, proposed }) {
  const only = state.get("state") === "open" ? list.filter((x) => x.state === "open") : list;
  const sides = h("div", { class: "card-side" },
    p.segmented("Which", [{ id: "all", name: "All", href: same({ state: null }) }, { id: "open", name: "Open", href: same({ state: "open" }) }], state.get("state") === "open" ? "open" : "all"),
    proposed ? null : h("button", { type: "button", class: "button", onclick: () => openDispute(ctx) }, "Open a dispute"));
  return p.card("Disputes", { hint: "What is disputed is in escrow until it is settled; no total changes by it", side: sides }, p.table("Disputes", [
    { name: "Deal", cell: (x) => (x.deal_visible ? h("a", { href: to("journey", { id: x.deal }) }, p.dealId(x.deal)) : p.dealId(x.deal)) },
    { name: "By", cell: (x) => p.named(ctx, "partner", x.partner) },
    { name: "About", cls: "nowrap", cell: (x) => about(x, ctx) },
    { name: "State", cell: (x) => stateOf(x, ctx) },
    { name: "In escrow", num: true, cell: (x) => escrow(x) },
    { name: "Why", cls: "wide", cell: (x) => reasons(x) },
    { name: "", cell: (x) => (x.state === "open" && !proposed ? h("span", { class: "row-buttons" },
      operator ? h("button", { type: "button", class: "button", "aria-label": `Resolve the dispute of ${p.named(ctx, "partner", x.partner)} about ${x.deal}`, onclick: () => resolve(ctx, x) }, "Resolve") : null,
      !operator && x.partner === ctx.viewer.partner ? h("button", { type: "button", class: "button", onclick: () => withdraw(x) }, "Withdraw") : null) : null) },
  ], only, { keyOf: (x) => x.id, empty: state.get("state") === "open" ? "No dispute is open." : "Nobody disputes anything.", min: "860px" }));
}

function escrow(x) {
  const money = x.escrow?.filter((e) => e.currency && num.units(e.value) !== 0n) ?? [];
  if (!money.length) return none();
  return h("span", { class: "feed-name" }, money.slice(0, 3).map((e) => h("span", { key: e.measure }, h("span", { class: "muted small" }, `${p.label(e.measure)} `), p.value(e.value, true), h("span", { class: "unit" }, e.currency))));
}

const partners = (ctx) => (ctx.contract.partners ?? []).map((x) => [x.id, x.name || x.id]);

// openDispute asks what is disputed, of one deal where it was chosen already.
export function openDispute(ctx, deal = "") {
  decide({
    title: "Open a dispute", hint: "What is disputed goes to escrow until the governance board settles it.", path: "disputes", verb: "Dispute",
    fields: [
      ...who(ctx, "Disputed by"),
      { name: "deal", text: "Deal", value: deal, must: true, max: 500, placeholder: "Its id, as the CRM has it" },
      { name: "about", text: "About", options: [["credit", "What a partner is credited with"], ["sourcing", "Who sourced it"]] },
      { name: "against", text: "Whose credit", options: (v) => [...partners(ctx).filter(([id]) => id !== (v.$partner ?? ctx.viewer.partner)), ["(none)", "Nobody's"], ["(held)", "What is held"]], when: (v) => v.about === "credit" },
    ],
  });
}

function withdraw(x) {
  decide({ title: "Withdraw the dispute", path: `disputes/${encodeURIComponent(x.id)}/withdrawal`, verb: "Withdraw" });
}

function resolve(ctx, x) {
  const others = partners(ctx).filter(([id]) => id !== x.against);
  decide({
    title: "Resolve the dispute", hint: `${p.named(ctx, "partner", x.partner)}: ${x.why}`, path: `disputes/${encodeURIComponent(x.id)}/resolution`, verb: "Resolve",
    fields: [
      { name: "outcome", text: "Outcome", options: [["upheld", "Upheld"], ["rejected", "Rejected"]] },
      { name: "to", text: x.about === "credit" ? "The credit goes to" : "Sourced by", value: others.find(([id]) => id === x.partner)?.[0], options: x.about === "credit" ? others : [...others, ["marketing-sourced", "Marketing"], ["unsourced", "Nobody"]], when: (v) => v.outcome === "upheld" },
    ],
  });
}

function periods({ g, ctx, operator, proposed }) {
  const until = g.periods.closed_until;
  const close = () => decide({ title: "Close a period", hint: "All days until this one. What changes them later is booked as an adjustment.", path: "periods", body: { action: "close" }, verb: "Close", fields: [{ name: "day", text: "Last closed day", type: "date", must: true }] });
  const reopen = () => decide({ title: "Open a period again", hint: `Closed until ${num.day(until, true)}. ${needs(g.approvers.reopen, ctx)}`, path: "periods", body: { action: "reopen" }, verb: "Open again", fields: [{ name: "day", text: "First open day", type: "date", value: g.reopening?.day ?? until, must: true }] });
  const approve = () => word(ctx, "Word on opening again", { of: "reopen" }, [{ name: "day", text: "First day to be opened again", type: "date", value: g.reopening?.day || until, must: true }]);
  return p.card("Periods", {
    hint: until ? `Closed until ${num.day(until, true)}` : "Every day is open",
    side: proposed ? null : h("div", { class: "card-side" }, operator ? h("button", { type: "button", class: "button", onclick: close }, "Close") : null,
      until && g.approvers.reopen.length ? h("button", { type: "button", class: "button", onclick: approve }, "Approve reopening") : null,
      operator && until ? h("button", { type: "button", class: "button", onclick: reopen }, "Reopen") : null),
  },
  g.reopening ? waiting(`Opening ${num.day(g.reopening.day, true)} again`, g.reopening, ctx) : null,
  p.table("Periods", [
    { name: "Step", cell: (x) => (x.action === "close" ? `Closed until ${num.day(x.day, true)}` : `Open again from ${num.day(x.day, true)}`) },
    { name: "Why", cls: "wide", cell: (x) => h("div", { class: "alert" }, h("span", {}, x.why), h("span", { class: "muted small" }, `${x.by}, ${num.instant(x.at)}`)) },
  ], g.periods.steps, { keyOf: (x) => x.at, empty: "No period was closed yet." }));
}

const needs = (list, ctx) => (list.length ? `It needs the approval of ${list.map((x) => p.named(ctx, "partner", x)).join(", ")}.` : "It needs nobody's approval.");

// word asks for what a partner says to something that waits for approvals.
function word(ctx, title, body, fields = []) {
  decide({ title, path: "approvals", body: { of: "revision", revision: 0, hash: "", day: "", ...body }, fields: [...who(ctx), ...fields, { name: "decision", text: "Word", options: [["approved", "Approve"], ["refused", "Refuse"]] }] });
}

// waiting is who said what to something that waits for approvals.
function waiting(what, a, ctx) {
  return h("div", { class: "waiting" }, h("p", {}, h("strong", {}, what), " ", a.missing.length ? h("span", { class: "warn" }, `waits for ${a.missing.map((x) => p.named(ctx, "partner", x)).join(", ")}`) : h("span", { class: "good" }, "has every approval that it needs")),
    a.said.length ? h("ul", { class: "said" }, a.said.map((x) => h("li", { key: x.partner }, p.light(x.decision === "approved" ? "ok" : "error", p.named(ctx, "partner", x.partner)), h("span", { class: "muted small" }, `${x.why} ${x.by}, ${num.instant(x.at)}`)))) : null);
}

function approvals({ g, ctx }) {
  const a = g.proposal;
  const rows = [["A new revision", g.approvers.revision], ["A reporting package", g.approvers.package], ["Opening a closed period again", g.approvers.reopen]];
  const rungs = [...g.escalation.ladder, g.escalation.board];
  return p.card("Approvals", {
    hint: a ? `Revision ${a.revision} is proposed` : "Nothing is proposed",
    side: a ? h("button", { type: "button", class: "button", onclick: () => word(ctx, `Word on revision ${a.revision}`, { revision: a.revision, hash: a.hash }) }, "Approve or refuse") : null,
  },
  a ? waiting(`Revision ${a.revision} (${a.hash.slice(0, 12)})`, a, ctx) : null,
  a ? h("p", { class: "hint" }, reason(a)) : null,
  p.table("Whose approval is needed", [
    { name: "For", cell: (x) => x[0] },
    { name: "Needs", cell: (x) => (x[1].length ? x[1].map((id) => p.named(ctx, "partner", id)).join(", ") : h("span", { class: "quiet" }, "Nobody's approval")) },
  ], rows, { keyOf: (x) => x[0] }),
  h("p", { class: "hint ladder" }, `Alerts climb a rung every ${g.escalation.climb_days} days: ${g.escalation.ladder.map((r) => r.name).join(", then ")}. Disputes go to the ${rungs.at(-1).name}.`));
}

// reason is who put a revision forward, and why: those of before there were reasons have none.
const reason = (x) => (x.withheld ? h("span", { class: "quiet" }, "Told to those who signed it") : x.why ? h("span", { class: "alert" }, h("span", {}, x.why), h("span", { class: "muted small" }, x.by)) : h("span", { class: "quiet" }, "No reason was given"));

function revisions(g) {
  return p.card("Contract", { hint: "Its revisions, and why each was made" }, p.table("Revisions of the contract", [
    { name: "Revision", cell: (x) => h("span", { class: "feed-name" }, h("strong", {}, `Revision ${x.revision}`), h("span", { class: "mono muted", title: x.hash }, x.hash.slice(0, 12))) },
    { name: "Why", cls: "wide", cell: reason },
    { name: "Since", num: true, cell: (x) => num.instant(x.recorded_at) },
  ], g.revisions, { keyOf: (x) => String(x.revision), empty: "No contract is in force." }));
}

function signatures({ g, ctx, proposed }) {
  const sign = () => decide({ title: "Sign a package", hint: "The hash names the package's manifest, byte for byte.", path: "signatures", verb: "Sign", fields: [
    ...who(ctx), { name: "hash", text: "SHA-256 of the manifest", must: true, max: 64, pattern: "[0-9a-f]{64}" }, { name: "title", text: "Title", max: 200, must: true }, { name: "decision", text: "Word", options: [["approved", "Approve"], ["disputed", "Dispute"]] }] });
  return p.card("Signatures", { hint: "Who signed which reporting package", side: proposed ? null : h("button", { type: "button", class: "button", onclick: sign }, "Sign a package") }, p.table("Signatures", [
    { name: "Package", cell: (x) => h("span", { class: "feed-name" }, h("strong", {}, x.title || "Untitled"), h("span", { class: "mono muted", title: x.hash }, x.hash.slice(0, 12))) },
    { name: "Partner", cell: (x) => p.named(ctx, "partner", x.partner) },
    { name: "Word", cell: (x) => p.light(x.decision === "approved" ? "ok" : "error", x.decision === "approved" ? "Approved" : "Disputed") },
    { name: "Why", cls: "wide", cell: (x) => h("div", { class: "alert" }, h("span", {}, x.why), h("span", { class: "muted small" }, x.by)) },
    { name: "When", num: true, cell: (x) => num.instant(x.at) },
  ], g.signatures, { keyOf: (x) => `${x.hash}/${x.partner}/${x.at}`, empty: "No package was signed yet.", min: "620px" }));
}

function satisfaction({ g, ctx, proposed }) {
  const survey = () => decide({ title: "Record a survey", hint: "How content the partner is with these numbers, from 0 to 10.", path: "surveys", fields: [...who(ctx), { name: "score", text: "Score", must: true, pattern: "10|10\\.0|[0-9](\\.[0-9])?", placeholder: "0 to 10" }] });
  const hours = (t) => (t === null ? none() : num.span(Number(t) * 3600));
  return p.card("Partner satisfaction", { hint: "As far as it is measured", side: proposed ? null : h("button", { type: "button", class: "button", onclick: survey }, "Record a survey") }, p.table("Partner satisfaction", [
    { name: "Partner", cell: (x) => p.named(ctx, "partner", x.partner) },
    { name: "Open disputes", num: true, cell: (x) => p.value(x.open, false) },
    { name: "Resolved", num: true, cell: (x) => p.value(x.settled, false) },
    { name: "Time to resolve", num: true, cell: (x) => h("span", { title: "median" }, hours(x.median_hours)) },
    { name: "Upheld", num: true, cell: (x) => (x.upheld_share === null ? none() : num.share(x.upheld_share, 0)) },
    { name: "Feeds on time", num: true, cell: (x) => (x.freshness.adherence === null ? none() : num.share(x.freshness.adherence)) },
    { name: "Survey", num: true, cell: (x) => (x.score === null ? none() : h("span", { title: `mean ${x.mean_score} of ${x.surveys}` }, `${x.score} of 10`, h("span", { class: "muted small" }, `, ${num.day(x.score_day)}`))) },
  ], g.satisfaction, { keyOf: (x) => x.partner, empty: "There is no partner that you may see.", min: "720px" }));
}
