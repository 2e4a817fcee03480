// Charts: stacked columns over time with a line for the target, and shares by age as
// lines. They draw floats; every number that is read, in the tip and in the table, is
// text.
import { patch, h } from "./dom.js";
import * as num from "./num.js";

/* global uPlot */

const height = 264;

// plotted is a widget of one plot with a tip. What draws it has shape(data), whose
// change asks for another plot, options(data, css, axis), rows(data) and tip(data, i).
function plotted(node, draws) {
  const plot = document.createElement("div");
  const tip = document.createElement("div");
  plot.className = "plot";
  tip.className = "tip";
  tip.hidden = true;
  node.append(plot, tip);
  let u = null;
  let data = null;
  let shape = "";

  const css = (name) => getComputedStyle(node).getPropertyValue(name).trim();

  function build() {
    u?.destroy();
    const axis = { stroke: css("--muted"), font: `11px ${getComputedStyle(node).fontFamily}`, ticks: { show: false } };
    const { axes: [x, y], ...options } = draws.options(() => data, css, plot);
    u = new uPlot({
      width: Math.max(200, plot.clientWidth), height, padding: [10, 18, 0, 0], legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      axes: [{ ...axis, grid: { show: false }, size: 26, ...x }, { ...axis, grid: { stroke: css("--line"), width: 1 }, size: 48, space: 44, ...y }],
      hooks: { setCursor: [hover] }, ...options,
    }, draws.rows(data), plot);
  }

  function hover(self) {
    const i = self.cursor.idx;
    if (i === null || i === undefined || self.cursor.left < 0) {
      tip.hidden = true;
      return;
    }
    patch(tip, ...draws.tip(data, i));
    tip.hidden = false;
    const x = self.valToPos(i, "x") + self.bbox.left / devicePixelRatio;
    const right = x > plot.clientWidth / 2;
    tip.style.transform = `translate(${right ? x - tip.offsetWidth - 14 : x + 14}px, 10px)`;
  }

  const resized = new ResizeObserver(() => {
    if (u && plot.clientWidth && plot.clientWidth !== u.width) u.setSize({ width: plot.clientWidth, height });
  });
  resized.observe(plot);
  const themed = () => data && build();
  addEventListener("theme", themed);

  return {
    update(next) {
      data = next;
      const now = JSON.stringify(draws.shape(data));
      if (now === shape && u) u.setData(draws.rows(data));
      else build();
      shape = now;
    },
    destroy() {
      resized.disconnect();
      removeEventListener("theme", themed);
      u?.destroy();
      u = null;
    },
  };
}

const named = (s, text) => h("tr", { key: s.name }, h("th", {}, h("span", { class: "swatch", style: { background: `var(${s.colour})` } }), s.name), h("td", { class: "num" }, text));

// columns is a widget for data {starts, series: [{name, colour, values}], total,
// target, money, unit, step}. Values are decimal text; colours are names of
// custom properties.
export const columns = (node) => plotted(node, {
  shape: (data) => [data.series.map((s) => [s.name, s.colour]), Boolean(data.target)],
  rows(data) {
    // What is taken away hangs below zero: with what was given it would hide in the sum.
    const up = data.starts.map(() => 0);
    const down = data.starts.map(() => 0);
    const layers = data.series.map((s) => s.values.map((v, i) => {
      const n = num.approx(v) ?? 0;
      return n > 0 ? (up[i] += n) : n < 0 ? (down[i] += n) : null;
    }));
    // The furthest sum is drawn first and the nearer ones over it.
    const out = [data.starts.map((_, i) => i), ...layers.reverse()];
    if (data.target) out.push(data.target.map(num.approx));
    return out;
  },
  options(now, css, plot) {
    const bars = uPlot.paths.bars({ size: [0.72, 36], radius: 0.12 });
    return {
      scales: { x: { time: false, range: (_, lo, hi) => [lo - 0.6, hi + 0.6] }, y: { range: (_, lo, hi) => [Math.min(0, lo * 1.06), hi > 0 ? hi * 1.06 : 1] } },
      axes: [
        { splits: () => labels(now().starts.length, plot.clientWidth), values: (_, at) => at.map((i) => num.day(now().starts[i])) },
        { values: (_, v) => v.map(num.tick) },
      ],
      series: [{},
        ...now().series.map((s) => ({ label: s.name, fill: css(s.colour), stroke: css(s.colour), width: 0, paths: bars, points: { show: false } })).reverse(),
        ...(now().target ? [{ label: "Target", stroke: css("--text-2"), width: 1.5, dash: [5, 4], points: { show: false } }] : []),
      ],
    };
  },
  tip(data, i) {
    const rows = data.series.map((s) => ({ ...s, v: s.values[i] })).filter((s) => num.units(s.v) !== 0n);
    return [h("strong", {}, tipTitle(data, i)),
      h("table", {}, h("tbody", {},
        rows.map((s) => named(s, num.show(s.v, data.money))),
        h("tr", { key: "(total)", class: "sum" }, h("th", {}, "Total"), h("td", { class: "num" }, num.show(data.total[i], data.money))),
        data.target ? h("tr", { key: "(target)" }, h("th", {}, "Target"), h("td", { class: "num" }, num.show(data.target[i], data.money))) : null))];
  },
});

// lines is a widget for shares that grow with age: data {ages, series: [{name, colour,
// values}]}, with as many names of ages as the longest series has values.
export const lines = (node) => plotted(node, {
  shape: (data) => [data.ages.length, data.series.map((s) => [s.name, s.colour])],
  rows: (data) => [data.ages.map((_, i) => i), ...data.series.map((s) => data.ages.map((_, i) => num.approx(s.values[i])))],
  options: (now, css, plot) => ({
    scales: { x: { time: false, range: (_, lo, hi) => [lo - 0.2, hi + 0.2] }, y: { range: (_, lo, hi) => [0, hi > 0 ? Math.min(1, hi * 1.1) : 1] } },
    axes: [
      { splits: () => labels(now().ages.length, plot.clientWidth), values: (_, at) => at.map((i) => now().ages[i]) },
      { values: (_, v) => v.map((x) => `${Math.round(x * 100)}%`) },
    ],
    // One month alone is no line.
    series: [{}, ...now().series.map((s) => ({ label: s.name, stroke: css(s.colour), width: 2, points: { show: now().ages.length === 1 || s.values.length === 1, size: 7, fill: css(s.colour) } }))],
  }),
  tip: (data, i) => [h("strong", {}, data.ages[i]),
    h("table", {}, h("tbody", {}, data.series.filter((s) => s.values[i] !== undefined).map((s) => named(s, num.share(s.values[i])))))],
});

function tipTitle(data, i) {
  const from = num.day(data.starts[i], true);
  if (data.upTo) return `Up to ${from}`;
  return { week: `Week from ${from}`, month: num.day(data.starts[i].slice(0, 7)) }[data.step] ?? from;
}

// labels are the places of an axis that have room for a date.
function labels(n, width) {
  const every = Math.max(1, Math.ceil(n / Math.max(2, Math.floor(width / 84))));
  const out = [];
  for (let i = Math.floor((every - 1) / 2); i < n; i += every) out.push(i);
  return out;
}

// legend names the series of a chart.
export function legend(series, target, extra) {
  return h("ul", { class: "legend" }, series.map((s) => h("li", { key: s.name }, h("span", { class: "swatch", style: { background: `var(${s.colour})` } }), s.href ? h("a", { href: s.href }, s.name) : s.name)),
    target ? h("li", { key: "(target)" }, h("span", { class: "dash", "aria-hidden": "true" }), "Target") : null, extra);
}
