// What signatories decide on the page of a running reporter, as the operator and as a
// partner, and what the page says to what is refused. Environment: see browser.mjs.
//
// DASHBOARD_CONTRACTS are commands, as a JSON list of lists, that propose a revision of
// the contract which needs the approval of globex, propose another in its place, and put
// that in force. Later tests go on from what earlier ones decided.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { atRest, base, close, done, drawn, launch, open, signIn, tokens } from "./browser.mjs";

const contracts = process.env.DASHBOARD_CONTRACTS ? JSON.parse(process.env.DASHBOARD_CONTRACTS) : null;
const signedIn = { skip: tokens ? false : "no tokens" };
const refusal = /status of 4\d\d|ERR_INTERNET_DISCONNECTED/; // the browser notes each in its console
const governance = "?view=governance&window=all";

let sample;
before(async () => {
  await launch();
  sample = await atRest();
});
after(close);

const run = (command) => execFileSync(command[0], command.slice(1), { stdio: "pipe" }).toString();

// form opens a form by the text of its button.
async function form(page, button) {
  await page.click(`#main button:text-is("${button}")`);
  await page.waitForSelector("#decide[open]");
}

// fill puts values into the fields of the open form.
async function fill(page, fields) {
  for (const [name, value] of Object.entries(fields)) {
    const field = page.locator(`#decide [name="${name}"]`);
    if (await field.evaluate((n) => n.tagName) === "SELECT") await field.selectOption(value);
    else await field.fill(value);
  }
}

// sends fills the open form and presses its button.
async function sends(page, fields = {}) {
  await fill(page, fields);
  await page.click("#decide button[type=submit]");
}

const taken = (page) => page.waitForSelector("#decide:not([open])", { state: "attached" });

// refused sends the open form and wants to read why it is not taken. The form stays with
// what was said in it, to be sent again.
async function refused(page, fields, why) {
  await sends(page, fields);
  try {
    await page.waitForFunction((pattern) => new RegExp(pattern).test(document.querySelector("#decide [role=alert]").textContent), why.source);
  } catch {
    assert.fail(`${JSON.stringify(fields)}: the page says ${JSON.stringify(await page.textContent("#decide [role=alert]"))}, want ${why}`);
  }
  assert.ok(await page.isEnabled("#decide button[type=submit]"), "the form cannot be sent again");
}

// unsent wants the browser to keep the open form: a field has no value that it could have.
async function unsent(page, fields, field) {
  let posts = 0;
  const count = (r) => { if (r.method() === "POST") posts++; };
  page.on("request", count);
  await sends(page, fields);
  assert.equal(await page.$eval(`#decide [name="${field}"]`, (n) => n.matches(":invalid")), true, `${field} is taken for valid`);
  assert.ok(await page.isVisible("#decide"), "the form is closed");
  assert.equal(posts, 0, "the form was sent");
  page.off("request", count);
}

const card = (page, title) => page.locator("section.card", { has: page.locator(`h2:text-is("${title}")`) });
const inRow = (page, title, ...texts) => texts.reduce((row, text) => row.filter({ hasText: text }), card(page, title).locator("tbody tr")).first().waitFor();
const offered = (page) => page.$$eval("#main button", (l) => l.map((n) => n.textContent));
const today = Date.now(); // also where it is midnight meanwhile
const day = (back) => new Date(today - back * 86_400_000).toISOString().slice(0, 10);

test("a dispute is opened on the page, is in escrow, and is settled", async () => {
  const page = await open(`?view=journey&window=all&id=${encodeURIComponent(sample.deal)}`, { expects: refusal });
  await form(page, "Dispute");
  await refused(page, { $partner: "globex", about: "credit", against: "acme", by: "ann@globex.com", why: "It was ours." }, /office/);
  await sends(page, { by: "Partner Operations" });
  await taken(page);
  await page.goto(`${base}/?view=overview&window=all&measure=revenue`);
  await page.waitForSelector("[data-escrow]");
  const { escrow } = await page.api("report?window=all&measure=revenue");
  assert.equal(await page.getAttribute("[data-escrow] [data-exact]", "data-exact"), escrow.find((e) => e.measure === "revenue").total);
  await page.goto(`${base}/${governance}`);
  await drawn(page);
  const row = page.locator("tr", { has: page.getByText(sample.deal.split("/").pop(), { exact: true }) });
  await row.locator("[data-state=open]").waitFor();
  await row.locator("button").click();
  await sends(page, { outcome: "rejected", by: "Governance board", why: "The list shows both." });
  await row.locator("[data-state=rejected]").waitFor();
  await page.goto(`${base}/?view=overview&window=all&measure=revenue`);
  await drawn(page);
  await page.waitForSelector("[data-escrow]", { state: "detached" });
  await done(page);
});

test("an alert is acknowledged on the page", async () => {
  const page = await open("?view=actions&kind=dispute");
  await form(page, "Acknowledge");
  await sends(page, { by: "RevOps", why: "We look at it." });
  await taken(page);
  await page.waitForSelector("td:has-text('RevOps')");
  await done(page);
});

test("a partner is offered its own decisions alone, and withdraws a dispute", signedIn, async () => {
  const page = await open(governance, { as: "globex" });
  await page.waitForSelector("button:has-text('Withdraw')");
  for (const not of ["Resolve", "Close", "Reopen"]) assert.ok(!(await offered(page)).includes(not), `${not} is offered to a partner`);
  await form(page, "Open a dispute");
  assert.equal(await page.locator("#decide [name='$partner']").count(), 0, "a partner is asked for whom it speaks");
  assert.deepEqual(await page.$$eval("#decide [name=against] option", (l) => l.map((n) => n.value)), ["acme", "(none)", "(held)"]);
  await page.keyboard.press("Escape");
  await form(page, "Withdraw");
  await sends(page, { by: "Partner Operations", why: "We have seen the list." });
  await taken(page);
  await inRow(page, "Disputes", "Withdrawn", "We have seen the list.");
  await done(page);
});

test("a survey is recorded by a partner for itself and by the operator for another", signedIn, async () => {
  const page = await open(governance, { as: "globex", expects: refusal });
  await form(page, "Record a survey");
  await unsent(page, { score: "8.5", by: "Partner Marketing" }, "why");
  await unsent(page, { score: "11", why: "Quarterly survey." }, "score");
  await refused(page, { score: "8.5", why: " \n " }, /^A decision says by whom it is.* and why/);
  await page.context().setOffline(true);
  await refused(page, { why: "Quarterly survey." }, /could not be reached\. It may have been recorded: look before you send it again/);
  await page.context().setOffline(false);
  await sends(page);
  await taken(page);
  await inRow(page, "Partner satisfaction", "Globex", "8.5 of 10");
  const { satisfaction } = await page.api("governance");
  assert.equal(satisfaction.find((x) => x.partner === "globex").score, "8.5");
  // What was said in error is said again, and holds from then on.
  await form(page, "Record a survey");
  assert.equal(await page.inputValue("#decide [name=by]"), "Partner Marketing", "the office is asked for again");
  await sends(page, { score: "7", why: "A slip of the pen." });
  await taken(page);
  await inRow(page, "Partner satisfaction", "Globex", "7 of 10");
  await done(page);
  const other = await open(governance);
  await form(other, "Record a survey");
  await sends(other, { $partner: "acme", score: "6", by: "Analytics Lead", why: "Said on the phone." });
  await taken(other);
  await inRow(other, "Partner satisfaction", "Acme", "6 of 10");
  await done(other);
});

test("a package is approved by one partner and disputed by another", signedIn, async () => {
  const hash = "5e".repeat(32);
  const page = await open(governance, { as: "globex", expects: refusal });
  await form(page, "Sign a package");
  await unsent(page, { hash: hash.slice(1), title: "AI Launch Tour, March", by: "Partner Marketing", why: "It sums." }, "hash");
  await refused(page, { hash, by: "bob@globex.com" }, /^Name an office and not a person/);
  await sends(page, { by: "Partner Marketing" });
  await taken(page);
  await inRow(page, "Signatures", "AI Launch Tour, March", hash.slice(0, 12), "Globex", "Approved");
  await done(page);
  const other = await open(governance);
  await form(other, "Sign a package");
  await sends(other, { $partner: "acme", hash, title: "AI Launch Tour, March", decision: "disputed", by: "Controlling", why: "A deal is missing." });
  await taken(other);
  await inRow(other, "Signatures", "Acme", "Disputed", "A deal is missing.");
  await done(other);
});

test("a period is closed on the page, by who may and once", signedIn, async () => {
  const last = day(2);
  const page = await open(governance, { expects: refusal });
  const late = await open(governance, { expects: refusal }); // it has not seen what the first one does
  await form(late, "Close");
  await form(page, "Close");
  await unsent(page, { by: "Controlling", why: "The quarter is agreed." }, "day");
  await refused(page, { day: day(-2) }, /^Period: .* is not over; the last day that can be closed is /);
  // Somebody else has signed in meanwhile, or nobody is any more.
  await page.context().clearCookies(); // signing in over a session would end it for other pages too
  await signIn(page.context(), "globex");
  await refused(page, { day: last }, /^This is the operator's to decide\.$/);
  await page.context().clearCookies();
  await refused(page, {}, /sign in on the page/);
  await signIn(page.context(), "operator");
  await sends(page);
  await taken(page);
  await inRow(page, "Periods", "Closed until", "The quarter is agreed.");
  assert.equal((await page.api("governance")).periods.closed_until, last);
  await refused(late, { day: last, by: "Controlling", why: "So is ours." }, new RegExp(`^Period: all days until ${last} are closed already`));
  assert.equal((await late.api("governance")).periods.steps.filter((s) => s.day === last).length, 1);
  await done(late);
  await done(page);
});

test("a revision is approved as it is proposed, and what was replaced is stale", { skip: tokens && contracts ? false : "no tokens or no contracts" }, async () => {
  const [propose, replace, apply] = contracts;
  assert.throws(() => run(apply), /needs the approval of globex/);
  run(propose);
  const page = await open(governance, { as: "globex", expects: refusal });
  await card(page, "Approvals").getByText("waits for Globex").waitFor();
  await form(page, "Approve or refuse");
  run(replace);
  await refused(page, { decision: "approved", by: "Partner Marketing", why: "We have read it." }, /^Approval: revision \d+ .* is stale: what is proposed is revision/);
  await page.keyboard.press("Escape");
  const { hash } = (await page.api("governance")).proposal;
  await card(page, "Approvals").getByText(hash.slice(0, 12)).waitFor();
  await form(page, "Approve or refuse");
  await sends(page, { decision: "refused", why: "Not like this." });
  await taken(page);
  await card(page, "Approvals").getByText("Not like this.").waitFor();
  assert.throws(() => run(apply), /refused by globex/);
  // The operator notes what the partner says in the meeting.
  const other = await open(governance);
  await form(other, "Approve or refuse");
  await sends(other, { $partner: "globex", decision: "approved", by: "Governance board", why: "Agreed in the meeting." });
  await taken(other);
  await card(page, "Approvals").getByText("has every approval that it needs").waitFor();
  run(apply);
  await card(page, "Approvals").getByText("Nothing is proposed").waitFor();
  await done(other);
  await done(page);
});

test("a period is opened again once it is approved", { skip: tokens && contracts ? false : "no tokens or no contracts" }, async () => {
  const first = day(4);
  const page = await open(governance, { expects: refusal });
  await card(page, "Approvals").locator("tr", { hasText: "Opening a closed period again" }).filter({ hasText: "Globex" }).waitFor();
  await form(page, "Reopen");
  await refused(page, { day: day(0), by: "Controlling", why: "An invoice came late." }, /^Period: .* is open; all days until .* are closed/);
  await refused(page, { day: first }, /^Period: opening .* again needs the approval of globex/);
  await page.keyboard.press("Escape");
  const partner = await open(governance, { as: "globex", expects: refusal });
  await form(partner, "Approve reopening");
  await refused(partner, { day: day(0), by: "Partner Operations", why: "We have the invoice." }, /^Approval: .* is open; all days until/);
  await sends(partner, { day: first });
  await taken(partner);
  for (const each of [partner, page]) await card(each, "Periods").getByText("has every approval that it needs").waitFor();
  await form(page, "Reopen");
  assert.equal(await page.inputValue("#decide [name=day]"), first, "the day that was approved is not offered");
  await sends(page, { by: "Controlling", why: "An invoice came late." });
  await taken(page);
  await inRow(partner, "Periods", "Open again from", "An invoice came late.");
  assert.equal((await page.api("governance")).periods.closed_until, day(5));
  await done(partner);
  await done(page);
});
