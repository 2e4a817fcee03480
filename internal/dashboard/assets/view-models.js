// How much does the answer depend on the model?
import { h } from "./dom.js";
import * as num from "./num.js";
import * as p from "./parts.js";
import { same, to } from "./route.js";

export const title = "Models";
export const bones = () => p.bones("line", "block", "chart");
const dimensions = ["partner", "channel", "asset", "region", "segment"];
const columnsMax = 8;

export async function load(ask, state, ctx, signal) {
  const measure = state.get("measure") ?? ctx.measure;
  const by = state.get("by") ?? "partner";
  return { models: await ask("models", { measure, by }, signal), measure, by };
}

export function render({ models: m, measure, by }, state, ctx) {
  const money = p.isMoney(ctx, measure);
  const agreed = m.models.find((x) => x.agreed) ?? m.models.find((x) => x.id === ctx.model) ?? m.models[0];
  const side = p.segmented("By", dimensions.map((d) => ({ id: d, name: p.label(d), href: same({ by: d }) })), by);
  if (!agreed || !agreed.groups.length) return h("div", { key: "models", class: "stack" }, p.card("All models", { side }, p.empty("Nothing to compare", "No deal of this window has touches to share it among. ", h("a", { href: same({ window: "all", from: null, to: null }) }, "Look at all days"))));
  const keys = agreed.groups.map((g) => g.key);
  for (const x of m.models) for (const g of x.groups) if (!keys.includes(g.key)) keys.push(g.key);
  const shown = keys.slice(0, columnsMax);
  const of = (x, key) => x.groups.find((g) => g.key === key)?.value ?? "0";
  const whole = agreed.total !== null; // one's own part alone has no shares
  const order = [agreed, ...m.models.filter((x) => x !== agreed)];
  const widest = m.models.flatMap((x) => shown.map((k) => num.abs(num.units(of(x, k)) - num.units(of(agreed, k))))).reduce((a, b) => (b > a ? b : a), 0n);
  return h("div", { key: "models", class: "stack" },
    summary(m, agreed, shown, of, ctx, by),
    p.card("All models", { hint: `${p.label(measure)}${m.currency ?? ctx.contract.currency ? `, ${m.currency ?? ctx.contract.currency}` : ""}; below each value its difference from the agreed model`, side },
      h("ul", { class: "legend" }, shown.map((k, i) => h("li", { key: k }, p.swatch(p.colour(ctx, by, k, i)), p.named(ctx, by, k)))),
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "All models" }, h("table", { class: "models" },
        h("caption", { class: "sr" }, `${p.label(measure)} by ${p.label(by)} under each model`),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Model"), whole ? h("th", { scope: "col", class: "split-col" }, "Shares") : null, shown.map((k) => h("th", { scope: "col", class: "num", key: k }, p.named(ctx, by, k))), h("th", { scope: "col", class: "num" }, "Unattributed"))),
        h("tbody", {}, order.map((x) => h("tr", { key: x.id, class: x === agreed ? "agreed" : "", "data-model": x.id },
          h("th", { scope: "row" }, h("span", { class: "model-name" }, h("a", { href: x.in_ledger ? to("overview", { model: x.id }) : null, title: x.note || null }, x.name || p.label(x.id)), x === agreed ? h("span", { class: "tag accent" }, "agreed") : x.in_ledger ? h("span", { class: "tag" }, "in the ledger") : null), x.note && !x.groups.length ? h("span", { class: "muted small" }, x.note) : null),
          whole ? h("td", { class: "split-col" }, splitBar(x, shown, of, by, ctx)) : null,
          shown.map((k) => cell(x, k, agreed, of, widest, money)),
          h("td", { class: "num quiet" }, p.value(x.unattributed, money)))))))));
}

function splitBar(x, shown, of, by, ctx) {
  const total = shown.reduce((a, k) => a + num.units(of(x, k)), 0n);
  return h("span", { class: "split", role: "img", "aria-label": shown.map((k) => `${p.named(ctx, by, k)} ${num.percent(num.units(of(x, k)), total, 0)}`).join(", ") },
    shown.map((k, i) => h("span", { key: k, style: { "--w": String(num.ratio(num.units(of(x, k)), total)), background: `var(${p.colour(ctx, by, k, i)})` } })));
}

function cell(x, key, agreed, of, widest, money) {
  const v = of(x, key);
  const d = num.units(v) - num.units(of(agreed, key));
  const share = num.ratio(num.abs(d), widest);
  const decimals = money ? 2 : num.abs(d) % 1000000000n ? 2 : 0;
  return h("td", { key, class: "num heat two", style: { "--heat": `${Math.round(share * 16)}%`, "--ground": d < 0n ? "var(--bad)" : "var(--good)" } },
    p.value(v, money, { flash: v }),
    h("span", { class: `diff ${d > 0n ? "good" : d < 0n ? "bad" : "muted"}` }, x === agreed ? "\u00a0" : d === 0n ? "same" : `${d > 0n ? "+" : ""}${num.fixed(d, decimals)}`));
}

// summary says whom the choice of the model moves most.
function summary(m, agreed, shown, of, ctx, by) {
  const spread = shown.filter((k) => !p.isSpecial(k)).map((k) => {
    const vs = m.models.filter((x) => x.additive !== false && x.groups.length).map((x) => ({ x, n: num.units(of(x, k)) })).sort((a, b) => (a.n < b.n ? -1 : 1));
    return { k, low: vs[0], high: vs[vs.length - 1] };
  }).filter((s) => s.low).sort((a, b) => (b.high.n - b.low.n > a.high.n - a.low.n ? 1 : -1))[0];
  const total = num.units(m.models[0]?.total ?? agreed.total);
  if (total === 0n) return null;
  if (!spread || spread.high.n === spread.low.n) return h("p", { class: "headline" }, "All models agree here.");
  const name = (x) => (x.name || p.label(x.id));
  return h("p", { class: "headline" }, "The model matters most for ", h("strong", {}, p.named(ctx, by, spread.k)), ": from ",
    h("strong", {}, num.percent(spread.low.n, total)), ` under ${name(spread.low.x)} to `, h("strong", {}, num.percent(spread.high.n, total)), ` under ${name(spread.high.x)}. Agreed is ${name(agreed)}, `,
    h("strong", {}, num.percent(num.units(of(agreed, spread.k)), total)), ".");
}
