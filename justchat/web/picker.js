// Choosing people by name: type, pick from what the server finds, see them as chips.

import { avatar, h, icon, reconcile, show } from "./dom.js";

const PAUSE_MS = 180;

export class Picker {
  #chosen = new Map(); // user id -> user
  #found = [];
  #at = -1; // the highlighted suggestion
  #timer = null;
  #search = 0;

  /** Fill `box`; `search(text)` gives users, `skip(user)` hides those who cannot be chosen. */
  constructor(box, { id, search, skip }) {
    Object.assign(this, { search, skip });
    const listId = `${id}-found`;
    this.chips = h("ul", { class: "chips" });
    this.input = h("input", {
      id, autocomplete: "off", autocapitalize: "none", spellcheck: "false", placeholder: "Search by user name", role: "combobox",
      "aria-expanded": "false", "aria-controls": listId, "aria-autocomplete": "list",
    });
    this.list = h("ul", { class: "found", id: listId, role: "listbox", hidden: true });
    box.replaceChildren(this.chips, this.input, this.list);
    this.input.addEventListener("input", () => this.#typed());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("blur", () => setTimeout(() => this.#suggest([]), 150));
    this.list.addEventListener("pointerdown", (event) => this.#pressed(event));
    this.chips.addEventListener("click", (event) => this.#drop(event.target.closest("button")?.dataset.user));
  }

  get users() {
    return [...this.#chosen.values()];
  }

  reset() {
    this.#chosen.clear();
    this.input.value = "";
    this.#suggest([]);
    this.#render();
  }

  #typed() {
    clearTimeout(this.#timer);
    const text = this.input.value.trim().replace(/^@/u, "");
    if (!text) return this.#suggest([]);
    this.#timer = setTimeout(() => this.#ask(text), PAUSE_MS);
    return undefined;
  }

  async #ask(text) {
    const search = ++this.#search;
    try {
      const users = await this.search(text);
      if (search === this.#search) this.#suggest(users.filter((user) => !this.skip(user) && !this.#chosen.has(user.id)), true);
    } catch {
      if (search === this.#search) this.#suggest([], true);
    }
  }

  #suggest(users, asked = false) {
    this.#found = users;
    this.#at = users.length > 0 ? 0 : -1;
    if (!asked) this.#search += 1;
    const rows = users.map((user, index) => this.#suggestion(user, index));
    const none = { key: "none", sign: "", build: () => h("li", { class: "none" }, "Nobody found") };
    reconcile(this.list, asked && rows.length === 0 ? [none] : rows);
    this.input.setAttribute("aria-expanded", String(show(this.list, asked)));
    this.#highlight();
  }

  #suggestion(user, index) {
    const name = user.display_name || user.username;
    return {
      key: user.id,
      sign: `${index}|${name}`,
      build: () => h("li", { role: "option", id: `${this.list.id}-${index}` }, avatar(name, user.id),
        h("span", { class: "member-name" }, h("bdi", {}, name), h("small", {}, `@${user.username}`))),
    };
  }

  #highlight() {
    [...this.list.children].forEach((node, index) => node.setAttribute("aria-selected", String(index === this.#at)));
    if (this.#at >= 0) this.input.setAttribute("aria-activedescendant", `${this.list.id}-${this.#at}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  #key(event) {
    const count = this.#found.length;
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move && count > 0) {
      this.#at = (this.#at + move + count) % count;
      this.#highlight();
    } else if (event.key === "Enter" && (count > 0 || this.input.value.trim())) {
      if (count > 0) this.#choose(this.#found[this.#at]);
    } else if (event.key === "Escape" && !this.list.hidden) this.#suggest([]);
    else if (event.key === "Backspace" && this.input.value === "" && this.#chosen.size > 0) this.#drop([...this.#chosen.keys()].at(-1));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #pressed(event) {
    event.preventDefault();
    const key = event.target.closest("[data-key]")?.dataset.key;
    const user = this.#found.find((candidate) => candidate.id === key);
    if (user) this.#choose(user);
  }

  #choose(user) {
    this.#chosen.set(user.id, user);
    this.input.value = "";
    this.#suggest([]);
    this.#render();
    this.input.focus();
  }

  #drop(id) {
    if (!this.#chosen.delete(id)) return;
    this.#render();
    this.input.focus();
  }

  #render() {
    reconcile(this.chips, this.users.map((user) => {
      const name = user.display_name || user.username;
      const build = () => h("li", { class: "chip" }, h("bdi", {}, name),
        h("button", { type: "button", "aria-label": `Remove ${name}`, data: { user: user.id } }, icon("close")));
      return { key: user.id, sign: name, build };
    }));
  }
}
