/**
 * Who is signed in, which the server knows by a cookie that no script can read; so every tab of this browser is signed in
 * as the same person, and a page holds nothing that could be taken from it.
 *
 * A token that came with the address (opening.js took it from there at once, so it is in no history, bookmark or copied
 * link) is changed for a session and forgotten. Where somebody else is signed in he is asked before: a link must not sign
 * anybody in as another without a word.
 */

import { ApiError, ask } from "./api.js";
import { showFailure } from "./panel.js";

const TOKEN = "referrals.token"; // as in opening.js
const LINK = "referrals.link"; // the same
const SESSION = "/v1/session";

/**
 * @typedef {object} Session
 * @property {string} orgId
 * @property {string} subject
 * @property {"mentor" | "coordinator" | "org_admin"} role
 * @property {Date} expiresAt
 */

/** What somebody signs in with. @typedef {{token: string} | {link: string}} Proof */

/** Among the tabs of this browser: that a session has begun, or ended. @type {BroadcastChannel} */
const tabs = new BroadcastChannel("referrals.session");

/** @type {"expired" | "refused" | null} */
let refusal = null;

/** Why the token that came with the address did not open the page; null where none came. */
export const whyNot = () => refusal;

/**
 * Return who is signed in; null where nobody is. Where the server is away that is said, and asked again when somebody
 * wants to.
 *
 * @returns {Promise<Session | null>}
 */
export const currentSession = () => insist(findSession);

/** The same, whatever came with the address. */
export const signedInNow = () => insist(whoIsSignedIn);

/**
 * @param {() => Promise<Session | null>} find
 * @returns {Promise<Session | null>}
 */
async function insist(find) {
  for (;;) {
    try {
      return await find();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      dispatchEvent(new Event("opened")); // the page knows what to say
      await new Promise((again) => showFailure(error.message, () => again(null)));
    }
  }
}

/** @returns {Promise<Session | null>} */
async function findSession() {
  const session = await whoIsSignedIn();
  const token = sessionStorage.getItem(TOKEN);
  if (token === null) return session;
  const claims = readToken(token);
  if (session !== null && claims !== null && session.subject !== claims.sub) {
    location.replace(`/sign-in?return_to=${encodeURIComponent(here())}`);
    return new Promise(() => {});
  }
  try {
    return await signIn({ token });
  } catch (error) {
    if (!(error instanceof ApiError) || ![401, 403].includes(error.status)) throw error;
    refusal = claims !== null && claims.exp * 1_000 <= Date.now() ? "expired" : "refused";
    return null;
  }
}

/**
 * Return who is signed in; null where nobody is.
 *
 * @returns {Promise<Session | null>}
 */
export async function whoIsSignedIn() {
  const answer = await ask(SESSION, { cache: "no-store" });
  return answer.status === 204 ? null : toSession(await answer.json());
}

/** What came with the address, and was not used yet. @returns {Proof | null} */
export function proofAtHand() {
  const link = sessionStorage.getItem(LINK);
  const token = sessionStorage.getItem(TOKEN);
  return link !== null ? { link } : token !== null ? { token } : null;
}

/** Forget what came with the address. */
export function dropProof() {
  sessionStorage.removeItem(TOKEN);
  sessionStorage.removeItem(LINK);
}

/**
 * Sign in, in every tab. Throws ApiError, 401 where the proof is not good.
 *
 * @param {Proof} proof
 * @returns {Promise<Session>}
 */
export async function signIn(proof) {
  dropProof();
  const headers = { "content-type": "application/json" };
  const answer = await ask(SESSION, { method: "POST", headers, body: JSON.stringify(proof) });
  const session = toSession(await answer.json());
  tabs.postMessage({ kind: "began", subject: session.subject, orgId: session.orgId });
  return session;
}

/**
 * Sign out, in every tab; or in every browser. Throws ApiError where that did not happen.
 *
 * @param {{everywhere?: boolean}} [how]
 */
export async function signOut({ everywhere = false } = {}) {
  await ask(everywhere ? "/v1/sessions" : SESSION, { method: "DELETE" });
  tabs.postMessage({ kind: "ended" });
}

/**
 * Hear when the session has ended in another tab; where somebody else has signed in there, this page becomes his.
 *
 * @param {Session} session
 * @param {() => void} onEnd
 */
export function shareSession(session, onEnd) {
  tabs.addEventListener("message", ({ data }) => {
    if (data.kind === "ended") onEnd();
    else if (data.subject !== session.subject || data.orgId !== session.orgId) location.reload();
  });
}

/** @param {Session} session */
export const isExpired = (session) => session.expiresAt.getTime() <= Date.now();

/** Where this page is, to come back to. */
export const here = () => location.pathname + location.search + location.hash;

/**
 * What a token says of itself; null where the text is none. The server decides what it is worth.
 *
 * @param {string} token
 * @returns {{sub: string, exp: number} | null}
 */
export function readToken(token) {
  try {
    const base64 = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const { sub, exp } = JSON.parse(new TextDecoder().decode(bytes));
    return typeof sub === "string" && typeof exp === "number" ? { sub, exp } : null;
  } catch {
    return null; // not a JWT
  }
}

/**
 * @param {any} answer
 * @returns {Session}
 */
const toSession = ({ orgId, subject, role, expiresAt }) => ({ orgId, subject, role, expiresAt: new Date(expiresAt) });
