// Messages on their way: kept until the server has them, over reconnects and reloads, and always under the same
// client_msg_id, so that sending again is harmless. One message per room is in flight at a time: order is kept.

import { waitWords } from "./text.js";

const ACK_MS = 10_000;
const SAID_ALOUD = new Set(["forbidden", "muted", "banned", "archived"]);

export class Unsent {
  #items = []; // {id, room, body, answers: {reply_to?, thread_root?}, at, state: waiting|failed|acked, reason?, told?, seq?}
  #flying = new Map(); // room -> {id, timer}
  #pauses = new Map(); // room -> timer of the next try

  /**
   * `send(item)` puts it on the wire and tells whether it could; `words(room, refusal)` says what a refusal means, and
   * `onNotice(text)` tells the person.
   */
  constructor({ user, send, words, onChange, onNotice }) {
    this.key = `justchat.unsent.${user}`;
    Object.assign(this, { send, words, onChange, onNotice });
    this.#items = this.#restored();
  }

  of(room) {
    return this.#items.filter((item) => item.room === room);
  }

  rooms() {
    return [...new Set(this.#items.map((item) => item.room))];
  }

  /** An answer to a message stays in the thread that the message is in. */
  add(room, body, answered = null) {
    const answers = answered ? { reply_to: answered.id, ...(answered.thread_root ? { thread_root: answered.thread_root } : {}) } : {};
    this.#items.push({ id: freshId(), room, body, answers, at: Date.now(), state: "waiting" });
    this.#changed();
    this.flush(room);
  }

  /** Send the room's oldest waiting message unless one is in flight. */
  flush(room) {
    if (this.#flying.has(room) || this.#pauses.has(room)) return;
    const item = this.#items.find((candidate) => candidate.room === room && candidate.state === "waiting");
    if (!item || !this.send(item)) return;
    const timer = setTimeout(() => this.#landed(room, item.id) && this.flush(room), ACK_MS);
    this.#flying.set(room, { id: item.id, timer });
  }

  /** The connection went: nothing is in flight any more. `blame` fails what was, because it cost the connection. */
  lost(blame = null) {
    for (const { id, timer } of this.#flying.values()) {
      clearTimeout(timer);
      if (blame) this.#fail(id, blame);
    }
    this.#flying.clear();
    for (const timer of this.#pauses.values()) clearTimeout(timer);
    this.#pauses.clear();
  }

  /** The server has it at `seq`; the bubble stays until the event itself arrives. */
  acked(id, seq) {
    const item = this.#find(id);
    if (!item) return;
    Object.assign(item, { state: "acked", seq });
    this.#changed();
    this.#landed(item.room, id);
    this.flush(item.room);
  }

  /** The message stands in the journal: it is not ours to keep any more. */
  settle(id) {
    const item = this.#find(id);
    if (!item) return;
    this.#items = this.#items.filter((other) => other !== item);
    this.#changed();
    if (this.#landed(item.room, id)) this.flush(item.room);
  }

  /** Drop what is acked up to `seq`: a snapshot shows it. */
  settleUpTo(room, seq) {
    for (const item of this.of(room)) if (item.state === "acked" && item.seq <= seq) this.settle(item.id);
  }

  /** The server said no: for now, or for good. True if `id` was ours. */
  refused(id, refusal) {
    const item = this.#find(id);
    if (!item) return false;
    this.#landed(item.room, id);
    if (refusal.passes) this.#putOff(item, refusal);
    else {
      const reason = this.words(item.room, refusal);
      if (SAID_ALOUD.has(refusal.code)) this.onNotice(reason);
      this.#fail(id, reason);
      this.flush(item.room);
    }
    return true;
  }

  #putOff(item, { code, againMs, retryAfterSeconds: wait }) {
    if (code === "slow_mode" && wait && !item.told) {
      item.told = true;
      this.onNotice(`This room is in slow mode: your message goes out in ${waitWords(wait)}.`);
    }
    this.#pause(item.room, againMs);
  }

  retry(id) {
    const item = this.#find(id);
    if (!item) return;
    Object.assign(item, { state: "waiting", reason: undefined });
    this.#changed();
    this.flush(item.room);
  }

  /** The person signed out: nothing of theirs stays in this browser. */
  forget() {
    this.#items = [];
    this.#changed();
  }

  discard(id) {
    this.settle(id);
  }

  #pause(room, milliseconds) {
    clearTimeout(this.#pauses.get(room));
    const again = () => {
      this.#pauses.delete(room);
      this.flush(room);
    };
    this.#pauses.set(room, setTimeout(again, milliseconds));
  }

  #fail(id, reason) {
    const item = this.#find(id);
    if (!item) return;
    Object.assign(item, { state: "failed", reason });
    this.#changed();
  }

  #landed(room, id) {
    const flight = this.#flying.get(room);
    if (flight?.id !== id) return false;
    clearTimeout(flight.timer);
    return this.#flying.delete(room);
  }

  #find(id) {
    return this.#items.find((item) => item.id === id);
  }

  #changed() {
    const lasting = this.#items.filter((item) => item.state !== "acked");
    try {
      if (lasting.length > 0) sessionStorage.setItem(this.key, JSON.stringify(lasting));
      else sessionStorage.removeItem(this.key);
    } catch {
      // No storage left: the messages still live as long as the page does.
    }
    this.onChange();
  }

  #restored() {
    try {
      const items = JSON.parse(sessionStorage.getItem(this.key)) ?? [];
      return items.filter((item) => item.id && item.room && item.body);
    } catch {
      return [];
    }
  }
}

function freshId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
