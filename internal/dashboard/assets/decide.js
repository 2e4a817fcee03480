// What signatories decide: a form in a dialog, and what became of it.
import { Problem, send } from "./api.js";
import { h, patch } from "./dom.js";
import { icon } from "./icons.js";
import { asked } from "./route.js";

const officeKey = "office"; // who says it, for the next form
const dialog = () => document.getElementById("decide");

// who is the field by which the operator says for whom it is; a partner speaks for
// itself.
export const who = (ctx, text = "For") => (ctx.viewer.role === "operator" ? [{ name: "$partner", text, options: (ctx.contract.partners ?? []).map((x) => [x.id, x.name || x.id]) }] : []);

// decide opens the form of a decision: its fields and, of every one, by whom it is and
// why. What they say goes to path, with the constants of body.
export function decide({ title, hint, path, body = {}, fields = [], verb = "Record" }) {
  const values = { by: office() };
  for (const f of fields) values[f.name] = f.value ?? (f.options ? offered(f, values)[0]?.[0] : "");
  let note = "";
  let busy = false;
  const all = [...fields, { name: "by", text: "By (an office, not a person)", max: 200, must: true }, { name: "why", text: "Why", long: true, max: 1000, must: true }];
  const submit = async (e) => {
    e.preventDefault();
    if (busy) return;
    busy = true;
    note = "";
    draw();
    const said = { ...body };
    const q = asked(["campaign"]);
    for (const f of all) {
      if (f.when && !f.when(values)) continue;
      const v = typeof values[f.name] === "string" ? values[f.name].trim() : values[f.name];
      if (f.name === "$partner") q.set("partner", v);
      else said[f.name] = v;
    }
    try {
      keep(said.by);
      const answer = await send("POST", `/api/v1/${path}${q.size ? `?${q}` : ""}`, "application/json", JSON.stringify(said));
      if (answer.state === "pending") note = "It is written. What became of it is not known yet: look again in a moment.";
      else dialog().close();
      dispatchEvent(new Event("decided"));
    } catch (err) {
      note = err instanceof Problem ? `${err.message.charAt(0).toUpperCase()}${err.message.slice(1)}${err.allowed?.length ? `: ${err.allowed.slice(0, 3).map((x) => x.split("/").pop()).join(", ")}` : ""}.` : "The server could not be reached. It may have been recorded: look before you send it again.";
    }
    busy = false;
    draw();
  };
  const draw = () => patch(dialog(), h("header", {}, h("h2", { id: "decide-title" }, title), h("button", { type: "button", class: "ghost", "aria-label": "Close", onclick: () => dialog().close() }, icon("close"))),
    hint ? h("p", { class: "hint" }, hint) : null,
    h("form", { class: "form column", onsubmit: submit },
      all.filter((f) => !f.when || f.when(values)).map((f) => h("label", { key: f.name, class: "field" }, h("span", { class: "field-name" }, f.text), control(f, values, draw))),
      h("p", { class: "form-note bad", role: "alert" }, note || "\u00a0"),
      h("div", { class: "form-buttons" }, h("button", { type: "button", class: "button", onclick: () => dialog().close() }, "Cancel"), h("button", { type: "submit", class: "button accent", disabled: busy }, busy ? "Recording" : verb))));
  draw();
  dialog().showModal();
  dialog().querySelector("select, input, textarea")?.focus();
}

// offered is what a field offers, which may hang on what others say.
const offered = (f, values) => (typeof f.options === "function" ? f.options(values) : f.options);

function control(f, values, draw) {
  const set = (e) => { values[f.name] = e.target.value; if (f.options) draw(); };
  if (f.options) {
    const list = offered(f, values);
    if (!list.some(([id]) => id === values[f.name])) values[f.name] = list[0]?.[0];
    return h("select", { name: f.name, value: values[f.name], onchange: set }, list.map(([id, text]) => h("option", { key: id, value: id }, text)));
  }
  if (f.long) return h("textarea", { name: f.name, rows: 3, maxlength: f.max, required: f.must, value: values[f.name] ?? "", oninput: set });
  return h("input", { name: f.name, type: f.type ?? "text", maxlength: f.max, pattern: f.pattern, required: f.must, placeholder: f.placeholder, autocomplete: "off", value: values[f.name] ?? "", oninput: set });
}

function office() {
  try { return localStorage.getItem(officeKey) ?? ""; } catch { return ""; }
}

function keep(by) {
  try { localStorage.setItem(officeKey, by); } catch { /* without storage it is asked for again */ }
}
