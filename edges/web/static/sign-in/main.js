/**
 * `/sign-in`: where a link signs somebody in, once he presses the button; what the provider sends back that is no sign-in;
 * and, for who is signed in, as whom, until when, and the way out. Opening the page does nothing.
 */

import { ApiError } from "../shared/api.js";
import { element, fill, find } from "../shared/dom.js";
import { dateAndTime } from "../shared/format.js";
import { keepAddress } from "../shared/languages.js";
import { dropProof, proofAtHand, signIn, signedInNow, signOut } from "../shared/session.js";
import { waysIn } from "../shared/signing-in.js";
import { text } from "../shared/text.js";

/**
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/session.js").Proof} Proof
 */

/** What the server says in the address (`edges/web/routes/sign_in.py`). @type {Record<string, string>} */
const PROBLEMS = {
  away: text("sign-in.away"),
  browser: text("sign-in.browser"),
  declined: text("sign-in.declined"),
  none: text("sign-in.none"),
  refused: text("sign-in.not-vouched"),
  unknown: text("sign-in.unknown"),
};

const ROLES = {
  mentor: text("role.mentor"),
  coordinator: text("role.coordinator"),
  org_admin: text("role.admin"),
};

const NO_PAGES = /^\/(?:r|v1|sign-in|static)(?:\/|$)/i;

const address = new URLSearchParams(location.search);

/** Where to go on to: a page of this server, whatever the address says. */
function destination() {
  try {
    const asked = new URL(address.get("return_to") ?? "/dashboard", location.origin);
    if (asked.origin === location.origin && !NO_PAGES.test(asked.pathname)) return asked.href;
  } catch {
    // no address at all
  }
  return `${location.origin}/dashboard`;
}

/** @param {...(Node | string | false)} children */
function show(...children) {
  fill(find("main"), element("div", { class: "panel sign-in" }, ...children));
  find(".sign-in input, .sign-in .primary, .sign-in textarea").focus();
}

/**
 * A button that does something once, and says what went wrong.
 *
 * @param {string} words
 * @param {() => Promise<void>} act
 * @param {string} [kind]
 */
function action(words, act, kind = "") {
  const button = element("button", { type: "button", class: `button ${kind}`, onclick: () => void press() }, words);
  async function press() {
    button.disabled = true;
    try {
      await act();
    } catch (error) {
      button.disabled = false;
      if (!(error instanceof ApiError)) throw error;
      find("#fault").textContent = error.message;
    }
  }
  return button;
}

const fault = () => element("p", { id: "fault", class: "fault", role: "alert" });

/**
 * Somebody came with a link or a token: it is his to press.
 *
 * @param {Proof} proof
 * @param {Session | null} session
 */
function askToPress(proof, session) {
  show(
    element("h1", {}, text("sign-in.title")),
    element("p", {}, session === null ? text("sign-in.press") : text("sign-in.instead", { who: whoIs(session) })),
    action(text("sign-in.go"), () => useProof(proof), "primary"),
    session !== null &&
      action(text("sign-in.stay"), async () => {
        dropProof();
        location.replace(destination());
      }),
    fault(),
  );
}

/** @param {Proof} proof */
async function useProof(proof) {
  try {
    await signIn(proof);
  } catch (error) {
    if (!(error instanceof ApiError) || ![401, 403].includes(error.status)) throw error;
    await askFor("link" in proof ? text("sign-in.used") : text("sign-in.refused-text"));
    return;
  }
  location.replace(destination());
}

/** @param {string} problem */
async function askFor(problem) {
  const problems = problem === "" ? text("sign-in.text") : problem;
  show(
    element("h1", {}, text("sign-in.title")),
    element("p", { role: problem === "" ? null : "alert" }, problems),
    ...(await waysIn(destination())),
  );
}

/** @param {Session} session */
function showAccount(session) {
  show(
    element("h1", {}, text("account.title")),
    element("p", {}, text("account.text", { who: whoIs(session), until: dateAndTime(session.expiresAt) })),
    element("a", { class: "button primary", href: destination() }, text("account.open")),
    action(text("bar.sign-out"), () => leave({})),
    action(text("account.everywhere"), () => leave({ everywhere: true })),
    element("p", { class: "quiet" }, text("account.everywhere-text")),
    fault(),
  );
}

/** @param {{everywhere?: boolean}} how */
async function leave(how) {
  await signOut(how);
  await askFor("");
}

/** @param {Session} session */
const whoIs = ({ role, subject }) => text("account.who", { role: ROLES[role], subject });

keepAddress();
const session = await signedInNow();
const proof = proofAtHand();
const problem = PROBLEMS[address.get("problem") ?? ""];
if (proof !== null) askToPress(proof, session);
else if (problem !== undefined || session === null) await askFor(problem ?? "");
else showAccount(session);
dispatchEvent(new Event("opened"));
