// Staying connected beyond the life of an access token. A minute before its end the server warns; then a fresh one is
// handed over on the open connection. What goes wrong here costs no more than that connection: it is closed, and opened
// again by a token that is asked for then.

const AGAIN_MS = 5_000;

export class Staying {
  #token = null; // by which the connection is open
  #lifeMs = Infinity; // how long the last token that was handed over lasts
  #timer = null;

  constructor(session, connection) {
    Object.assign(this, { session, connection });
  }

  stop() {
    clearTimeout(this.#timer);
  }

  /** A token for a new connection. */
  async token() {
    this.stop();
    this.#lifeMs = Infinity;
    this.#token = await this.session.token();
    return this.#token;
  }

  /** See to it that there is another token than the one that is not taken any more. */
  renew() {
    return this.session.token(this.#token);
  }

  /** Take the server's warning: the first at once, later ones when half of what the last token gave is over. */
  heed({ in_ms: left = 0 } = {}) {
    this.stop();
    const wait = left - this.#lifeMs / 2;
    if (wait > 0) this.#timer = setTimeout(() => this.#handOver(), wait);
    else this.#handOver(); // timers of a page that nobody looks at may be late
  }

  async #handOver() {
    try {
      const token = await this.session.token(this.#token);
      const { data } = await this.connection.ask({ type: "refresh", data: { token } });
      this.#token = token;
      this.#lifeMs = data?.expires_in_ms || Infinity;
    } catch (refusal) {
      if (!refusal.code) throw refusal;
      if (this.session.user && this.connection.live) this.#timer = setTimeout(() => this.#handOver(), AGAIN_MS);
    }
  }
}
