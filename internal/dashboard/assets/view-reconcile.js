// Why does the CRM say something else?
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { Problem, send } from "./api.js";
import * as num from "./num.js";
import * as p from "./parts.js";
import { asked, span, to } from "./route.js";

export const title = "Reconcile";
export const bones = () => p.bones("chart");
const measures = ["revenue", "pipeline_created", "pipeline_open"];
const bytesMax = 32 << 20;
const why = {
  missing_here: "In the export, not in the book", missing_there: "In the book, not in the export", held: "Held, for want of a rate", out_of_scope: "Not of this campaign", overlap: "Counted under another deal",
  stage: "Another stage", date: "Another day, or outside of the window", currency: "Another rate", amount: "Another amount", unreadable: "A line that cannot be read",
  orders: "Orders, which no CRM has", other_crms: "Deals of other CRMs",
};

// An export is read once and not kept; its answer lives as long as the page.
let result = null;
let note = null;
let file = null;

export async function load() {
  return {};
}

export function render(_, state, ctx, again) {
  const run = async (e) => {
    e.preventDefault();
    const form = new FormData(e.target);
    if (!file) { note = "Choose the export first."; again(); return; }
    if (file.size > bytesMax) { note = "The export is over 32 MiB. Leave out what is not of this campaign."; again(); return; }
    note = "Reading";
    again();
    try {
      const q = asked(["campaign", ...span]);
      q.set("measure", form.get("measure"));
      if (form.get("reporter")) q.set("reporter", form.get("reporter"));
      result = await send("POST", `/api/v1/reconcile?${q}`, "text/csv", file);
      note = null;
    } catch (err) {
      note = err instanceof Problem ? err.message : "The server could not be reached.";
      result = null;
    }
    again();
  };
  const choose = (e) => { file = e.target.files[0] ?? null; note = null; again(); };
  return h("div", { key: "reconcile", class: "stack" },
    p.card("Compare with a CRM export", { hint: "Deal by deal, with one reason for each difference" }, h("form", { class: "form", onsubmit: run },
      h("label", { class: "drop" }, icon("upload"), h("span", {}, file ? h("strong", {}, file.name) : h("strong", {}, "Choose a CSV export"), h("span", { class: "muted small" }, "Id, amount, stage and close date, as Salesforce and HubSpot name them")), h("input", { type: "file", accept: ".csv,text/csv", onchange: choose, class: "sr" })),
      h("label", { class: "field" }, h("span", { class: "field-name" }, "Measure"), h("select", { name: "measure" }, measures.map((m) => h("option", { key: m, value: m }, p.label(m))))),
      h("label", { class: "field" }, h("span", { class: "field-name" }, "Exported by"), h("select", { name: "reporter" }, h("option", { value: "" }, "Not said"), (ctx.contract.partners ?? []).map((x) => h("option", { key: x.id, value: x.id }, x.name || x.id)))),
      h("button", { type: "submit", class: "button accent" }, "Compare")),
    h("p", { class: "form-note", role: "status" }, note ?? "\u00a0")),
    result ? answer(result) : p.card("Differences", {}, p.empty("Nothing compared yet", "Export the closed deals of the campaign from the CRM as CSV and choose the file above. It is compared and not kept.")));
}

function answer(r) {
  const top = num.largest(r.reasons.map((x) => x.amount));
  const total = num.units(r.difference);
  const sumOf = num.sum(r.reasons.map((x) => x.amount));
  return [
    h("ul", { key: "sums", class: "tiles three", "aria-label": "The two sums" }, [["The export", r.theirs], ["The book", r.ours], ["Difference", r.difference]].map(([name, v]) => h("li", { key: name }, h("div", { class: "tile still short" }, h("span", { class: "tile-name" }, name), h("span", { class: "tile-value" }, p.value(v, true), h("span", { class: "unit" }, r.currency)))))),
    p.card("Differences by reason", { hint: `${num.show(r.matched, false)} deals agree to the cent` }, r.reasons.length ? p.table("Differences by reason", [
      { name: "Reason", cell: (x) => why[x.reason] ?? p.label(x.reason) },
      { name: "", cls: "wide", cell: (x) => p.bar(num.ratio(num.abs(num.units(x.amount)), top), num.units(x.amount) < 0n ? "--bad" : "--accent") },
      { name: "Deals", num: true, cell: (x) => (typeof x.deals === "object" ? String(x.deals.length) : num.show(x.deals, false)) },
      { name: "Amount", num: true, cell: (x) => p.value(x.amount, true) },
    ], r.reasons, { keyOf: (x) => x.reason, foot: ["Sum", "", "", h("span", { class: sumOf === total ? "" : "bad" }, num.like(sumOf, true, r.difference))] }) : p.empty("No difference", "The export and the book agree.")),
    besides(r),
    r.deals?.length ? p.card("Deals", {}, p.table("Deals", [
      { name: "Deal", cell: (x) => [h("a", { href: to("journey", { id: x.id }) }, p.dealId(x.id)), x.name ? h("span", { class: "muted" }, ` ${x.name}`) : null] },
      { name: "Reason", cell: (x) => h("span", { title: x.detail || null }, why[x.reason] ?? p.label(x.reason), x.detail ? h("span", { class: "muted small" }, ` ${x.detail}`) : null) },
      { name: "Export", num: true, cell: (x) => p.value(x.theirs, true) },
      { name: "Book", num: true, cell: (x) => p.value(x.ours, true) },
      { name: "Difference", num: true, cell: (x) => p.value(x.difference, true) },
    ], r.deals, { keyOf: (x) => `${x.id} ${x.reason}`, min: "760px" })) : null,
  ];
}

// besides is what can be in neither sum: lines that could not be read, currencies
// without a rate, what the book has from elsewhere.
function besides(r) {
  const list = [
    ...(r.unreadable ?? []).map((x) => ({ what: `Line ${x.line}${x.id ? `, ${x.id}` : ""}: ${x.why}`, amount: x.amount })),
    ...(r.unconverted ?? []).map((x) => ({ what: `In ${x.currency}, for which there is no rate`, amount: `${num.show(x.total, true)} ${x.currency}` })),
    ...(r.elsewhere ?? []).map((x) => ({ what: why[x.what] ?? p.label(x.what), amount: `${num.show(x.amount, true)} ${r.currency}` })),
  ];
  return list.length ? p.card("Besides", { hint: "In neither of the two sums" }, p.table("Besides", [
    { name: "What", cell: (x) => x.what },
    { name: "Amount", num: true, cell: (x) => x.amount },
  ], list)) : null;
}
