// The address is the state: which view, campaign, model, measure, window and
// filters. What is not there is the default, so links stay short.

export const filters = ["partner", "channel", "asset", "region", "segment", "source", "touch_campaign", "escrow"];
const common = ["campaign", "model", "measure", "window", "from", "to", "days", ...filters];

// read is the state of the page.
export function read() {
  const p = new URLSearchParams(location.search);
  return {
    view: p.get("view") ?? "overview",
    get: (name) => p.get(name),
    all: (name) => p.getAll(name),
    filters: filters.flatMap((name) => p.getAll(name).map((value) => ({ name, value }))),
  };
}

// same is the address of the same view with some parameters set, or, where the
// value is null, taken away. A list sets a parameter several times.
export function same(changes) {
  const p = new URLSearchParams(location.search);
  return write(p, changes);
}

// to is the address of another view, which keeps what is common to all.
export function to(view, changes = {}) {
  const p = new URLSearchParams();
  const now = new URLSearchParams(location.search);
  if (view !== "overview") p.set("view", view);
  for (const name of common) for (const value of now.getAll(name)) p.append(name, value);
  return write(p, changes);
}

function write(p, changes) {
  for (const [name, value] of Object.entries(changes)) {
    p.delete(name);
    for (const v of [value].flat()) if (v !== null && v !== undefined && v !== "") p.append(name, v);
  }
  const text = p.toString();
  return text ? `?${text}` : "?";
}

// go shows an address; the listener of "route" draws it.
export function go(href, replace = false) {
  history[replace ? "replaceState" : "pushState"](null, "", href);
  dispatchEvent(new Event("route"));
}

// asked are the parameters of the address among names, for a question.
export function asked(names) {
  const now = new URLSearchParams(location.search);
  const p = new URLSearchParams();
  for (const name of names) for (const value of now.getAll(name)) p.append(name, value);
  return p;
}

// days is by which days rows are told, empty for those that they are of.
export const days = () => new URLSearchParams(location.search).get("days") ?? "";

export const span = ["window", "from", "to"];
