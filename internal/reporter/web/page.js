// The page of the reporter. Values come as exact decimal text and are shown as
// such: text is grouped, rounded and added up with BigInt. Only widths and
// heights, which nobody reads as numbers, are floats.

const $ = (id) => document.getElementById(id);
const scale = 9;
const unattributed = "(unattributed)";
const colours = 8;

// units turns decimal text into a BigInt of 10^-9.
function units(text) {
  const minus = text.startsWith("-");
  const [whole, places = ""] = text.replace("-", "").split(".");
  const n = BigInt(whole + places.padEnd(scale, "0"));
  return minus ? -n : n;
}

// fixed writes units with so many places, rounded half away from zero.
function fixed(n, places) {
  const cut = 10n ** BigInt(scale - places);
  const minus = n < 0n;
  const rounded = ((minus ? -n : n) + cut / 2n) / cut;
  const digits = rounded.toString().padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places).replace(/\B(?=(\d{3})+$)/g, ",");
  const text = places ? `${whole}.${digits.slice(-places)}` : whole;
  return minus && rounded !== 0n ? `\u2212${text}` : text;
}

// show writes a value for people: money with all its places, counts, which are
// shared out in millionths, with two at most.
function show(n, answer) {
  if (answer.currency) return fixed(n, placesOf(answer));
  return fixed(n, n % 10n ** BigInt(scale) === 0n ? 0 : 2);
}

const placesOf = (answer) => (answer.total.split(".")[1] ?? "").length;

// percent writes part of whole with one place; empty where it says nothing.
function percent(part, whole) {
  if (whole === 0n) return "";
  const tenths = (part * 1000n * 10n) / whole;
  const rounded = (tenths + (tenths < 0n ? -5n : 5n)) / 10n;
  if (rounded === 0n && part !== 0n) return "<0.1%";
  const minus = rounded < 0n ? "\u2212" : "";
  const abs = rounded < 0n ? -rounded : rounded;
  return `${minus}${abs / 10n}.${abs % 10n}%`;
}

const ratio = (part, whole) => (whole > 0n && part > 0n ? Math.min(1, Number((part * 100000n) / whole) / 100000) : 0);

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "class") node.className = value;
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// words turns a name of ours, such as pipeline_created, into words.
function words(name) {
  const text = name.replace(/[_-]/g, " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const label = (key) => (key === unattributed ? "Unattributed" : key === "(unknown)" ? "Unknown" : key === "(none)" ? "None" : key);

// Colours stay with a name for as long as the page is open, so that a partner
// does not change its colour when it overtakes another.
const colourOf = { partner: new Map(), channel: new Map() };
function colour(dimension, key) {
  if (key === unattributed) return "c-none";
  const known = colourOf[dimension];
  if (!known.has(key)) known.set(key, known.size % colours);
  return `c${known.get(key)}`;
}

const asked = () => new URLSearchParams(location.search);
let last = null; // the answer on the screen
let running = false;
let again = false;

// query is what to ask, from the address of the page.
function query(by) {
  const p = new URLSearchParams();
  for (const name of ["campaign", "measure", "model"]) {
    const v = asked().get(name);
    if (v) p.set(name, v);
  }
  p.set("by", by);
  return p;
}

async function get(url) {
  const r = await fetch(url, { headers: { Accept: "application/json" } });
  const body = await r.json();
  if (!r.ok) throw Object.assign(new Error(body.detail ?? "The server refused."), { problem: body });
  return body;
}

// refresh asks for the numbers and shows them; asked again while it runs, it
// runs once more.
async function refresh() {
  if (running) {
    again = true;
    return;
  }
  running = true;
  try {
    do {
      again = false;
      await ask();
    } while (again);
  } finally {
    running = false;
  }
}

async function ask() {
  try {
    const answer = await get(`/api/contributions?${query("partner,channel")}`);
    const days = await get(`/api/contributions?${query("day")}`);
    note([
      answer.proposed ? "Proposed, not agreed: what a proposal would make of the numbers. It is never added to them." : "",
      answer.restating.length ? `Being restated in ${answer.currency}: values still in ${answer.restating.join(", ")} are not shown.` : "",
    ].filter(Boolean).join(" "));
    render(answer);
    renderDays(days);
    last = answer;
  } catch (err) {
    const at = err.problem?.parameter;
    if (at && asked().has(at)) {
      // What the address asks for is not there (any more): fall back to the first.
      const p = asked();
      p.delete(at);
      history.replaceState(null, "", p.size ? `?${p}` : location.pathname);
      again = true;
      return;
    }
    note(`The numbers could not be loaded: ${err.message}`);
  }
  await status();
}

function note(text) {
  $("notice").hidden = !text;
  if ($("notice").textContent !== text) $("notice").textContent = text;
}

function options(select, names, chosen, text) {
  const key = JSON.stringify([names, chosen]);
  if (select.dataset.key === key) return;
  select.dataset.key = key;
  select.replaceChildren(...names.map((n) => el("option", { value: n, textContent: text(n), selected: n === chosen })));
  select.disabled = names.length === 0;
}

function render(answer) {
  options($("campaign"), answer.choices.campaigns, answer.campaign, (n) => n.replace(/~proposed$/, " (proposed)"));
  options($("measure"), answer.choices.measures, answer.measure, words);
  options($("model"), answer.choices.models, answer.model, words);
  const total = units(answer.total);
  $("headline-title").textContent = answer.measure ? `${words(answer.measure)}, ${words(answer.model).toLowerCase()}` : "No contributions yet";
  $("total").textContent = show(total, answer);
  $("currency").textContent = answer.currency;
  delta(answer, total);
  const parts = [units(answer.attributed), units(answer.unattributed)];
  const sum = parts.reduce((a, v) => a + (v > 0n ? v : 0n), 0n);
  ["attributed", "unattributed"].forEach((id, i) => {
    $(id).textContent = show(parts[i], answer);
    $(`${id}-share`).textContent = percent(parts[i], total);
    $("split-bar").children[i].style.flexGrow = ratio(parts[i], sum);
  });
  for (const d of ["partner", "channel"]) breakdown(d, answer, total);
  matrix(answer);
  $("as-of").textContent = answer.as_of ? `Input up to ${new Date(answer.as_of).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" })}, from ${answer.rows} rows` : "";
  document.title = `${show(total, answer)} ${answer.currency} · Track Source`.replace("  ", " ");
}

const same = (a, b) => a && a.campaign === b.campaign && a.measure === b.measure && a.model === b.model && a.currency === b.currency;

// delta says by how much the total moved while one was looking.
function delta(answer, total) {
  if (!same(last, answer)) {
    $("delta").textContent = "";
    return;
  }
  const moved = total - units(last.total);
  if (moved === 0n) return;
  $("delta").textContent = `${moved > 0n ? "+" : ""}${show(moved, answer)} at ${new Date().toLocaleTimeString()}`;
}

// margin is the breakdown by one dimension, largest first and what nobody is
// credited with last.
function margin(answer, d) {
  const groups = answer?.margins.find((m) => m.dimension === d)?.groups ?? [];
  const none = (g) => (g.key[0] === unattributed ? 1 : 0);
  return [...groups].sort((a, b) => none(a) - none(b));
}

// breakdown keeps the rows of its table by key, so that what is being read does
// not jump and only what changed flashes.
function breakdown(d, answer, total) {
  const groups = margin(answer, d).map((g) => ({ key: g.key[0], value: units(g.value) }));
  const before = same(last, answer) ? new Map(margin(last, d).map((g) => [g.key[0], g.value])) : null;
  const positive = groups.reduce((a, g) => a + (g.value > 0n ? g.value : 0n), 0n);
  // Names take their colours in a fixed order at first sight.
  for (const g of groups.map((g) => g.key).sort()) colour(d, g);
  reconcile($(`${d}-bar`), groups, (g) => g.key, () => el("span"), (node, g) => {
    node.className = `seg ${colour(d, g.key)}`;
    node.style.flexGrow = ratio(g.value, positive);
  });
  const body = $(`${d}-rows`);
  if (groups.length === 0) {
    body.replaceChildren(el("tr", {}, el("td", { class: "empty", colSpan: 3, textContent: "Nothing yet. Rows appear here as events arrive." })));
    return;
  }
  reconcile(body, groups, (g) => g.key, () => el("tr", {},
    el("th", { scope: "row" }), el("td", { class: "num" }), el("td", { class: "num share" })), (row, g) => {
    const [name, value, share] = row.children;
    if (!name.firstChild) name.append(el("i", { class: `swatch ${colour(d, g.key)}`, "aria-hidden": "true" }), label(g.key));
    name.classList.toggle("quiet", g.key === unattributed);
    const text = show(g.value, answer);
    if (before && before.has(g.key) && units(before.get(g.key)) !== g.value) flash(row);
    value.textContent = text;
    share.textContent = percent(g.value, total);
  });
}

function flash(row) {
  row.classList.remove("changed");
  void row.offsetWidth; // restarts the animation
  row.classList.add("changed");
}

// reconcile makes the children of parent those of items, keeping nodes by key.
function reconcile(parent, items, keyOf, make, update) {
  const old = new Map([...parent.children].map((n) => [n.dataset.key, n]));
  const nodes = items.map((item) => {
    const key = `k${keyOf(item)}`;
    const node = old.get(key) ?? make();
    node.dataset.key = key;
    update(node, item);
    return node;
  });
  const wanted = new Set(nodes);
  for (const n of [...parent.children]) if (!wanted.has(n)) n.remove();
  nodes.forEach((n, i) => {
    if (parent.children[i] !== n) parent.insertBefore(n, parent.children[i] ?? null);
  });
}

function matrix(answer) {
  const partners = margin(answer, "partner").map((g) => g.key[0]);
  const channels = margin(answer, "channel").map((g) => g.key[0]);
  const cells = new Map(answer.groups.map((g) => [JSON.stringify(g.key), units(g.value)]));
  const sums = (d) => new Map(margin(answer, d).map((g) => [g.key[0], units(g.value)]));
  const byPartner = sums("partner");
  const byChannel = sums("channel");
  const num = (n, cls = "num") => el("td", { class: cls, textContent: n === undefined ? "\u2013" : show(n, answer) });
  const head = el("tr", {}, el("th", { scope: "col", textContent: "Partner" }),
    ...channels.map((c) => el("th", { scope: "col", class: "num", textContent: label(c) })), el("th", { scope: "col", class: "num", textContent: "Total" }));
  const rows = partners.map((p) => el("tr", {}, el("th", { scope: "row", textContent: label(p) }),
    ...channels.map((c) => {
      const n = cells.get(JSON.stringify([p, c]));
      return num(n, n === undefined ? "num quiet" : "num");
    }), num(byPartner.get(p), "num sum")));
  const foot = el("tr", {}, el("th", { scope: "row", textContent: "Total" }), ...channels.map((c) => num(byChannel.get(c))), num(units(answer.total)));
  $("matrix").replaceChildren(el("thead", {}, head), el("tbody", {}, ...rows), el("tfoot", {}, foot));
}

const columnsMax = 62;
const dayMs = 86400000;

// renderDays draws every day between the first and the last, or every week when
// those are too many to tell apart.
function renderDays(answer) {
  const values = new Map(answer.groups.map((g) => [g.key[0], units(g.value)]));
  const known = [...values.keys()].filter((d) => !Number.isNaN(Date.parse(d))).sort();
  const iso = (t) => new Date(t).toISOString().slice(0, 10);
  let buckets = [];
  let unit = "Day";
  if (known.length) {
    const first = Date.parse(known[0]);
    const end = Date.parse(known[known.length - 1]);
    const span = (end - first) / dayMs + 1;
    const step = span <= columnsMax ? 1 : span <= columnsMax * 7 ? 7 : 28;
    unit = { 1: "Day", 7: "Week from", 28: "Four weeks from" }[step];
    // A week begins on Monday; 1970-01-05 was one.
    const start = step === 1 ? first : first - ((((first / dayMs - 4) % 7) + 7) % 7) * dayMs;
    for (let t = start; t <= end; t += step * dayMs) buckets.push({ key: iso(t), value: 0n });
    for (const d of known) buckets[Math.floor((Date.parse(d) - start) / (step * dayMs))].value += values.get(d);
  }
  const top = buckets.reduce((a, b) => { const v = b.value < 0n ? -b.value : b.value; return v > a ? v : a; }, 0n);
  reconcile($("days"), buckets, (b) => b.key, () => el("div"), (node, b) => {
    node.className = b.value < 0n ? "column minus" : "column";
    node.style.height = `${ratio(b.value < 0n ? -b.value : b.value, top) * 100}%`;
    node.title = `${unit} ${b.key}: ${show(b.value, answer)} ${answer.currency}`;
  });
  $("days-axis").replaceChildren(...(buckets.length ? [...new Set([buckets[0].key, buckets[buckets.length - 1].key])] : []).map((k) => el("span", { textContent: k })));
  $("days-unit").textContent = unit;
  $("days-scale").textContent = top > 0n ? `Highest ${unit === "Day" ? "day" : "period"} ${show(top, answer)} ${answer.currency}` : "";
  $("days-rows").replaceChildren(...buckets.filter((b) => b.value !== 0n).map((b) => el("tr", {}, el("th", { scope: "row", class: "num", textContent: b.key }), el("td", { class: "num", textContent: show(b.value, answer) }))));
}

const counters = [["raw", "Raw"], ["accepted", "Accepted"], ["duplicates", "Duplicates"], ["dead_letters", "Dead letters"], ["unresolved", "Unresolved"]];
let statusMissing = false;

async function status() {
  if (statusMissing) return;
  try {
    const s = await get("/api/status");
    const events = s.events ?? s;
    $("counter-list").replaceChildren(...counters.filter(([k]) => Number.isSafeInteger(events[k])).map(([k, text]) =>
      el("div", {}, el("dt", { textContent: text }), el("dd", { class: "num", textContent: fixed(BigInt(events[k]) * 10n ** 9n, 0) }))));
    $("counters").hidden = $("counter-list").children.length === 0;
  } catch (err) {
    if (err.problem?.status === 404) statusMissing = true;
  }
}

// Choosing a campaign keeps measure and model; what it does not have falls back.
$("controls").addEventListener("change", (e) => {
  const p = asked();
  p.set(e.target.name, e.target.value);
  history.pushState(null, "", `?${p}`);
  refresh();
});
$("controls").addEventListener("submit", (e) => e.preventDefault());
addEventListener("popstate", refresh);

function live(on, text) {
  $("live").classList.toggle("on", on);
  $("live-text").textContent = text;
}

const stream = new EventSource("/api/events");
stream.addEventListener("open", () => live(true, "Live"));
stream.addEventListener("error", () => live(false, "Reconnecting"));
stream.addEventListener("change", refresh);
refresh();
// Counters move without rows, so they are looked at now and then.
setInterval(status, 2000);
