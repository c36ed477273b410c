/**
 * Who is signed in: a token that came with the address (opening.js took it from there at once, so it is in no history,
 * bookmark or copied link) or was pasted.
 *
 * It is kept in sessionStorage, so it ends with the tab. A new tab, of a link that was opened beside, asks the others of
 * this browser for theirs; so it ends with the last of them. What a token claims is read for what to show; what may be
 * seen, the server decides.
 */

const KEY = "referrals.token"; // as in opening.js
const ANSWER_MS = 400;

/**
 * @typedef {object} Session
 * @property {string} token
 * @property {string} orgId
 * @property {string} subject
 * @property {"mentor" | "coordinator" | "org_admin"} role
 * @property {Date} expiresAt
 */

/**
 * Among the tabs of this browser: who asks for a session, what one answers, and that one has ended.
 *
 * @typedef {{kind: "asked"} | {kind: "answered", token: string, usedAt: number} | {kind: "ended", token: string}} Message
 */
const tabs = new BroadcastChannel("referrals.session");

/** When this tab last had the focus: of several the one counts that somebody opened the new tab from. */
let usedAt = 0;

addEventListener("blur", () => (usedAt = Date.now()));

/**
 * Return who is signed in, in this tab or else in the one that was used last; null where nobody is, or the token is none.
 *
 * @returns {Promise<Session | null>}
 */
export async function currentSession() {
  if (sessionStorage.getItem(KEY) === null) await askOtherTabs();
  const token = sessionStorage.getItem(KEY);
  return token === null ? null : readSession(token);
}

/**
 * Give new tabs the session of this one, and hear when it has ended in another.
 *
 * @param {() => void} onEnd
 */
export function shareSession(onEnd) {
  tabs.addEventListener("message", (/** @type {MessageEvent<Message>} */ { data }) => {
    const token = sessionStorage.getItem(KEY);
    if (token === null) return;
    if (data.kind === "asked") tell({ kind: "answered", token, usedAt: document.hasFocus() ? Date.now() : usedAt });
    else if (data.kind === "ended" && data.token === token) onEnd();
  });
}

/** Take the session of the tab that was used last, if there is one. */
async function askOtherTabs() {
  let latest = -1;
  const hear = (/** @type {MessageEvent<Message>} */ { data }) => {
    if (data.kind !== "answered" || data.usedAt <= latest) return;
    latest = data.usedAt;
    sessionStorage.setItem(KEY, data.token);
  };
  tabs.addEventListener("message", hear);
  tell({ kind: "asked" });
  await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
  tabs.removeEventListener("message", hear);
}

/** @param {Message} message */
const tell = (message) => tabs.postMessage(message);

/**
 * Sign in; null where the text is not a token of ours.
 *
 * @param {string} token
 * @returns {Session | null}
 */
export function signIn(token) {
  const session = readSession(token.trim());
  if (session !== null) sessionStorage.setItem(KEY, session.token);
  return session;
}

/** Forget the token, in every tab. */
export function signOut() {
  const token = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  if (token !== null) tell({ kind: "ended", token });
}

/** @param {Session} session */
export const isExpired = (session) => session.expiresAt.getTime() <= Date.now();

/**
 * @param {string} token
 * @returns {Session | null}
 */
function readSession(token) {
  try {
    const base64 = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const { org, sub, role, exp } = JSON.parse(new TextDecoder().decode(bytes));
    if (![org, sub, role].every((claim) => typeof claim === "string") || typeof exp !== "number") return null;
    return { token, orgId: org, subject: sub, role, expiresAt: new Date(exp * 1_000) };
  } catch {
    return null; // not a JWT
  }
}
