import { asked, days, filters, span } from "./route.js";

// Problem is an answer of RFC 9457.
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? body.title ?? `the server answered ${status}`);
    this.status = status;
    this.title = body.title;
    this.parameter = body.parameter;
    this.allowed = body.allowed;
  }
}

// What each question takes of the address; the API refuses what it does not know.
const takes = {
  report: ["campaign", "model", "measure", ...span, ...filters],
  breakdown: ["campaign", "model", "measure", ...span, ...filters],
  contributions: ["campaign", "model", "measure", ...span, ...filters],
  timeseries: ["campaign", "model", "measure", ...span, ...filters],
  funnel: ["campaign", "model", ...span, ...filters],
  cohorts: ["campaign"],
  models: ["campaign", "measure", ...span, ...filters],
  deals: ["campaign"],
  explain: ["campaign", "model"],
  alerts: ["campaign"],
  freshness: [],
  governance: ["campaign"],
  kpis: ["campaign", ...span],
  disputes: ["campaign"],
  confidence: ["campaign", "model", "measure", ...span, ...filters],
};

// Answers about rows tell them by the days that the address names.
const byDays = ["report", "breakdown", "contributions", "timeseries"];

const kept = new Map(); // address -> {etag, body}; what was answered last
const keptMax = 64;

// ask gives the answer to a question about what the address says, with further
// parameters. An answer that has not changed is the same object as before.
export async function ask(name, more = {}, signal) {
  const p = asked(takes[name] ?? []);
  if (byDays.includes(name) && days()) p.set("view", days());
  for (const [k, v] of Object.entries(more)) {
    p.delete(k);
    for (const x of [v].flat()) if (x !== null && x !== undefined && x !== "") p.append(k, x);
  }
  return get(`/api/v1/${name}${p.size ? `?${p}` : ""}`, signal);
}

export async function get(url, signal) {
  const old = kept.get(url);
  const response = await fetch(url, { headers: old ? { "If-None-Match": old.etag } : {}, signal });
  if (response.status === 304) return old.body;
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, body);
  kept.delete(url);
  const etag = response.headers.get("ETag");
  if (etag) {
    kept.set(url, { etag, body });
    if (kept.size > keptMax) kept.delete(kept.keys().next().value);
  }
  return body;
}

// refusable gives the answer or, where the API refuses the question as such, the
// problem as {refused}: one card then says why, and the others are shown.
export const refusable = (answer) => answer.catch((err) => {
  if (err instanceof Problem && err.status === 400) return { refused: err };
  throw err;
});

// send changes something at the server, or has it read a body.
export async function send(method, url, type, body) {
  const response = await fetch(url, { method, headers: type ? { "Content-Type": type } : {}, body });
  const answer = response.status === 204 ? {} : await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, answer);
  return answer;
}

// forget drops what was answered: somebody else asks now.
export const forget = () => kept.clear();
