/** What stands in place of a page for whom it cannot be shown: nobody signed in, a session that has ended, a refusal. */

import { ApiError, ask } from "./api.js";
import { element, fill, find } from "./dom.js";
import { here, isExpired, readToken, signIn, signOut, whoIsSignedIn, whyNot } from "./session.js";
import { text } from "./text.js";

/** @typedef {"signed-out" | "expired" | "refused"} Cause */

/** @type {Record<Cause, [string, string]>} */
const WORDS = {
  "signed-out": [text("sign-in.title"), text("sign-in.text")],
  expired: [text("sign-in.expired-title"), text("sign-in.expired-text")],
  refused: [text("sign-in.refused-title"), text("sign-in.refused-text")],
};

let isAsked = false;

/**
 * Show why the server refused somebody who was signed in, and ask again. Where somebody else has signed in beside, the
 * page becomes his.
 *
 * @param {import("./session.js").Session} session
 * @param {number} [status] what was answered
 */
export async function askAgain(session, status = 401) {
  const now = status === 401 ? null : await whoIsSignedIn().catch(() => null);
  if (now !== null && (now.subject !== session.subject || now.orgId !== session.orgId)) location.reload();
  else await askForToken(status === 401 || isExpired(session) ? "expired" : "refused");
}

/**
 * Ask again where an error says that somebody may not be here; tell whether it did.
 *
 * @param {import("./session.js").Session} session
 * @param {import("./api.js").ApiError} error
 */
export function refused(session, error) {
  if (error.status !== 401 && error.status !== 403) return false;
  void askAgain(session, error.status);
  return true;
}

/**
 * Sign out, and go on with what is shown then; where the server does not answer, say that he is signed in still.
 *
 * @param {() => void} left
 */
export async function leaveSession(left) {
  try {
    await signOut();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    fill(find("#banner"), text("sign-in.still-in", { problem: error.message }));
    find("#banner").hidden = false;
    return;
  }
  left();
}

/**
 * Show how to sign in, in place of the page, and come back to it.
 *
 * @param {Cause} cause
 */
export async function askForToken(cause) {
  if (isAsked) return; // several requests were refused, and somebody may be typing
  isAsked = true;
  const why = cause === "signed-out" ? (whyNot() ?? cause) : cause;
  const [title, explanation] = WORDS[why];
  document.body.dataset.state = why;
  fill(
    find("main"),
    element(
      "div",
      { class: "panel sign-in", "data-cause": why },
      element("h1", { tabindex: -1 }, title),
      element("p", {}, explanation),
      ...(await waysIn(here())),
    ),
  );
  find(".sign-in a.primary, .sign-in input, .sign-in textarea").focus();
}

/**
 * How people sign in here: with the provider, if there is one, a link, or a token.
 *
 * @param {string} returnTo
 * @returns {Promise<HTMLElement[]>}
 */
export async function waysIn(returnTo) {
  const { provider, byMail } = await ways();
  const links = element("p", { class: "quiet" }, text("sign-in.by-link"));
  const token = () =>
    element("details", {}, element("summary", {}, text("sign-in.by-token")), tokenForm(returnTo));
  if (byMail) return [mailForm(), links, token()];
  if (provider === null) return [tokenForm(returnTo), links];
  const href = `/sign-in/provider?return_to=${encodeURIComponent(returnTo)}`;
  return [
    element("a", { class: "button primary", href }, text("sign-in.with", { provider })),
    links,
    token(),
  ];
}

/** @returns {Promise<{provider: string | null, byMail: boolean}>} */
async function ways() {
  try {
    return await (await ask("/v1/sign-in", {})).json();
  } catch (error) {
    if (error instanceof ApiError) return { provider: null, byMail: false }; // a token can be pasted all the same
    throw error;
  }
}

/** Where a link is sent to whoever has confirmed the address; the page learns no more than that it was asked for. */
function mailForm() {
  const field = element("input", {
    id: "mail-sign-in",
    type: "email",
    name: "email",
    autocomplete: "email",
    maxlength: 254,
    required: true,
    "aria-describedby": "mail-said",
  });
  const said = element("p", { id: "mail-said", role: "status" }, text("sign-in.mail-text"));

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    const headers = { "Content-Type": "application/json" };
    try {
      const body = JSON.stringify({ address: field.value });
      const answer = await ask("/v1/sign-in/mail", { method: "POST", headers, body });
      fill(said, text("sign-in.mail-sent", { address: (await answer.json()).address }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fill(said, error.status === 422 ? text("mail-panel.bad") : error.message);
    }
  }

  return element(
    "form",
    { class: "mail-form", onsubmit: (/** @type {Event} */ event) => void submit(event) },
    element("label", { for: "mail-sign-in" }, text("mail-panel.address")),
    element("div", { class: "mail-field" }, field, element("button", { class: "button primary" }, text("sign-in.mail"))),
    said,
  );
}

/** @param {string} returnTo */
function tokenForm(returnTo) {
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

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    const token = field.value.trim();
    try {
      if (readToken(token) === null) fault.textContent = text("sign-in.no-token");
      else {
        await signIn({ token });
        if (returnTo === here()) location.reload();
        else location.assign(returnTo);
        return;
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fault.textContent = [401, 403].includes(error.status) ? text("sign-in.refused-text") : error.message;
    }
    field.focus();
  }

  return element(
    "form",
    { onsubmit: (/** @type {Event} */ event) => void submit(event) },
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
}
