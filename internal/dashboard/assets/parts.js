// What several views are made of.
import { h } from "./dom.js";
import { icon } from "./icons.js";
import * as num from "./num.js";
import { go, same } from "./route.js";

const words = {
  mql: "MQL", sal: "SAL", sql: "SQL", crm: "CRM", map: "MAP", utm: "UTM", id: "ID",
  pipeline_created: "Pipeline created", pipeline_open: "Open pipeline", pipeline_sourced: "Sourced pipeline", revenue_sourced: "Sourced revenue",
  pipeline_influenced: "Influenced pipeline", revenue_influenced: "Influenced revenue", pipeline_co_sell: "Co-sell pipeline", revenue_co_sell: "Co-sell revenue",
  opportunities_influenced: "Influenced opportunities", touch_campaign: "Campaign of the touch",
};
const special = {
  "(unattributed)": "Unattributed", "(unknown)": "Unknown", "(none)": "None", "(other)": "Other", "(all)": "All", "(held)": "Held", "": "None",
  "marketing-sourced": "Marketing", unsourced: "Unsourced",
};

// label writes a name of ours, such as pipeline_created, for people.
export function label(id) {
  if (id === null || id === undefined) return "";
  const key = String(id).toLowerCase();
  if (words[key]) return words[key];
  const text = String(id).replaceAll(/[_-]/g, " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// named writes the value of a dimension: partners by their names in the
// contract, what is no name by a word, all else as it is.
export function named(ctx, dimension, key) {
  if (key in special) return special[key];
  if (dimension === "touch_campaign" && key === "this") return "This campaign";
  if (dimension === "partner" || dimension === "sourced") return ctx.contract?.partners?.find((p) => p.id === key)?.name ?? key;
  return key;
}

export const isSpecial = (key) => key in special || key.startsWith("(");

export const modelName = (ctx, id) => ctx.contract?.models?.find((m) => m.id === id)?.name || label(id);

export const measureOf = (ctx, id) => ctx.contract?.measures?.find((m) => m.id === id);
export const isMoney = (ctx, id) => (measureOf(ctx, id)?.kind ?? "money") === "money";

// colours are given to partners by their place in the contract, so that one has
// the same colour in every view, and to all else by their place in a list.
const colours = 8;

export function colour(ctx, dimension, key, i = 0) {
  if (key === "(unattributed)" || key === "(other)" || key === "(none)") return key === "(other)" ? "--c-other" : "--c-none";
  const at = dimension === "partner" ? (ctx.contract?.partners?.findIndex((p) => p.id === key) ?? -1) : i;
  return `--c${(at < 0 ? i : at) % colours}`;
}

export const swatch = (name) => h("span", { class: "swatch", "aria-hidden": "true", style: { background: `var(${name})` } });

// card is a section with a title; side stands to the right of it.
export function card(title, props, ...children) {
  const id = `t-${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;
  const { side, hint, ...rest } = props ?? {};
  return h("section", { ...rest, class: `card ${rest.class ?? ""}`, "aria-labelledby": id },
    h("header", { class: "card-head" }, h("div", { class: "card-title" }, h("h2", { id }, title), hint ? h("p", { class: "hint" }, hint) : null), side),
    ...children);
}

// value writes an amount or a count; text withheld from the viewer says so.
export function value(text, money, props = {}) {
  if (text === null || text === undefined) return h("span", { class: "num quiet", title: "withheld, or not there", ...props }, "\u2013");
  const p = num.parts(text, money);
  return h("span", { class: "num", "data-exact": text, ...props }, p.whole, p.decimals ? h("span", { class: "decimals" }, p.decimals) : null);
}

// status is a traffic light: an icon, a colour and a word.
const lights = {
  ahead: ["up", "good", "Ahead"], on_track: ["ok", "good", "On track"], behind: ["down", "bad", "Behind"], none: ["none", "muted", "No target"],
  ok: ["ok", "good", "OK"], short: ["warn", "bad", "Short"], unknown: ["none", "muted", "Unknown"],
  stale: ["warn", "warn", "Stale"], silent: ["bad", "bad", "Silent"],
  critical: ["bad", "bad", "Critical"], error: ["bad", "bad", "Error"], warning: ["warn", "warn", "Warning"], info: ["none", "info", "Info"],
  high: ["bad", "bad", "High"], medium: ["warn", "warn", "Medium"], low: ["none", "info", "Low"],
};

export function light(state, word) {
  const [name, tone, text] = lights[state] ?? ["none", "muted", label(state)];
  return h("span", { class: `light ${tone}` }, icon(name), word ?? text);
}

// toneOf is how a change of a measure reads: fewer lost deals are the better ones.
export function toneOf(measure, sign) {
  const better = measure === "lost" ? -sign : sign;
  return better > 0 ? "good" : better < 0 ? "bad" : "muted";
}

export function delta(measure, now, before, against) {
  const c = num.change(now, before);
  if (!c) return null;
  const tone = toneOf(measure, c.sign);
  return h("span", { class: `delta ${tone}`, title: `${num.show(before, true)} ${against}` },
    c.sign ? icon(c.sign > 0 ? "up" : "down") : null, h("span", {}, c.sign ? h("span", { class: "sr" }, c.sign > 0 ? "up " : "down ") : null, c.text), h("span", { class: "muted against" }, ` ${against}`));
}

// bar is a share drawn; the number stands beside it.
export const bar = (share, name = "--accent") => h("span", { class: "bar", "aria-hidden": "true" }, h("span", { style: { "--w": `${share * 100}%`, background: `var(${name})` } }));

// roleKey is the measure under which the parts of partners in deals are told.
export const roleKey = (measure) => (measure.startsWith("pipeline") ? "pipeline_created" : measure.startsWith("revenue") ? "revenue" : measure);

// dealId shows the last part of an id, which is the CRM's own; the whole is said
// when pointed at.
export const dealId = (id) => h("span", { class: "mono", title: id }, String(id ?? "").split("/").pop());

// table draws rows under columns {name, key, num, cell(row), sum}. Its rows are
// keyed, so that a change moves and glows what changed alone.
export function table(caption, columns, rows, { keyOf, foot, cls = "", empty = "Nothing here yet.", min } = {}) {
  if (!rows.length) return h("div", { class: "empty" }, empty);
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h("table", { class: cls, style: min ? { "min-width": min } : {} },
      h("caption", { class: "sr" }, caption),
      h("thead", {}, h("tr", {}, columns.map((c) => h("th", { scope: "col", class: c.num ? "num" : c.cls ?? "", style: c.width ? { width: c.width } : {} }, c.name)))),
      h("tbody", {}, rows.map((row, i) => h("tr", { key: keyOf ? keyOf(row) : i },
        columns.map((c, at) => h(at === 0 && !c.num ? "th" : "td", at === 0 && !c.num ? { scope: "row" } : { class: c.num ? "num" : c.cls ?? "" }, c.cell(row, i)))))),
      foot ? h("tfoot", {}, h("tr", {}, foot.map((f, i) => h(i === 0 ? "th" : "td", { class: i === 0 ? "" : "num", ...(i === 0 ? { scope: "row" } : {}) }, f)))) : null));
}

// ranked is a list of names with their values and bars.
export function ranked(ctx, caption, dimension, groups, { money, total, href, max = 6, empty }) {
  const top = num.largest(groups.map((g) => g.value));
  if (!groups.length) return h("div", { class: "empty" }, empty ?? "Nothing was credited in this window.");
  return h("table", { class: "ranked" }, h("caption", { class: "sr" }, caption),
    h("thead", { class: "sr" }, h("tr", {}, h("th", { scope: "col" }, label(dimension)), h("th", { scope: "col" }, "Value"), h("th", { scope: "col" }, "Share"))),
    h("tbody", {}, groups.slice(0, max).map((g, i) => h("tr", { key: g.key },
      h("th", { scope: "row" }, h("span", { class: "ranked-name" },
        bar(num.ratio(num.abs(num.units(g.value)), top), colour(ctx, dimension, g.key, dimension === "partner" ? i : 0)),
        href && !isSpecial(g.key) ? h("a", { href: href(g.key) }, named(ctx, dimension, g.key)) : h("span", { class: isSpecial(g.key) ? "quiet" : "" }, named(ctx, dimension, g.key)))),
      h("td", { class: "num" }, value(g.value, money, { flash: g.value })),
      h("td", { class: "num share" }, num.percent(num.units(g.value), num.units(total)))))));
}

// heat is a cell whose ground says how large its value is.
export function heat(text, top, money, props = {}) {
  const n = num.units(text);
  const share = num.ratio(num.abs(n), top);
  const ground = n < 0n ? "--bad" : "--accent";
  return h("td", { class: "num heat", style: { "--heat": `${Math.round(share * 42)}%`, "--ground": `var(${ground})` }, ...props },
    text === undefined ? h("span", { class: "quiet" }, "\u2013") : props.href ?? value(text, money, { flash: text }));
}

// choose is a select for a parameter of the address.
export function choose(name, text, options, now, cls = "") {
  return h("label", { class: `field ${cls}` }, h("span", { class: "field-name" }, text),
    h("select", { name, value: now, onchange: (e) => go(same({ [name]: e.target.value })) },
      options.map((o) => h("option", { key: o.id, value: o.id }, o.name))));
}

// segmented is a choice among few, as links; what is now is pressed.
export function segmented(text, options, now) {
  return h("div", { class: "segmented", role: "group", "aria-label": text },
    options.map((o) => h("a", { href: o.href, key: o.id, "aria-current": o.id === now ? "true" : null, title: o.title }, o.name)));
}

export const empty = (title, ...text) => h("div", { class: "empty big" }, h("strong", {}, title), h("p", {}, ...text));

// asTable is the table behind a chart.
export const asTable = (...children) => h("details", { class: "as-table" }, h("summary", {}, "Show as table"), ...children);

// bones is what is seen while there are no numbers yet, in the size of what comes.
export function bones(...sizes) {
  return h("div", { key: "bones", class: "stack", "aria-hidden": "true" },
    sizes.map((s) => h("div", { class: `bones ${s}` })));
}



// windowWords says in a sentence which days are meant.
export function windowWords(w) {
  if (!w || w.name === "all") return "so far";
  if (/^\d+d$/.test(w.name ?? "")) return w.name === "1d" ? "today" : `in the last ${parseInt(w.name, 10)} days`;
  return `from ${num.day(w.from, true)} to ${num.day(w.to, true)}`;
}

export function beforeWords(w) {
  return /^\d+d$/.test(w?.name ?? "") ? `vs ${parseInt(w.name, 10)} days before` : "vs the same time before";
}

// download hands a text to the person as a file.
export function download(name, type, pieces) {
  const url = URL.createObjectURL(new Blob(pieces, { type }));
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  URL.revokeObjectURL(url);
}
