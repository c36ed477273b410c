/** What stands in place of a page for whom it cannot be shown: nobody signed in, a token that has ended, a refusal. */

import { element, fill, find } from "./dom.js";
import { isExpired, signIn, signOut } from "./session.js";

/** @typedef {"signed-out" | "expired" | "refused"} Cause */

/** @type {Record<Cause, [string, string]>} */
const WORDS = {
  "signed-out": [
    "Sign in",
    "This page is for coordinators and mentors of an organisation. Paste the token that you were given.",
  ],
  expired: [
    "Your session has ended",
    "Tokens hold for a limited time, and yours has run out. Paste a new one to go on.",
  ],
  refused: [
    "This token does not open this page",
    "The server did not accept it. It may be another installation's. Paste the one you were given for this address.",
  ],
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
  const [title, text] = WORDS[cause];
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
    element("p", {}, text),
    element("label", { for: "token" }, "Token"),
    field,
    fault,
    element("button", { class: "button primary" }, "Open"),
    element(
      "details",
      {},
      element("summary", {}, "Where do I get one?"),
      element("p", {}, "Whoever runs this installation makes one with"),
      element(
        "pre",
        { tabindex: 0 },
        element("code", {}, "referrals token --org ORG --role coordinator --subject UUID"),
      ),
      element("p", {}, "It stays in the tabs of this browser and is forgotten when you close the last of them."),
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
    fault.textContent = "This is not a token. It has three parts with dots between them; copy all of it.";
    field.focus();
  }

  document.body.dataset.state = cause;
  fill(find("main"), form);
  find("h1", form).tabIndex = -1;
  field.focus();
}
