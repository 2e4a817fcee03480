// What should somebody do?
import { decide } from "./decide.js";
import { h } from "./dom.js";
import * as num from "./num.js";
import * as p from "./parts.js";
import { same } from "./route.js";

export const title = "Actions";
export const bones = () => p.bones("block", "chart");

export async function load(ask, state, ctx, signal) {
  return { a: await ask("alerts", { kind: state.get("kind"), severity: state.get("severity"), state: state.get("state"), cursor: state.get("cursor"), limit: 100 }, signal) };
}

const none = () => h("span", { class: "quiet" }, "\u2013");

const acknowledge = (x) => decide({ title: "Acknowledge the alert", hint: `${x.message || p.label(x.kind)} It still climbs until it is settled.`, path: "acknowledgements", body: { alert: x.id }, verb: "Acknowledge" });

export function render({ a }, state, ctx) {
  const filtered = state.get("kind") || state.get("severity");
  return h("div", { key: "actions", class: "stack" },
    p.card("To do", { hint: "What moves the numbers most, first" }, a.actions?.length ? h("ul", { class: "todo" }, a.actions.map((x, i) => h("li", { key: `${x.kind}-${i}` },
      h("div", {}, h("strong", {}, x.what), h("p", { class: "muted" }, x.why), x.command ? h("code", { class: "command" }, x.command) : null),
      x.count && x.count !== "0" ? h("span", { class: "count num", title: "how many" }, num.show(x.count, false)) : null))) : p.empty("Nothing to do", "No number of this campaign waits for anybody.")),
    p.card("Alerts", { hint: "Newest first, and with whom each is", side: h("div", { class: "card-side" },
      p.segmented("State", [["", "Open"], ["settled", "Settled"], ["all", "All"]].map(([id, name]) => ({ id, name, href: same({ state: id || null, cursor: null }) })), state.get("state") ?? ""),
      filtered ? h("a", { class: "button", href: same({ kind: null, severity: null, cursor: null }) }, "Show all") : null) },
      p.table("Alerts", [
        { name: "Severity", cell: (x) => h("a", { class: "plain", href: same({ severity: x.severity, cursor: null }) }, p.light(x.severity)) },
        { name: "What", cell: (x) => h("div", { class: "alert" }, h("span", {}, x.message || p.label(x.kind)), h("span", { class: "muted small" }, h("a", { class: "plain", href: same({ kind: x.kind, cursor: null }) }, p.label(x.kind)), x.subject ? ` · ${x.subject}` : "", x.evidence?.length ? h("details", { class: "ids" }, h("summary", {}, "Evidence"), [x.evidence].flat().map((e, i) => h("p", { key: i }, h("code", {}, e)))) : null)) },
        { name: "Partner", cell: (x) => (x.partner ? p.named(ctx, "partner", x.partner) : h("span", { class: "quiet" }, "\u2013")) },
        { name: "With", cell: (x) => (x.rung ? h("span", { class: "feed-name" }, h("span", {}, x.rung), x.owner || x.fallback ? h("span", { class: "muted small" }, [x.owner, x.fallback ? `else ${x.fallback}` : ""].filter(Boolean).join(", ")) : null) : none()) },
        { name: "Since", num: true, cell: (x) => h("span", { class: "feed-name" }, h("span", {}, x.since ? num.day(x.since, true) : num.instant(x.raised_at)), x.state === "settled" ? h("span", { class: "good small" }, "settled") : x.deadline ? h("span", { class: "muted small" }, `climbs after ${num.day(x.deadline, true)}`) : null) },
        { name: "Taken on", cell: (x) => (x.acknowledged ? h("span", { class: "feed-name", title: x.acknowledged.why }, h("span", {}, x.acknowledged.by), h("span", { class: "muted small" }, num.instant(x.acknowledged.at)))
          : x.state === "settled" || ctx.contract.proposed ? none() : h("button", { type: "button", class: "button", "aria-label": `Acknowledge: ${x.message || p.label(x.kind)}`, onclick: () => acknowledge(x) }, "Acknowledge")) },
      ], a.alerts ?? [], { keyOf: (x) => x.id, empty: filtered ? "No alert is of this kind." : "No alerts. Guardrails, gaps and suspected overlaps would be told here.", min: "980px" }),
      a.next ? h("p", { class: "pager" }, h("a", { class: "button", href: same({ cursor: a.next }) }, "Older alerts")) : null));
}
