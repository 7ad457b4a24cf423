// Who is signed in, and the one way to the REST API. The access token lives in localStorage, so that tabs share it; the
// refresh token is the server's HttpOnly cookie and never seen here.

const KEY = "justchat.session";
const DEADLINE_MS = 12_000;
const EARLY_MS = 30_000;

/** An expected "no" of the server (or of the network: code `unreachable`). */
export class Refusal extends Error {
  constructor(problem, status = 0) {
    super(problem.detail ?? problem.title ?? problem.code);
    this.status = status;
    this.code = problem.code ?? "internal";
    this.detail = problem.detail ?? problem.title ?? "";
    this.errors = problem.errors ?? [];
    this.retryAfterSeconds = problem.retry_after ?? null;
  }
}

export const unreachable = () => new Refusal({ code: "unreachable" });

export class Session {
  #state = null; // {user, token, expiresAt}
  #renewing = null;

  /** `onEnd(reason)` is called once when the sign-in is over. */
  constructor(onEnd) {
    this.onEnd = onEnd;
    this.#state = this.#stored();
    addEventListener("storage", (event) => {
      if (event.key === KEY && event.newValue === null && this.#state) this.end("elsewhere");
    });
  }

  get user() {
    return this.#state?.user ?? null;
  }

  async register(fields) {
    this.#begin(await this.#fetch("POST", "/auth/register", { body: fields }));
  }

  async login(fields) {
    this.#begin(await this.#fetch("POST", "/auth/login", { body: fields }));
  }

  async logout() {
    const token = this.#state?.token;
    this.end("asked");
    await this.#fetch("POST", "/auth/logout", { token, body: {} }).catch(() => {});
  }

  end(reason) {
    if (!this.#state) return;
    this.#state = null;
    if (reason !== "elsewhere") localStorage.removeItem(KEY);
    this.onEnd(reason);
  }

  /** A token that is still good for a while. */
  async token() {
    if (!this.#state) throw new Refusal({ code: "unauthenticated" });
    if (Date.now() > this.#state.expiresAt - EARLY_MS) await this.renew();
    return this.#state.token;
  }

  /** Get a new access token, once for all who ask at the same time. */
  renew() {
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  /** Call the API as the user; a token that ran out is renewed once. */
  async call(method, path, { query, body } = {}) {
    const token = await this.token();
    try {
      return await this.#fetch(method, path, { query, body, token });
    } catch (refusal) {
      if (refusal.status !== 401) throw refusal;
      await this.renew();
      return this.#fetch(method, path, { query, body, token: await this.token() });
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
    this.#state = { user: answer.user ?? this.user, token: answer.access_token, expiresAt: Date.now() + lasts };
    localStorage.setItem(KEY, JSON.stringify(this.#state));
  }

  async #renew() {
    const other = this.#stored();
    if (other && other.user.id === this.user?.id && other.token !== this.#state.token && other.expiresAt > Date.now()) {
      this.#state = other; // another tab was quicker
      return;
    }
    try {
      const answer = await this.#fetch("POST", "/auth/refresh", { body: {} });
      if (!this.#state || (answer.user && answer.user.id !== this.user.id)) throw new Refusal({ code: "unauthenticated" }, 401);
      this.#begin(answer);
    } catch (refusal) {
      if (refusal.code === "unreachable" || refusal.status >= 429) throw refusal;
      this.end("expired");
      throw new Refusal({ code: "unauthenticated" }, 401);
    }
  }

  #stored() {
    try {
      const state = JSON.parse(localStorage.getItem(KEY));
      return state?.token && state.user?.id ? state : null;
    } catch {
      return null;
    }
  }

  async #fetch(method, path, { query = {}, body, token } = {}) {
    const headers = { Accept: "application/json" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (token) headers.Authorization = `Bearer ${token}`;
    const search = new URLSearchParams(query).toString();
    let response, content;
    try {
      response = await fetch(`/api/v1${path}${search ? `?${search}` : ""}`, {
        method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(DEADLINE_MS), cache: "no-store",
      });
      content = await response.text();
    } catch {
      throw unreachable();
    }
    const answer = parsed(content);
    if (response.ok) return answer ?? {};
    throw new Refusal(answer ?? { code: response.status >= 500 ? "internal" : "not_found" }, response.status);
  }
}

function parsed(content) {
  try {
    return JSON.parse(content);
  } catch {
    return null;
  }
}
