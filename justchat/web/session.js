// Who is signed in, and the one way to the REST API.
//
// The refresh token is the server's HttpOnly cookie and never seen here. The access token lives in memory and in this
// tab's sessionStorage, so that a reload needs no renewal, which a bad line could lose; it is not written where it would
// outlive the tab. localStorage says who is signed in, and nothing that opens anything. Tabs tell each other of new
// tokens and of the end, and take turns in renewing.

import { Refusal, parsed, request, unreachable } from "./rest.js";

export { Refusal, unreachable };

const KEY = "justchat.session";
const CSRF_COOKIE = "justchat_csrf";
const EARLY_MS = 30_000;
const TURN_MS = 15_000;

const signedOut = () => new Refusal({ code: "unauthenticated" }, 401);

export class Session {
  #state = null; // {user, token, expiresAt}
  #renewing = null;
  #farewell = null; // why the sign-in is about to end
  #tabs = new BroadcastChannel(KEY);

  /** `onEnd(reason)` is called once when the sign-in is over. */
  constructor(onEnd) {
    this.onEnd = onEnd;
    this.#state = stored();
    this.#tabs.onmessage = ({ data }) => this.#hear(data);
  }

  get user() {
    return this.#state?.user ?? null;
  }

  async register(fields) {
    this.#begin(await request("POST", "/auth/register", { body: fields }));
  }

  async login(fields) {
    this.#begin(await request("POST", "/auth/login", { body: fields }));
  }

  /** Go on with the session that the cookie stands for, if there is one; says whether there is. */
  async resume() {
    if (!this.#state && csrf()) await this.renew().catch(() => {});
    return this.#state !== null;
  }

  async logout() {
    const { token, expiresAt } = this.#state;
    const proof = csrf();
    this.#over("asked");
    // Without a token that is still good, the cookie says which session it is.
    const how = Date.now() < expiresAt ? { token } : { headers: proofOfPage() };
    await request("POST", "/auth/logout", { ...how, body: {} }).catch(() => {});
    if (csrf() === proof) dropProof();
  }

  /** Delete the account. Whatever ends the sign-in meanwhile, that is the reason. */
  async leave(fields) {
    this.#farewell = "left";
    try {
      await this.call("DELETE", "/users/me", { body: fields });
      this.end("left");
    } finally {
      this.#farewell = null;
    }
  }

  /** The sign-in is over, here and in the other tabs. */
  end(reason) {
    dropProof();
    this.#over(this.#farewell ?? reason);
  }

  /** Take over what is new about the person who is signed in. */
  learn(user) {
    this.#keep({ ...this.#state, user });
    this.#tabs.postMessage({ state: this.#state });
  }

  /** A token that is still good for a while, and is not the `old` one. */
  async token(old = null) {
    if (this.#state && (Date.now() > this.#state.expiresAt - EARLY_MS || this.#state.token === old)) await this.renew();
    if (!this.#state) throw signedOut();
    return this.#state.token;
  }

  /** Get a new access token, once for all who ask at the same time. */
  renew() {
    this.#renewing ??= this.#renew(this.#state?.token).finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  /** Call the API as the user; a token that ran out is renewed once. `file` is a body that is no JSON. */
  async call(method, path, { query, body, file } = {}) {
    const token = await this.token();
    try {
      return await request(method, path, { query, body, file, token });
    } catch (refusal) {
      if (refusal.status !== 401) throw refusal;
      return request(method, path, { query, body, file, token: await this.token(token) });
    }
  }

  /** All items of a listing, up to `most`. */
  async all(path, query = {}, most = 500) {
    const items = [];
    let cursor = null;
    do {
      const page = await this.call("GET", path, { query: cursor ? { ...query, cursor } : query });
      items.push(...page.items);
      cursor = page.next_cursor ?? null;
    } while (cursor && items.length < most);
    return items;
  }

  #begin(answer) {
    const lasts = Number.isFinite(answer.expires_in) ? answer.expires_in * 1000 : Number.MAX_SAFE_INTEGER / 2;
    this.#keep({ user: answer.user ?? this.user, token: answer.access_token, expiresAt: Date.now() + lasts });
    this.#tabs.postMessage({ state: this.#state });
  }

  #keep(state) {
    this.#state = state;
    sessionStorage.setItem(KEY, JSON.stringify(state));
    const { id, username, display_name, avatar_url } = state.user;
    localStorage.setItem(KEY, JSON.stringify({ user: { id, username, display_name, avatar_url } }));
  }

  #over(reason) {
    if (!this.#state) return;
    localStorage.removeItem(KEY);
    this.#tabs.postMessage({ ended: reason === "asked" ? "elsewhere" : reason });
    this.#forget(reason);
  }

  #forget(reason) {
    if (!this.#state) return;
    this.#state = null;
    sessionStorage.removeItem(KEY);
    this.onEnd(reason);
  }

  /** Another tab has a new token, or none any more. */
  #hear({ state, ended }) {
    if (!this.#state) return;
    if (ended) this.#forget(ended);
    else if (state.user.id !== this.user.id) this.#forget("replaced");
    else this.#keep(state);
  }

  /** One tab at a time renews: each refresh token is good once. */
  async #renew(old) {
    const work = () => (this.#state && this.#state.token !== old ? null : this.#refresh());
    // Without locks, on a page over plain HTTP, the server's patience with a token just used has to do.
    if (!navigator.locks) return work();
    try {
      return await navigator.locks.request(KEY, { signal: AbortSignal.timeout(TURN_MS) }, work);
    } catch (error) {
      throw error instanceof DOMException ? unreachable() : error;
    }
  }

  async #refresh() {
    const before = this.user;
    const answer = await refreshed().catch((refusal) => {
      if (refusal.code === "unreachable" || refusal.status >= 429) throw refusal;
      this.end("expired");
      throw signedOut();
    });
    if (before && answer.user.id !== before.id) this.#forget("replaced"); // the cookie is somebody else's by now
    if (before && !this.#state) throw signedOut();
    this.#begin(answer);
  }
}

/** Have the cookie renewed; once more, if another tab changed it while the question was on its way. */
async function refreshed() {
  const proof = csrf();
  try {
    return await request("POST", "/auth/refresh", { headers: proofOfPage(), body: {} });
  } catch (refusal) {
    if (refusal.status !== 403 || csrf() === proof) throw refusal;
    return request("POST", "/auth/refresh", { headers: proofOfPage(), body: {} });
  }
}

/** Who is signed in, with this tab's token if it has one. */
function stored() {
  const here = parsed(sessionStorage.getItem(KEY));
  const user = parsed(localStorage.getItem(KEY))?.user;
  if (!user?.id) return null;
  return here?.token && here.user?.id === user.id ? here : { user, token: null, expiresAt: 0 };
}

/** The value that only pages of this site can read; what the cookie authenticates has to repeat it. */
function csrf() {
  const pair = document.cookie.split("; ").find((candidate) => candidate.startsWith(`${CSRF_COOKIE}=`));
  return pair?.slice(CSRF_COOKIE.length + 1) ?? "";
}

const proofOfPage = () => ({ "X-CSRF-Token": csrf() });

/** Make what may be left of the cookie useless, so that a reload does not sign in again. */
function dropProof() {
  document.cookie = `${CSRF_COOKIE}=; Max-Age=0; Path=/; SameSite=Strict`;
}
