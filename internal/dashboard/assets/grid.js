// A table of any length: only the rows that can be seen are elements. It reads
// page after page, sorts and filters what it has, and hands it on as CSV.
import { h, patch } from "./dom.js";
import { icon } from "./icons.js";
import * as num from "./num.js";
import { download } from "./parts.js";
import { go } from "./route.js";

const rowHeight = 34;
const spare = 6; // rows beyond each edge, so that a fast wheel shows no gap
const typed = 150;
const follows = 5000; // up to so many rows a change is read anew at once

const columns = [
  { id: "day", name: "Day" }, { id: "partner", name: "Partner" }, { id: "channel", name: "Channel" }, { id: "asset", name: "Asset" },
  { id: "region", name: "Region" }, { id: "segment", name: "Segment" }, { id: "source", name: "Source" }, { id: "touch_campaign", name: "Campaign" },
  { id: "value", name: "Value", num: true }, { id: "is_final", name: "State" }, { id: "key", name: "" },
];
const exported = ["day", "partner", "channel", "asset", "region", "segment", "source", "touch_campaign", "escrow", "booked", "measure", "model", "value", "confident_value", "currency", "is_final", "as_of", "version", "credits_partition", "credits_offset", "key"];

export function grid(node) {
  const bar = Object.assign(document.createElement("div"), { className: "grid-bar" });
  const table = Object.assign(document.createElement("div"), { className: "grid-table", tabIndex: 0 });
  const head = Object.assign(document.createElement("div"), { className: "grid-row grid-head" });
  const body = Object.assign(document.createElement("div"), { className: "grid-body" });
  table.setAttribute("role", "grid");
  table.setAttribute("aria-label", "Contributions");
  head.setAttribute("role", "row");
  body.setAttribute("role", "rowgroup");
  const nothing = Object.assign(document.createElement("div"), { className: "empty", hidden: true });
  const pool = []; // the elements of rows
  table.append(head, body, nothing);
  node.append(bar, table);

  let d = null; // what the view said last
  let rows = [];
  let seen = []; // rows, filtered and sorted
  let arranged = ""; // by what
  let found = ""; // what seen was filtered by
  let sorted = 0; // how many of rows were there when seen was made
  let total = 0n; // of seen
  let reading = 0; // the reading that may add rows
  let more = false;
  let stale = null; // a first page that came while the rows stayed
  let active = -1;
  let failed = "";
  let drawn = 0;

  async function read(first) {
    const mine = ++reading;
    rows = first.rows.slice();
    stale = null;
    failed = "";
    let cursor = first.next;
    more = Boolean(cursor);
    arrange(true);
    while (cursor && mine === reading) {
      try {
        const page = await d.next(cursor);
        if (mine !== reading) return;
        rows = rows.concat(page.rows);
        cursor = page.next;
      } catch (err) {
        failed = err.message;
        cursor = null;
      }
      more = Boolean(cursor);
      // Sorting at each doubling costs as much as sorting once more at the end.
      if (!more || rows.length >= 2 * sorted) arrange(true);
      else drawBar();
    }
  }

  const haystack = (r) => (r.$text ??= [r.day, d.show("partner", r.partner), r.channel, r.asset, r.region, r.segment, r.source, r.touch_campaign].join("\n").toLowerCase());

  function arrange(force) {
    const how = JSON.stringify([d.sort, d.down, d.find]);
    if (force || how !== arranged) {
      const words = d.find.toLowerCase().split(/\s+/).filter(Boolean);
      if (force || d.find !== found) {
        seen = words.length ? rows.filter((r) => words.every((w) => haystack(r).includes(w))) : rows.slice();
        total = seen.reduce((a, r) => a + (r.$units ??= num.units(r.value)), 0n);
        found = d.find;
        sorted = rows.length;
      }
      const k = d.sort;
      const order = k === "value" ? byValue : (a, b) => (a[k] < b[k] ? -1 : a[k] > b[k] ? 1 : a.key < b.key ? -1 : 1);
      seen.sort(d.down ? (a, b) => order(b, a) : order);
      if (how !== arranged) table.scrollTop = 0;
      arranged = how;
      active = Math.min(active, seen.length - 1);
    }
    draw();
  }

  // The number decides but where two are too close for it.
  function byValue(a, b) {
    const x = (a.$n ??= Number(a.value));
    const y = (b.$n ??= Number(b.value));
    if (x !== y) return x - y;
    return a.$units < b.$units ? -1 : a.$units > b.$units ? 1 : a.key < b.key ? -1 : 1;
  }

  function draw() {
    drawBar();
    patch(head, columns.map((c) => h("div", { key: c.id, role: "columnheader", class: c.num ? "num" : "", "aria-sort": c.id === d.sort ? (d.down ? "descending" : "ascending") : null },
      c.name ? h("button", { type: "button", onclick: () => go(d.sorted(c.id, c.id === d.sort ? !d.down : c.num), true) }, c.name, c.id === d.sort ? icon(d.down ? "down" : "up") : null) : h("span", { class: "sr" }, "Explain"))));
    body.style.height = `${seen.length * rowHeight}px`;
    table.setAttribute("aria-rowcount", String(seen.length + 1));
    drawRows();
  }

  let waiting;
  function drawBar() {
    const currency = seen[0]?.currency;
    patch(bar,
      h("label", { class: "search" }, icon("search"), h("span", { class: "sr" }, "Filter rows"), h("input", { id: "search", type: "search", placeholder: "Filter rows", autocomplete: "off", spellcheck: "false", value: d.find,
        oninput: (e) => { clearTimeout(waiting); const q = e.target.value; waiting = setTimeout(() => go(d.found(q), true), typed); } })),
      h("p", { class: "grid-count num", role: "status" }, h("strong", { id: "row-count" }, num.fixed(BigInt(seen.length) * 1000000000n, 0)), seen.length === rows.length ? " rows" : ` of ${num.fixed(BigInt(rows.length) * 1000000000n, 0)} rows`, more ? ", reading more" : "", failed ? `; the rest could not be read: ${failed}` : ""),
      h("p", { class: "grid-sum num" }, h("span", { class: "muted" }, "Sum "), h("strong", { id: "row-sum", "data-exact": num.text(total) }, num.like(total, d.money, seen[0]?.value)), d.money && currency ? h("span", { class: "unit" }, currency) : null),
      stale ? h("button", { type: "button", class: "button accent", onclick: () => read(stale) }, "Numbers changed: read again") : null,
      h("button", { type: "button", class: "button", disabled: seen.length === 0, onclick: save }, icon("download"), "CSV"));
  }

  function drawRows() {
    drawn = 0;
    const from = Math.max(0, Math.floor(table.scrollTop / rowHeight) - spare);
    const to = Math.min(seen.length, Math.ceil((table.scrollTop + table.clientHeight) / rowHeight) + spare);
    if (active >= from && active < to) table.setAttribute("aria-activedescendant", `row-${active}`);
    else table.removeAttribute("aria-activedescendant");
    for (let i = pool.length; i < to - from; i++) {
      pool.push(makeRow());
      body.append(pool[i].node);
    }
    // A row of the table is drawn by the same element wherever one scrolls to, for
    // those that stay in sight are then not touched.
    for (let i = 0; i < pool.length; i++) pool[i].at = -1;
    for (let i = from; i < to; i++) pool[i % pool.length].at = i;
    for (const row of pool) fill(row);
    patch(nothing, seen.length ? null : rows.length ? "No row has these words." : more ? "Reading" : "No contributions in this window.");
    nothing.hidden = seen.length > 0;
  }

  function makeRow() {
    const node = Object.assign(document.createElement("div"), { className: "grid-row" });
    node.setAttribute("role", "row");
    const cells = columns.map((c) => {
      const cell = Object.assign(document.createElement("div"), { className: c.num ? "num" : c.id === "day" ? "num left" : "" });
      cell.setAttribute("role", "gridcell");
      node.append(cell);
      return cell;
    });
    const state = cells[9].appendChild(document.createElement("span"));
    const link = cells[10].appendChild(Object.assign(document.createElement("a"), { textContent: "Explain", tabIndex: -1 }));
    return { node, cells, state, link, at: -1, row: null, place: -1 };
  }

  // fill shows in an element the row that it is at; what it shows already stays.
  function fill(e) {
    const r = e.at < 0 ? null : seen[e.at];
    e.node.hidden = !r;
    if (!r) return;
    if (e.place !== e.at) {
      e.place = e.at;
      e.node.id = `row-${e.at}`;
      e.node.setAttribute("aria-rowindex", String(e.at + 2));
      e.node.style.transform = `translateY(${e.at * rowHeight}px)`;
    }
    const chosen = e.at === active;
    if (e.node.classList.contains("active") !== chosen) {
      e.node.classList.toggle("active", chosen);
      e.node.setAttribute("aria-selected", String(chosen));
    }
    if (e.row === r) return;
    e.row = r;
    for (let i = 1; i < 8; i++) {
      const text = r[columns[i].id];
      e.cells[i].textContent = d.show(columns[i].id, text);
      e.cells[i].title = text;
      e.cells[i].className = text.startsWith("(") ? "quiet" : "";
    }
    e.cells[0].textContent = num.day(r.day, true);
    e.cells[0].title = r.booked && r.booked !== r.day ? `booked on ${num.day(r.booked, true)}: its own day was closed` : "";
    e.cells[8].textContent = num.show(r.value, d.money);
    const disputed = r.escrow === "disputed";
    const adjusted = r.booked && r.booked !== r.day;
    e.state.textContent = disputed ? "disputed" : adjusted ? "adjusted" : r.is_final ? "final" : "open";
    e.state.className = disputed ? "tag warn" : adjusted ? "tag accent" : r.is_final ? "muted" : "tag";
    e.link.href = d.open(r);
  }

  function save() {
    const cell = (r, k) => {
      const v = String(r[k] ?? "");
      // A text that a spreadsheet would run as a formula is made text.
      const safe = k !== "value" && /^[=+\-@\t\r]/.test(v) ? `'${v}` : v;
      return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
    };
    download(`${d.name}.csv`, "text/csv;charset=utf-8", [`${exported.join(",")}\r\n`, ...seen.map((r) => `${exported.map((k) => cell(r, k)).join(",")}\r\n`)]);
  }

  table.addEventListener("scroll", () => { drawn ||= requestAnimationFrame(drawRows); }, { passive: true });
  table.addEventListener("keydown", (e) => {
    const page = Math.max(1, Math.floor(table.clientHeight / rowHeight) - 2);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -seen.length, End: seen.length }[e.key];
    if (e.target === table && step !== undefined && seen.length) {
      e.preventDefault();
      active = Math.max(0, Math.min(seen.length - 1, active + step));
      const top = active * rowHeight;
      if (top < table.scrollTop) table.scrollTop = top;
      if (top + rowHeight * 2 > table.scrollTop + table.clientHeight) table.scrollTop = top + rowHeight * 2 - table.clientHeight;
      drawRows();
    } else if (e.target === table && e.key === "Enter" && seen[active]?.key) {
      go(d.open(seen[active]));
    }
  });
  const resized = new ResizeObserver(() => d && drawRows());
  resized.observe(table);

  return {
    update(next) {
      const old = d;
      d = next;
      if (!old || old.asked !== d.asked) read(d.first);
      else if (old.first === d.first) arrange(false);
      else if (rows.length <= follows && !more) read(d.first);
      else { stale = d.first; arrange(false); }
    },
    destroy() {
      reading++;
      resized.disconnect();
      clearTimeout(waiting);
    },
  };
}
