// The shell: it reads the address, asks for the view's numbers, draws them, and
// does so again when the server says that they changed.
import { ask, get, Problem } from "./api.js";
import { h, patch } from "./dom.js";
import { icon } from "./icons.js";
import * as num from "./num.js";
import { choose, label, light, modelName, named } from "./parts.js";
import { filters, go, read, same, to } from "./route.js";
import * as actions from "./view-actions.js";
import * as cohorts from "./view-cohorts.js";
import * as feeds from "./view-feeds.js";
import * as governance from "./view-governance.js";
import * as journey from "./view-journey.js";
import * as models from "./view-models.js";
import * as overview from "./view-overview.js";
import * as partner from "./view-partner.js";
import * as reconcile from "./view-reconcile.js";
import * as rows from "./view-rows.js";
import { signIn, signOut } from "./view-signin.js";

const views = { overview, partner, models, journey, cohorts, rows, feeds, actions, governance, reconcile };
const groups = [["Numbers", ["overview", "partner", "models", "cohorts"]], ["Evidence", ["journey", "rows", "reconcile"]], ["Agreement", ["governance"]], ["Operations", ["feeds", "actions"]]];
const short = ["overview", "partner", "models", "journey"];

// What the head of each view offers to choose; the rest would change nothing there.
const controls = {
  overview: ["measure", "model", "window", "days", "filters"], partner: ["measure", "model", "window", "days"], models: ["measure", "window", "filters"],
  journey: [], cohorts: [], rows: ["measure", "model", "window", "days", "filters"], feeds: [], actions: [], governance: ["window"], reconcile: ["window"],
};
// These views add up, and offer the measures that can be.
const summed = ["overview", "partner", "models"];
const windows = [["7d", "7 d"], ["30d", "30 d"], ["90d", "90 d"], ["365d", "1 y"], ["all", "All"]];
// By which days rows are told: those that they are of, or those that they are booked on.
const tellings = [{ id: "", name: "Restated" }, { id: "as_known", name: "As known" }, { id: "adjustments", name: "Adjustments" }];
const defaultWindow = "90d";
const staleSeconds = 10;
const retryMs = 3000;
const gatherMs = 20; // the server gathers what comes together
const recheckMs = 15000; // what ages without a change: freshness, behind

const $ = (id) => document.getElementById(id);
let ctx = null; // contract, contracts, viewer, model, measure
let known = null; // the answer that ctx comes from
let shown = { view: null, data: null };
let problem = null;
let live = "connecting";
let last = null; // the envelope of the last answer
let asking = null; // AbortController of the reading under way
let again = false;
let locked = false; // the API answered 401
let session = null; // who asks, and whether there is something to sign out of

async function context(state, signal) {
  const answer = await get("/api/v1/contracts", signal);
  session ??= await get("/api/v1/session", signal);
  const campaign = state.get("campaign");
  if (answer === known && ctx && (campaign ?? answer.contracts[0]?.campaign) === ctx.contract?.campaign && ctx.answered === state.get("model")) return ctx;
  known = answer;
  const contract = answer.contracts.find((c) => c.campaign === campaign) ?? (campaign ? null : answer.contracts.find((c) => !c.proposed) ?? answer.contracts[0]);
  const agreed = contract?.models?.find((m) => m.agreed)?.id ?? contract?.models?.find((m) => m.in_ledger)?.id;
  const money = contract?.measures?.find((m) => m.id === "revenue") ?? contract?.measures?.[0];
  return { viewer: answer.viewer ?? {}, contracts: answer.contracts, contract, model: state.get("model") ?? agreed, measure: money?.id ?? "revenue", answered: state.get("model") };
}

// refresh reads and draws what the address says. One reading runs at a time: a
// new address takes the place of the one under way, a change waits for its end.
async function refresh(moved) {
  if (asking && !moved) { again = true; return; }
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  again = false;
  const state = read();
  const view = views[state.view] ?? overview;
  const name = view === overview ? "overview" : state.view;
  if (shown.view !== name) enter(name, view);
  if (moved) $("main").setAttribute("aria-busy", "true");
  try {
    ctx = await context(state, mine.signal);
    locked = false;
    if (!ctx.contract) noContract(state);
    else {
      shell();
      const measure = ctx.contract.measures?.find((m) => m.id === state.get("measure"));
      if (summed.includes(name) && measure && !measure.additive) { go(same({ measure: null }), true); return; }
      const data = await view.load(ask, state, ctx, mine.signal);
      if (asking !== mine) return;
      const envelope = Object.values(data).find((a) => a && typeof a === "object" && "version" in a);
      if (envelope) last = envelope;
      problem = null;
      // A campaign that is over has nothing in the window that nobody chose.
      if (data.nothing && !state.get("window") && !state.get("from")) { go(same({ window: "all" }), true); return; }
      if (moved || !sameAnswers(data, shown.data)) draw(name, view, data, state);
    }
  } catch (err) {
    if (asking !== mine || err.name === "AbortError") return;
    failed(err, state);
  } finally {
    if (asking === mine) {
      asking = null;
      $("main").removeAttribute("aria-busy");
      shell();
      if (again) later(gatherMs);
    }
  }
}

function draw(name, view, data, state) {
  shown = { view: name, data, state };
  patch($("main"), view.render(data, state, ctx, () => draw(name, view, data, read())));
  $("main").dataset.drawn = String(Number($("main").dataset.drawn ?? 0) + 1);
}

const sameAnswers = (a, b) => b !== null && b !== undefined && Object.keys(a).length > 0 && Object.keys(a).every((k) => typeof a[k] === "function" || a[k] === b[k]);

// enter shows the shape of a view before its numbers are there.
function enter(name, view) {
  shown = { view: name, data: null };
  problem = null;
  document.title = `${view.title} · Track Source`;
  scrollTo(0, 0);
  patch($("main"), view.bones());
  shell();
}

function noContract(state) {
  problem = null;
  patch($("main"), h("div", { key: "no-contract", class: "stack" }, h("div", { class: "empty big" },
    state.get("campaign") ? [h("strong", {}, "There is no such campaign"), h("p", {}, "Or it is not one that you may see. ", ctx.contracts.map((c) => h("a", { key: c.campaign, href: to("overview", { campaign: c.campaign }) }, c.name || c.campaign)))]
      : [h("strong", {}, "No contract is in force yet"), h("p", {}, "Put one in force with ", h("code", {}, "track-source contract apply"), "; numbers appear with the first events.")])));
}

function failed(err, state) {
  if (err instanceof Problem && err.status === 401) {
    locked = true;
    shell();
    document.title = "Sign in · Track Source";
    const show = () => patch($("main"), signIn(show, () => { connect(); shown = { view: null, data: null }; refresh(true); }));
    show();
    return;
  }
  problem = err;
  const refused = err instanceof Problem && err.status < 500;
  if (!shown.data || refused) {
    shown.data = null;
    patch($("main"), h("div", { key: "problem", class: "stack" }, h("div", { class: "empty big", role: "alert" },
      h("strong", {}, refused ? "This cannot be shown" : "The numbers could not be read"), h("p", {}, `${err.message.charAt(0).toUpperCase()}${err.message.slice(1)}.`),
      err.allowed?.length ? h("p", { class: "choices" }, err.allowed.slice(0, 40).map((v) => h("a", { key: v, class: "button", href: same({ [err.parameter ?? "view"]: v }) }, ["measure", "model"].includes(err.parameter) ? label(v) : String(v)))) : null,
      h("p", {}, refused ? h("a", { href: "?" }, "Back to the overview") : "It is tried again by itself."))));
  }
  if (!refused) later(retryMs);
  void state;
}

let timer = 0;
function later(ms) {
  clearTimeout(timer);
  timer = setTimeout(() => refresh(false), ms);
}

// shell draws what stands around the view.
function shell() {
  const state = read();
  const at = views[state.view] ? state.view : "overview";
  document.documentElement.classList.toggle("locked", locked);
  patch($("side"), side(at));
  $("top").dataset.rows = String(1 + ["measure", "window"].filter((c) => controls[at].includes(c)).length);
  patch($("top"), locked || !ctx?.contract ? null : top(state, at));
  patch($("tabs"), locked ? null : short.map((v) => h("a", { key: v, href: to(v), "aria-current": v === at ? "page" : null }, icon(v), h("span", {}, views[v].title))),
    locked ? null : h("button", { type: "button", class: short.includes(at) ? "" : "now", onclick: openMore }, icon("more"), h("span", {}, "More")));
  toast();
}

function side(at) {
  return [
    h("a", { class: "brand", href: "?", key: "brand" }, h("img", { src: "/assets/icon.svg", alt: "", width: 22, height: 22 }), h("span", {}, "Track Source")),
    locked ? null : campaigns("side-campaign"),
    locked ? null : h("div", { class: "nav", key: "nav" }, navigation(at)),
    h("div", { class: "side-foot", key: "foot" }, pulse(), h("div", { class: "side-buttons" }, themeButton(), h("button", { type: "button", class: "ghost", "aria-label": "Keys", title: "Keys (?)", onclick: openKeys }, icon("keys")),
      session?.signed_in ? h("button", { type: "button", class: "ghost", "aria-label": "Sign out", title: "Sign out", onclick: signOut }, icon("out")) : null)),
  ];
}

function navigation(at) {
  return groups.map(([name, list]) => h("div", { key: name, class: "nav-group" }, h("p", { class: "nav-name" }, name), h("ul", {}, list.map((v) => h("li", { key: v }, h("a", { href: to(v), "aria-current": v === at ? "page" : null }, icon(v), views[v].title))))));
}

function campaigns(id) {
  const list = ctx?.contracts ?? [];
  return h("label", { class: "campaign", key: id }, h("span", { class: "sr" }, "Campaign"),
    h("select", { value: ctx?.contract?.campaign ?? "", disabled: list.length === 0, onchange: (e) => go(to(read().view, { campaign: e.target.value, model: null, measure: null, ...Object.fromEntries(filters.map((f) => [f, null])) })) },
      list.map((c) => h("option", { key: c.campaign, value: c.campaign }, `${c.name || c.campaign}${c.proposed ? " (proposed)" : ""}`))));
}

function pulse() {
  const tone = live === "live" ? "on" : live === "off" ? "off" : "";
  const text = live === "live" ? "Live" : live === "off" ? "Offline" : "Connecting";
  return h("p", { class: `pulse ${tone}`, id: "pulse" }, h("span", { class: "dot", "aria-hidden": "true" }), h("span", {}, text),
    h("span", { class: "muted", title: last?.as_of ?? null }, last?.as_of ? `as of ${num.instant(last.as_of).split(", ")[1] ?? ""}` : "\u00a0"));
}

const themes = { auto: ["auto", "Theme of the system"], light: ["sun", "Light theme"], dark: ["moon", "Dark theme"] };

function themeButton() {
  const now = document.documentElement.dataset.theme ?? "auto";
  const next = { auto: "light", light: "dark", dark: "auto" }[now];
  return h("button", { type: "button", class: "ghost", id: "theme", "aria-label": `${themes[now][1]}; switch to ${themes[next][1].toLowerCase()}`, title: themes[now][1], onclick: () => theme(next) }, icon(themes[now][0]));
}

function theme(next) {
  document.documentElement.dataset.theme = next;
  try { localStorage.setItem("theme", next); } catch { /* without storage it holds until the page is left */ }
  dispatchEvent(new Event("theme"));
  shell();
}

// Paper is light, whatever the screen is.
let screenTheme = "auto";
addEventListener("beforeprint", () => {
  screenTheme = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
  dispatchEvent(new Event("theme"));
});
addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = screenTheme;
  dispatchEvent(new Event("theme"));
});

function top(state, at) {
  const offers = controls[at];
  return [
    h("div", { class: "top-title", key: "title" }, h("h1", {}, views[at].title), ctx.contract.proposed ? h("span", { class: "tag warn" }, "Proposed book") : null, offers.includes("days") && state.get("days") ? h("span", { class: "tag accent", title: told[state.get("days")] }, tellings.find((x) => x.id === state.get("days"))?.name ?? state.get("days")) : null, last?.withheld ? h("span", { class: "tag", title: "The contract's visibility leaves something out of what you see here" }, "Partly withheld") : null, h("div", { class: "top-phone" }, campaigns("top-campaign"), pulse())),
    h("div", { class: "top-controls", key: "controls" },
      offers.includes("measure") ? choose("measure", "Measure", measures(at), state.get("measure") ?? ctx.measure) : null,
      offers.includes("model") ? choose("model", "Model", (ctx.contract.models ?? []).filter((m) => m.in_ledger).map((m) => ({ id: m.id, name: `${modelName(ctx, m.id)}${m.agreed ? " (agreed)" : ""}` })), ctx.model) : null,
      offers.includes("window") ? windowControl(state) : null,
      offers.includes("days") ? choose("days", "Told by", tellings, state.get("days") ?? "") : null,
      offers.includes("filters") ? filterControl(state) : null),
    offers.includes("filters") && state.filters.length ? h("ul", { class: "chips", key: "chips", "aria-label": "Filters" }, state.filters.map((f) => h("li", { key: `${f.name}=${f.value}` }, h("span", { class: "muted" }, label(f.name)), " ", named(ctx, f.name, f.value),
      h("a", { href: same({ [f.name]: state.all(f.name).filter((v) => v !== f.value) }), "aria-label": `Remove filter ${label(f.name)} ${f.value}` }, icon("close")))), h("li", { key: "all", class: "clear" }, h("a", { href: same(Object.fromEntries(filters.map((x) => [x, null]))) }, "Clear"))) : null,
  ];
}

const told = { as_known: "Each change on the day that it was booked on: a closed day stays as it was", adjustments: "Only what changed after its day was closed, on the day that it was booked on" };

const measures = (at) => (ctx.contract.measures ?? []).filter((m) => m.additive || !summed.includes(at)).map((m) => ({ id: m.id, name: label(m.id) }));

function windowControl(state) {
  const from = state.get("from");
  const now = from ? "" : state.get("window") ?? defaultWindow;
  const extra = now && !windows.some(([id]) => id === now) ? [[now, now]] : [];
  const pick = (name) => (e) => {
    const other = name === "from" ? state.get("to") ?? last?.window?.to : state.get("from") ?? last?.window?.from;
    if (e.target.value && other) go(same({ window: null, from: null, to: null, [name]: e.target.value, [name === "from" ? "to" : "from"]: other }));
  };
  return h("div", { class: "field window", key: "window" }, h("span", { class: "field-name" }, "Window"),
    h("div", { class: "window-row" }, h("div", { class: "segmented", role: "group", "aria-label": "Window" }, [...windows, ...extra].map(([id, name]) => h("a", { key: id, href: same({ window: id, from: null, to: null }), "aria-current": id === now ? "true" : null }, name))),
      h("details", { class: "pop" }, h("summary", { "aria-label": "Days from and to" }, from ? `${num.day(from)} \u2013 ${num.day(state.get("to"))}` : "Days"), h("div", { class: "pop-body" },
        h("label", { class: "field" }, h("span", { class: "field-name" }, "From"), h("input", { type: "date", value: from ?? last?.window?.from ?? "", onchange: pick("from") })),
        h("label", { class: "field" }, h("span", { class: "field-name" }, "To"), h("input", { type: "date", value: state.get("to") ?? last?.window?.to ?? "", onchange: pick("to") }))))));
}

// filterControl adds a value of a dimension; those that are seen are offered.
function filterControl(state) {
  const add = (e) => {
    e.preventDefault();
    const form = new FormData(e.target);
    const name = form.get("dimension");
    const value = form.get("value").trim();
    if (!value) return;
    e.target.reset();
    e.target.closest("details").open = false;
    go(same({ [name]: [...new Set([...state.all(name), value])] }));
  };
  return h("details", { class: "pop", key: "filter" }, h("summary", {}, icon("plus"), "Filter"), h("form", { class: "pop-body", onsubmit: add },
    h("label", { class: "field" }, h("span", { class: "field-name" }, "Dimension"), h("select", { name: "dimension" }, filters.map((f) => h("option", { key: f, value: f }, label(f))))),
    h("label", { class: "field" }, h("span", { class: "field-name" }, "Value"), h("input", { name: "value", list: "filter-values", autocomplete: "off", required: true }), h("datalist", { id: "filter-values" }, offered().map((v) => h("option", { key: v, value: v })))),
    h("button", { type: "submit", class: "button accent" }, "Add")));
}

function offered() {
  const out = new Set((ctx.contract.partners ?? []).map((x) => x.id));
  const d = shown.data ?? {};
  for (const g of d.breakdown?.groups ?? []) for (const k of g.key) out.add(k);
  for (const list of Object.values(d.report?.top ?? {})) for (const g of list) out.add(g.key);
  for (const r of (d.first?.rows ?? []).slice(0, 500)) for (const f of filters) out.add(r[f]);
  return [...out].filter(Boolean).sort();
}

// toast says over the page, without moving it, that the numbers are not of now.
function toast() {
  const behind = Number(last?.behind?.seconds ?? 0);
  const text = locked ? null
    : problem && shown.data ? ["bad", `These numbers are of ${num.instant(last?.as_of) || "before"}: ${problem instanceof Problem ? problem.message : "the server cannot be reached"}.`]
      : live === "off" ? ["bad", "Not connected: numbers stay as they are until the server answers again."]
        : behind > staleSeconds ? ["warning", `Numbers are ${num.span(behind)} behind${last.behind.why ? `: ${last.behind.why}` : ""}.`]
          : last?.restating?.length ? ["info", `Amounts in ${last.restating.join(", ")} are being restated.`] : null;
  patch($("toast"), text ? h("p", { class: text[0] }, light(text[0] === "bad" ? "error" : text[0], " "), text[1]) : null);
}

function openKeys() {
  const keys = [["/", "Search or filter"], ["g then o, p, m, c, j, r, v, f, a", "Go to a view"], ["t", "Switch the theme"], ["\u2191 \u2193", "Move in a table or the navigation"], ["Enter", "Open the chosen row"], ["Esc", "Close"], ["?", "This list"]];
  patch($("keys"), h("header", {}, h("h2", { id: "keys-title" }, "Keys"), h("button", { type: "button", class: "ghost", "aria-label": "Close", onclick: () => $("keys").close() }, icon("close"))),
    h("dl", { class: "keys" }, keys.map(([k, t]) => h("div", { key: k }, h("dt", {}, h("kbd", {}, k)), h("dd", {}, t)))));
  $("keys").showModal();
}

function openMore() {
  patch($("more"), h("div", { class: "nav" }, navigation(read().view)), h("div", { class: "side-buttons" }, themeButton(), session?.signed_in ? h("button", { type: "button", class: "button", onclick: signOut }, "Sign out") : null, h("button", { type: "button", class: "button", onclick: () => $("more").close() }, "Close")));
  $("more").showModal();
}

// Links within the page are followed without loading it.
document.addEventListener("click", (e) => {
  const a = e.target.closest("a");
  if (!a || e.defaultPrevented || e.button || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
  const href = a.getAttribute("href");
  if (!href?.startsWith("?")) return;
  e.preventDefault();
  if ($("more").open) $("more").close();
  go(href);
});
document.addEventListener("click", (e) => {
  for (const d of document.querySelectorAll("details.pop[open]")) if (!d.contains(e.target)) d.open = false;
});

const goKeys = { o: "overview", p: "partner", m: "models", c: "cohorts", j: "journey", r: "rows", f: "feeds", a: "actions", x: "reconcile", v: "governance" };
let going = false;

document.addEventListener("keydown", (e) => {
  if (e.key === "Escape") for (const d of document.querySelectorAll("details.pop[open]")) { d.open = false; d.querySelector("summary").focus(); }
  if (e.target.closest("input, select, textarea, dialog[open]") || e.metaKey || e.ctrlKey || e.altKey || locked) return;
  if (going && goKeys[e.key]) go(to(goKeys[e.key]));
  else if (e.key === "/") {
    e.preventDefault();
    if ($("search")) $("search").focus();
    else { go(to("journey")); focusSearch = true; }
  } else if (e.key === "?") openKeys();
  else if (e.key === "t") $("theme").click();
  else if ((e.key === "ArrowDown" || e.key === "ArrowUp") && e.target.closest(".nav")) {
    e.preventDefault();
    const links = [...e.target.closest(".nav").querySelectorAll("a")];
    links[(links.indexOf(e.target) + (e.key === "ArrowDown" ? 1 : links.length - 1)) % links.length].focus();
  }
  going = e.key === "g";
});
let focusSearch = false;
new MutationObserver(() => {
  if (focusSearch && $("search")) { focusSearch = false; $("search").focus(); }
}).observe($("main"), { childList: true, subtree: true });

addEventListener("route", () => refresh(true));
addEventListener("popstate", () => refresh(true));
addEventListener("decided", () => refresh(false));

// One stream says when numbers changed; it reconnects by itself, but for an
// answer that is no stream, after which it is opened anew.
let stream = null;
function connect() {
  stream?.close();
  stream = new EventSource("/api/v1/events");
  stream.addEventListener("open", () => { live = "live"; shell(); });
  stream.addEventListener("error", () => {
    live = "off";
    shell();
    if (stream.readyState === EventSource.CLOSED && !locked) setTimeout(connect, retryMs);
  });
  stream.addEventListener("change", () => { if (!document.hidden) later(gatherMs); else again = true; });
}
document.addEventListener("visibilitychange", () => { if (!document.hidden && again) later(0); });
setInterval(() => { if (!document.hidden && !locked && ctx) later(0); }, recheckMs);

shell();
refresh(true);
connect();
