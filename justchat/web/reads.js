// How far this person has read each room, remembered in this browser.

export class Reads {
  #seqs;

  constructor(user) {
    this.key = `justchat.read.${user}`;
    this.#seqs = this.#restored();
  }

  of(room) {
    return this.#seqs[room] ?? null;
  }

  set(room, seq) {
    this.#seqs[room] = seq;
    this.#store();
  }

  /** Forget rooms that are gone. */
  keepOnly(rooms) {
    const kept = Object.entries(this.#seqs).filter(([room]) => rooms.has(room));
    if (kept.length === Object.keys(this.#seqs).length) return;
    this.#seqs = Object.fromEntries(kept);
    this.#store();
  }

  #store() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.#seqs));
    } catch {
      // Only a convenience: without storage everything counts as read.
    }
  }

  #restored() {
    try {
      return JSON.parse(localStorage.getItem(this.key)) ?? {};
    } catch {
      return {};
    }
  }
}
