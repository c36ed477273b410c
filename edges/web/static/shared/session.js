/**
 * Who is signed in, in this tab: a token that came with the address or was pasted.
 *
 * It is kept in sessionStorage, so it ends with the tab, and is taken out of the address at once, so it is in no
 * history, bookmark or copied link. What it claims is read for what to show; what may be seen, the server decides.
 */

const KEY = "referrals.token";

/**
 * @typedef {object} Session
 * @property {string} token
 * @property {string} orgId
 * @property {string} subject
 * @property {"mentor" | "coordinator" | "org_admin"} role
 * @property {Date} expiresAt
 */

/** Move a token from the address (`#token=...`) to where it is kept; what else the fragment says stays. */
export function takeTokenFromAddress() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get("token");
  if (token === null) return;
  fragment.delete("token");
  const rest = fragment.size > 0 ? `#${fragment}` : "";
  history.replaceState(null, "", location.pathname + location.search + rest);
  sessionStorage.setItem(KEY, token.trim());
}

/**
 * Return who is signed in; null where nobody is, or the token is none.
 *
 * @returns {Session | null}
 */
export function currentSession() {
  const token = sessionStorage.getItem(KEY);
  return token === null ? null : readSession(token);
}

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

/** Forget the token. */
export function signOut() {
  sessionStorage.removeItem(KEY);
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
