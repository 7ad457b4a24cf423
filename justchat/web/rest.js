// One request to the REST API: JSON there and back, with a deadline, and every "no" as a Refusal.

const DEADLINE_MS = 12_000;
const AGAIN_MS = 1_500;
const PASSING = new Set([
  "room_overloaded", "room_unavailable", "storage_unavailable", "draining", "rate_limited", "slow_mode", "internal", "unreachable",
]);

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

  /** True if the same may be answered with "yes" later: after `againMs`. */
  get passes() {
    return PASSING.has(this.code);
  }

  get againMs() {
    return (this.retryAfterSeconds ?? 0) * 1000 || AGAIN_MS;
  }
}

export const unreachable = () => new Refusal({ code: "unreachable" });

/** Ask, and decode the answer; {} where there is none. `file` is a body that is no JSON. Rejects with a Refusal. */
export async function request(method, path, { query = {}, body, file, token, headers: more = {} } = {}) {
  const headers = { Accept: "application/json", ...more };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  const search = new URLSearchParams(query).toString();
  let response, content;
  try {
    response = await fetch(`/api/v1${path}${search ? `?${search}` : ""}`, {
      method, headers, body: file ?? (body === undefined ? undefined : JSON.stringify(body)), signal: AbortSignal.timeout(DEADLINE_MS), cache: "no-store",
    });
    content = await response.text();
  } catch {
    throw unreachable();
  }
  const answer = parsed(content);
  if (response.ok) return answer ?? {};
  throw new Refusal(answer ?? { code: response.status >= 500 ? "internal" : "not_found" }, response.status);
}

/** What a text means as JSON; null where it is none. */
export function parsed(content) {
  try {
    return JSON.parse(content);
  } catch {
    return null;
  }
}
