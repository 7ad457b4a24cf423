// Telling the server how far this person has read: of each room the newest, all of them at most once a second.

const PAUSE_MS = 1000;

export class Reads {
  #seqs = new Map(); // room -> the seq that is still to be told
  #timer = null;

  /** `tell(room, seq)` is false where it cannot be told now. */
  constructor(tell) {
    this.tell = tell;
  }

  set(room, seq) {
    this.#seqs.set(room, seq);
    if (this.#timer === null) this.flush();
  }

  /** Tell what is left to be told. */
  flush() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#seqs.size === 0) return;
    for (const [room, seq] of this.#seqs) if (this.tell(room, seq)) this.#seqs.delete(room);
    this.#timer = setTimeout(() => this.flush(), PAUSE_MS);
  }

  forget(room) {
    this.#seqs.delete(room);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#seqs.clear();
  }
}
