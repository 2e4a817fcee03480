// Views are functions from data to a description of elements; patch makes the
// document that description, keeping the elements that are there. So a live
// change touches only what changed: focus, scroll and selection stay. All text
// is set as text, styles are set through the CSSOM, which the policy allows.

const svgTags = new Set(["svg", "path", "rect", "circle", "line", "g"]);
const properties = new Set(["value", "checked", "disabled", "selected", "hidden", "files"]);

// h describes an element. Of the props, key tells children apart, style is a map
// of CSS properties, onX is a handler, flash is a value whose change is shown by
// a short glow, and widget {make, data} hands the element to code of its own.
export function h(tag, props, ...children) {
  return { tag, props: props ?? {}, children: flat(children, []) };
}

function flat(list, into) {
  for (const c of list) {
    if (Array.isArray(c)) flat(c, into);
    else if (c !== null && c !== undefined && c !== false && c !== true && c !== "") into.push(typeof c === "object" ? c : String(c));
  }
  return into;
}

// patch makes the children of parent those of wanted.
export function patch(parent, ...wanted) {
  const list = flat(wanted, []);
  const keys = new Set(list.map((v) => v.props?.key).filter((k) => k !== undefined));
  const keyed = new Map();
  for (const n of [...parent.childNodes]) {
    if (n.$key === undefined) continue;
    if (keys.has(n.$key)) keyed.set(n.$key, n);
    else remove(n);
  }
  let at = parent.firstChild;
  for (const v of list) {
    const node = typeof v === "string" ? textNode(at, v) : elementFor(at, v, keyed);
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
    if (typeof v !== "string") update(node, v);
  }
  while (at) {
    const next = at.nextSibling;
    remove(at);
    at = next;
  }
}

function textNode(at, text) {
  if (at?.nodeType !== Node.TEXT_NODE) return document.createTextNode(text);
  if (at.data !== text) at.data = text;
  return at;
}

function elementFor(at, v, keyed) {
  const { key } = v.props;
  const old = key === undefined ? (at?.$key === undefined ? at : null) : keyed.get(key);
  if (old?.$tag === v.tag) return old;
  const node = svgTags.has(v.tag) ? document.createElementNS("http://www.w3.org/2000/svg", v.tag) : document.createElement(v.tag);
  node.$tag = v.tag;
  node.$key = key;
  node.$props = {};
  return node;
}

function remove(node) {
  if (node.nodeType === Node.ELEMENT_NODE) for (const n of [node, ...node.querySelectorAll("[data-widget]")]) n.$widget?.destroy();
  node.remove();
}

function update(node, v) {
  const old = node.$props;
  for (const name of Object.keys(old)) if (!(name in v.props)) set(node, name, undefined, old[name]);
  // The children come first: a select takes its value only once it has the option.
  patchChildren(node, v);
  for (const [name, value] of Object.entries(v.props)) if (old[name] !== value) set(node, name, value, old[name]);
  node.$props = v.props;
}

function patchChildren(node, v) {
  if (v.props.widget) {
    node.dataset.widget = "";
    node.$widget ??= v.props.widget.make(node);
    node.$widget.update(v.props.widget.data);
  } else {
    patch(node, v.children);
  }
}

function set(node, name, value, old) {
  if (name === "key" || name === "widget") return;
  if (name === "flash") {
    if (old !== undefined && value !== undefined) glow(node);
  } else if (name === "style") {
    for (const p of Object.keys(old ?? {})) if (!(p in (value ?? {}))) node.style.removeProperty(p);
    for (const [p, x] of Object.entries(value ?? {})) if (node.style.getPropertyValue(p) !== x) node.style.setProperty(p, x);
  } else if (name.startsWith("on")) {
    listen(node, name.slice(2).toLowerCase(), value);
  } else if (properties.has(name)) {
    if (node[name] !== value) node[name] = value ?? "";
  } else if (value === undefined || value === null || value === false) {
    node.removeAttribute(name);
  } else {
    node.setAttribute(name, value === true ? "" : value);
  }
}

function listen(node, type, handler) {
  node.$on ??= {};
  if (!(type in node.$on)) node.addEventListener(type, (e) => node.$on[type]?.(e));
  node.$on[type] = handler;
}

const still = matchMedia("(prefers-reduced-motion: reduce)");

function glow(node) {
  node.dataset.changed = String(Number(node.dataset.changed ?? 0) + 1);
  if (still.matches || document.hidden) return;
  const colour = getComputedStyle(document.documentElement).getPropertyValue("--flash");
  node.animate([{ backgroundColor: colour }, { backgroundColor: "transparent" }], { duration: 1600, easing: "ease-out" });
}
