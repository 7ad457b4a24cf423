// Names of users, asked for in one go and remembered. Until a name is known, readers get null and are told later.

import { avatar } from "./dom.js";
import { Faces } from "./faces.js";

const TOGETHER_MS = 25;
const AGAIN_MS = 4_000;
const PER_REQUEST = 50;

export class People {
  #known = new Map(); // id -> {id, username, display_name, avatar_url?}
  #wanted = new Set();
  #timer = null;

  constructor(session, onNews) {
    this.session = session;
    this.onNews = onNews;
    this.faces = new Faces(session);
  }

  learn(...users) {
    for (const user of users) if (user?.id) this.#known.set(user.id, user);
  }

  /** The user, or null for now. */
  get(id) {
    const user = this.#known.get(id);
    if (user) return user;
    if (id) this.#want(id);
    return null;
  }

  name(id) {
    const user = this.get(id);
    return user ? user.display_name || user.username : null;
  }

  /** Where the user's picture is, or null. */
  picture(id) {
    return this.get(id)?.avatar_url ?? null;
  }

  /** An avatar: the user's picture, or their initials. */
  face(id, extra = "") {
    const node = avatar(this.name(id) ?? "", id, extra);
    this.faces.draw(node, this.picture(id));
    return node;
  }

  async search(text) {
    const { items } = await this.session.call("GET", "/users", { query: { q: text, limit: 8 } });
    this.learn(...items);
    return items;
  }

  #want(id) {
    this.#wanted.add(id);
    this.#timer ??= setTimeout(() => this.#ask(), TOGETHER_MS);
  }

  async #ask() {
    const ids = [...this.#wanted].slice(0, PER_REQUEST);
    let pause = TOGETHER_MS;
    try {
      const { items } = await this.session.call("GET", "/users", { query: { ids: ids.join(",") } });
      this.learn(...items);
      for (const id of ids) {
        this.#wanted.delete(id);
        if (!this.#known.has(id)) this.#known.set(id, { id, username: "", display_name: "Someone who left" });
      }
      this.onNews();
    } catch {
      pause = AGAIN_MS;
    }
    this.#timer = this.#wanted.size > 0 && this.session.user ? setTimeout(() => this.#ask(), pause) : null;
  }
}
