/** What stands in place of a page for whom it cannot be shown: nobody signed in, a token that has ended, a refusal. */

import { element, fill, find } from "./dom.js";
import { isExpired, signIn, signOut } from "./session.js";
import { text } from "./text.js";

/** @typedef {"signed-out" | "expired" | "refused"} Cause */

/** @type {Record<Cause, [string, string]>} */
const WORDS = {
  "signed-out": [text("sign-in.title"), text("sign-in.text")],
  expired: [text("sign-in.expired-title"), text("sign-in.expired-text")],
  refused: [text("sign-in.refused-title"), text("sign-in.refused-text")],
};

/** Show why the server refused a token, and ask for another. @param {import("./session.js").Session} session */
export function askAgain(session) {
  askForToken(isExpired(session) ? "expired" : "refused");
}

/**
 * Show the form in place of the page.
 *
 * @param {Cause} cause
 */
export function askForToken(cause) {
  if (document.querySelector(".sign-in") !== null) return; // several requests were refused, and somebody may be typing
  signOut();
  const [title, explanation] = WORDS[cause];
  const field = element("textarea", {
    id: "token",
    name: "token",
    rows: 4,
    required: true,
    autocomplete: "off",
    spellcheck: "false",
    autocapitalize: "off",
    "aria-describedby": "token-fault",
    placeholder: "eyJhbGciOi…",
  });
  const fault = element("p", { id: "token-fault", class: "fault", role: "alert" });
  const form = element(
    "form",
    { class: "panel sign-in", "data-cause": cause, onsubmit: submit },
    element("h1", {}, title),
    element("p", {}, explanation),
    element("label", { for: "token" }, text("sign-in.token")),
    field,
    fault,
    element("button", { class: "button primary" }, text("sign-in.open")),
    element(
      "details",
      {},
      element("summary", {}, text("sign-in.where")),
      element("p", {}, text("sign-in.made-by")),
      element(
        "pre",
        { tabindex: 0 },
        element("code", {}, "referrals token --org ORG --role coordinator --subject UUID"),
      ),
      element("p", {}, text("sign-in.kept")),
    ),
  );

  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    const session = signIn(field.value);
    if (session !== null) {
      location.reload();
      return;
    }
    fault.textContent = text("sign-in.no-token");
    field.focus();
  }

  document.body.dataset.state = cause;
  fill(find("main"), form);
  find("h1", form).tabIndex = -1;
  field.focus();
}
