// The one WebSocket: hello, asks with deadlines, pings, and coming back after every loss with full-jitter back-off.

import { Refusal, unreachable } from "./session.js";

const BASE_MS = 500;
const CAP_MS = 30_000;
const STEADY_MS = 30_000; // a connection that held this long resets the back-off
const WELCOME_MS = 10_000;
const PONG_MS = 10_000;
const TICK_MS = 2_000;
const TOKEN_EXPIRED = 4005;
const UNAUTHENTICATED = 4501;

export class Connection {
  #socket = null;
  #asks = new Map(); // frame id -> {resolve, reject, timer}
  #nextId = 0;
  #attempt = 0; // tells a superseded attempt to give up
  #losses = 0; // in a row, for the back-off
  #pause = null; // the server's own reconnect hint, in milliseconds
  #timer = null;
  #heardAt = 0;
  #pinged = false;
  #heartbeatMs = 25_000;
  #liveSince = 0;
  #renewed = false; // the token is a fresh one, and nobody has taken it yet

  /**
   * `hello()` gives the first frame's data (may reject), `onFrame(frame)` gets what nobody asked for, `onState(state)`
   * gets {name: connecting|live|waiting|stopped, retryAt?, code?}, `onExpired()` must renew the sign-in or reject.
   */
  constructor({ hello, onFrame, onState, onExpired }) {
    Object.assign(this, { hello, onFrame, onState, onExpired });
    this.state = { name: "stopped" };
    this.onOnline = () => this.nudge();
    this.ticker = null;
  }

  get live() {
    return this.state.name === "live";
  }

  start() {
    addEventListener("online", this.onOnline);
    document.addEventListener("visibilitychange", this.onOnline);
    this.ticker = setInterval(() => this.#watch(), TICK_MS);
    this.#connect();
  }

  stop(code = 1000) {
    removeEventListener("online", this.onOnline);
    document.removeEventListener("visibilitychange", this.onOnline);
    clearInterval(this.ticker);
    clearTimeout(this.#timer);
    this.#drop();
    this.#enter({ name: "stopped", code });
  }

  /** Do not wait any longer; on a live connection, see whether it really is. */
  nudge() {
    if (document.hidden) return;
    if (this.state.name === "waiting") this.#connect();
    else if (this.live) this.#ping();
  }

  tell(frame) {
    if (!this.live) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** Send and wait for the frame that carries the same id. Rejects with a Refusal. */
  ask(frame, deadlineMs = 10_000) {
    const id = `q${++this.#nextId}`;
    return new Promise((resolve, reject) => {
      if (!this.tell({ ...frame, id })) return reject(unreachable());
      const timer = setTimeout(() => this.#asks.delete(id) && reject(unreachable()), deadlineMs);
      this.#asks.set(id, { resolve, reject, timer });
    });
  }

  async #connect() {
    clearTimeout(this.#timer);
    this.#drop();
    this.#enter({ name: "connecting" });
    const attempt = ++this.#attempt;
    let data;
    try {
      data = await this.hello();
    } catch {
      if (this.state.name === "connecting" && attempt === this.#attempt) this.#wait();
      return;
    }
    if (this.state.name !== "connecting" || attempt !== this.#attempt) return;
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    this.#socket = socket;
    this.#heardAt = Date.now();
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", data }));
    socket.onmessage = (event) => socket === this.#socket && this.#receive(event.data);
    socket.onclose = (event) => socket === this.#socket && this.#lost(event.code);
  }

  #receive(text) {
    this.#heardAt = Date.now();
    this.#pinged = false;
    const frame = parsed(text);
    if (!frame) return;
    if (frame.type === "welcome" && !this.live) {
      this.#heartbeatMs = frame.data?.heartbeat_ms ?? this.#heartbeatMs;
      this.#liveSince = Date.now();
      this.#renewed = false;
      this.#enter({ name: "live" });
    }
    if (frame.type === "goodbye") this.#pause = frame.data?.reconnect_after_ms ?? null;
    const ask = frame.id === undefined ? undefined : this.#asks.get(frame.id);
    if (!ask) return this.onFrame(frame);
    this.#asks.delete(frame.id);
    clearTimeout(ask.timer);
    if (frame.type === "error") ask.reject(new Refusal(frame.data ?? {}, frame.data?.status));
    else ask.resolve(frame);
  }

  async #lost(code) {
    this.#drop();
    if (code === TOKEN_EXPIRED || (code === UNAUTHENTICATED && !this.#renewed)) {
      this.#enter({ name: "connecting" });
      try {
        await this.onExpired();
        this.#renewed = true;
      } catch (refusal) {
        if (refusal.code !== "unreachable" && !(refusal.status >= 429)) return;
      }
      if (this.state.name === "connecting") this.#wait(code);
    } else if (code === 1008 || code >= 4500) this.stop(code);
    else this.#wait(code);
  }

  #wait(code) {
    if (this.#liveSince && Date.now() - this.#liveSince > STEADY_MS) this.#losses = 0;
    this.#liveSince = 0;
    const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** this.#losses++);
    const pause = this.#pause ?? Math.random() * ceiling;
    this.#pause = null;
    this.#enter({ name: "waiting", retryAt: Date.now() + pause, code });
    this.#timer = setTimeout(() => this.#connect(), pause);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#pinged = false;
    if (socket) socket.close();
    for (const ask of this.#asks.values()) {
      clearTimeout(ask.timer);
      ask.reject(unreachable());
    }
    this.#asks.clear();
  }

  #ping() {
    if (this.#pinged) return;
    this.#pinged = true;
    this.#heardAt = Math.max(this.#heardAt, Date.now() - this.#heartbeatMs); // leave the full time for the answer
    this.tell({ type: "ping" });
  }

  #watch() {
    const silence = Date.now() - this.#heardAt;
    if (this.state.name === "connecting" && this.#socket && silence > WELCOME_MS) this.#lost(1006);
    if (!this.live) return;
    if (silence > this.#heartbeatMs + PONG_MS) this.#lost(1006);
    else if (silence > this.#heartbeatMs) this.#ping();
  }

  #enter(state) {
    this.state = state;
    this.onState(state);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
