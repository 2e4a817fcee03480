// Values come as exact decimal text and stay exact: text is grouped, rounded,
// compared and added up with BigInt. Floats are for widths, heights and colours
// alone, which nobody reads as numbers.

const scale = 9;
const one = 10n ** BigInt(scale);

// units turns decimal text into a BigInt of 10^-9; further places are cut off.
export function units(text) {
  if (text === null || text === undefined || text === "") return 0n;
  const t = String(text);
  const minus = t.startsWith("-");
  const [whole, places = ""] = t.replace("-", "").split(".");
  const n = BigInt(whole + places.slice(0, scale).padEnd(scale, "0"));
  return minus ? -n : n;
}

// fixed writes units with so many places, rounded half away from zero.
export function fixed(n, places) {
  const cut = 10n ** BigInt(scale - places);
  const minus = n < 0n;
  const rounded = ((minus ? -n : n) + cut / 2n) / cut;
  const digits = rounded.toString().padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places).replace(/\B(?=(\d{3})+$)/g, ",");
  const text = places ? `${whole}.${digits.slice(-places)}` : whole;
  return minus && rounded !== 0n ? `\u2212${text}` : text;
}

// places is how many decimals a text is to be shown with: its own without
// trailing zeros, but two for money that has any.
function places(text, money) {
  const own = (String(text).split(".")[1] ?? "").length;
  if (!money) return own > 0 && units(text) % one !== 0n ? 2 : 0;
  const trimmed = (String(text).split(".")[1] ?? "").replace(/0+$/, "").length;
  return Math.min(scale, Math.max(trimmed, Math.min(own, 2)));
}

// show writes a value for people; a missing one is a dash. Money keeps all its
// places, counts, which are shared out in millionths, two at most.
export function show(text, money) {
  if (text === null || text === undefined) return "\u2013";
  return fixed(units(text), places(text, money));
}

// parts splits what show gives into whole and decimals, to be set apart.
export function parts(text, money) {
  const [whole, decimals] = show(text, money).split(".");
  return { whole, decimals: decimals ? `.${decimals}` : "" };
}

// text writes units as the API does, without groups.
export function text(n) {
  const minus = n < 0n;
  const digits = (minus ? -n : n).toString().padStart(scale + 1, "0");
  const decimals = digits.slice(-scale).replace(/0+$/, "");
  return `${minus ? "-" : ""}${digits.slice(0, -scale)}${decimals ? `.${decimals}` : ""}`;
}

// sum adds texts up, as units.
export const sum = (texts) => texts.reduce((a, t) => a + units(t), 0n);

// percent writes part of whole with one place; empty where it says nothing.
export function percent(part, whole, digits = 1) {
  if (whole === 0n) return "";
  const f = 10n ** BigInt(digits);
  const times = (part * 1000n * f) / whole;
  const rounded = (times + (times < 0n ? -5n : 5n)) / 10n;
  if (rounded === 0n && part !== 0n) return `<${digits ? "0.1" : "1"}%`;
  const abs = rounded < 0n ? -rounded : rounded;
  const minus = rounded < 0n ? "\u2212" : "";
  return digits ? `${minus}${abs / f}.${abs % f}%` : `${minus}${abs}%`;
}

// share writes a fraction such as "0.4213" as a percentage.
export const share = (t, digits = 1) => (t === null || t === undefined ? "\u2013" : percent(units(t), one, digits));

// change is how much now is above before, with its sign, or null.
export function change(now, before) {
  if (before === null || before === undefined) return null;
  const b = units(before);
  const d = units(now) - b;
  if (b === 0n) return d === 0n ? { sign: 0, text: "no change" } : { sign: d > 0n ? 1 : -1, text: "from none" };
  const t = percent(d < 0n ? -d : d, b < 0n ? -b : b);
  return { sign: d > 0n ? 1 : d < 0n ? -1 : 0, text: d === 0n ? "no change" : t };
}

// like writes units with at least the places of a text, for sums of such texts.
export function like(n, money, t) {
  const exact = text(n);
  const [whole, decimals = ""] = exact.split(".");
  const own = (String(t ?? "").split(".")[1] ?? "").length;
  return show(money && decimals.length < own ? `${whole}.${decimals.padEnd(own, "0")}` : exact, money);
}

// ratio is part of whole for drawing, between 0 and 1.
export const ratio = (part, whole) => (whole > 0n && part > 0n ? Math.min(1, Number((part * 100000n) / whole) / 100000) : 0);

// approx is a number for drawing and for ordering only.
export const approx = (t) => (t === null || t === undefined ? null : Number(t));

export const largest = (texts) => texts.reduce((a, t) => { const n = abs(units(t)); return n > a ? n : a; }, 0n);
export const abs = (n) => (n < 0n ? -n : n);
export const compare = (a, b) => { const x = units(a), y = units(b); return x < y ? -1 : x > y ? 1 : 0; };

// tick writes the number of an axis in a few letters.
export function tick(n) {
  const a = Math.abs(n);
  const cut = (v, unit) => `${n < 0 ? "\u2212" : ""}${String(Math.round(v * 10) / 10)}${unit}`;
  if (a >= 1e9) return cut(a / 1e9, "B");
  if (a >= 1e6) return cut(a / 1e6, "M");
  if (a >= 1e3) return cut(a / 1e3, "k");
  return cut(a, "");
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// day writes 2026-03-09 as 9 Mar, with the year where asked.
export function day(iso, year = false) {
  const m = /^(\d{4})-(\d\d)(?:-(\d\d))?/.exec(iso ?? "");
  if (!m) return iso ?? "";
  const short = m[3] ? `${Number(m[3])} ${months[m[2] - 1]}` : `${months[m[2] - 1]} ${m[1]}`;
  return year && m[3] ? `${short} ${m[1]}` : short;
}

// instant writes a time of the API in the contract's own offset, to the minute.
export function instant(iso) {
  const m = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)/.exec(iso ?? "");
  return m ? `${day(m[1], true)}, ${m[2]}${iso.endsWith("Z") ? " UTC" : ""}` : day(iso, true);
}

// span writes seconds as people say them.
export function span(seconds) {
  const s = Number(seconds);
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} days`;
}
