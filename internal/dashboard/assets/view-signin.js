// Who asks?
import { h } from "./dom.js";
import { forget, Problem, send } from "./api.js";

let note = "";

export function signIn(again, done) {
  const enter = async (e) => {
    e.preventDefault();
    const token = new FormData(e.target).get("token").trim();
    if (!token) return;
    try {
      await send("POST", "/api/v1/session", "application/json", JSON.stringify({ token }));
      note = "";
      forget();
      done();
    } catch (err) {
      note = err instanceof Problem && err.status === 401 ? "This token is not known here." : err instanceof Problem ? err.message : "The server could not be reached.";
      again();
    }
  };
  return h("div", { key: "sign-in", class: "sign-in" }, h("section", { class: "card", "aria-labelledby": "sign-in-title" },
    h("img", { src: "/assets/icon.svg", alt: "", width: 32, height: 32 }),
    h("h2", { id: "sign-in-title" }, "Sign in to Track Source"),
    h("p", { class: "muted" }, "Enter the access token that the operator of this reporter gave you."),
    h("form", { class: "form column", onsubmit: enter },
      h("label", { class: "field" }, h("span", { class: "field-name" }, "Access token"), h("input", { type: "password", name: "token", autocomplete: "current-password", required: true, "aria-describedby": "sign-in-note" })),
      h("p", { class: "form-note bad", id: "sign-in-note", role: "alert" }, note || "\u00a0"),
      h("button", { type: "submit", class: "button accent" }, "Sign in"))));
}

export async function signOut() {
  await send("DELETE", "/api/v1/session");
  forget();
  location.assign("?");
}
