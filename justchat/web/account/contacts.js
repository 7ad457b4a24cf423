// Whom I know, who asks, and whom I do not want to hear from.

import { $, h, pressed, reconcile } from "../dom.js";
import { clearProblems, onSubmit, showProblems } from "../forms.js";
import { Picker } from "../picker.js";
import { Refusal } from "../session.js";

const CONTACTS = "/users/me/contacts";
const BLOCKS = "/users/me/blocks";
const GROUPS = [
  { state: "asks_you", title: "They ask you", acts: [["accept", "Accept", "primary"], ["end", "Decline", ""]] },
  { state: "accepted", title: "Contacts", acts: [["end", "Remove", ""]] },
  { state: "asked", title: "You asked", acts: [["end", "Take back", ""]] },
  { state: "blocked", title: "Blocked", acts: [["unblock", "Unblock", ""]] },
];

export class Contacts {
  #items = []; // {user, state}
  #loaded = false;

  constructor(account) {
    this.account = account;
    this.session = account.session;
    this.panel = $("account-contacts");
    const context = () => this.account.context()?.chat;
    this.picker = new Picker($("contact-picker"), {
      id: "contact-people",
      search: (text) => context().people.search(text),
      skip: (user) => user.id === context().me.id,
    });
    onSubmit($("contact-form"), () => this.#each((user) => this.#ask(user)));
    $("contact-block").addEventListener("click", () => this.#attempt(() => this.#each((user) => this.#block(user))));
    $("contact-groups").addEventListener("click", (event) => this.#pressed(event));
  }

  open() {
    this.picker.reset();
    return this.#attempt(() => this.#load());
  }

  close() {
    this.#items = [];
    this.#loaded = false;
    reconcile($("contact-groups"), []);
  }

  async #load() {
    const [contacts, blocks] = await Promise.all([this.session.all(CONTACTS, { limit: 100 }), this.session.all(BLOCKS, { limit: 100 })]);
    this.#items = [...contacts, ...blocks.map((block) => ({ ...block, state: "blocked" }))];
    this.#loaded = true;
    this.account.context()?.chat.people.learn(...this.#items.map(({ user }) => user));
    this.#render();
  }

  #render() {
    const groups = GROUPS.map((group) => ({ ...group, items: this.#items.filter(({ state }) => state === group.state) })).filter(({ items }) => items.length > 0);
    const nobody = { key: "nobody", sign: "", build: () => h("p", { class: "muted center" }, "Nobody yet. Whom you block can neither write to you directly nor call you by name.") };
    const rows = groups.map((group) => ({
      key: group.state,
      sign: JSON.stringify(group.items.map(({ user }) => user)),
      build: () => h("section", {}, h("h3", { class: "details-section" }, group.title), h("ul", { class: "plain-list" }, ...group.items.map((item) => this.#row(item, group)))),
    }));
    reconcile($("contact-groups"), this.#loaded && rows.length === 0 ? [nobody] : rows);
  }

  #row({ user }, { state, acts }) {
    const name = user.display_name || user.username;
    return h("li", { class: "item", data: { key: `${state} ${user.id}` } }, this.account.context().chat.people.face(user.id),
      h("span", { class: "item-text" }, h("bdi", {}, name), h("small", {}, user.username ? `@${user.username}` : "")),
      ...acts.map(([act, label, style]) => h("button", { type: "button", class: `button ${style} compact`, "aria-label": `${label}: ${name}`, data: { act } }, label)));
  }

  /** Do something with whoever is chosen in the picker. */
  async #each(work) {
    const { users } = this.picker;
    if (users.length === 0) throw new Refusal({ code: "validation_failed", detail: "Choose somebody first" });
    for (const user of users) await work(user);
    this.picker.reset();
    await this.#load();
  }

  #ask(user) {
    return this.session.call("PUT", `${CONTACTS}/${user.id}`);
  }

  #block(user) {
    return this.session.call("PUT", `${BLOCKS}/${user.id}`);
  }

  async #pressed(event) {
    const press = pressed(event);
    if (!press) return;
    const user = press.key.split(" ")[1];
    const work = { accept: ["PUT", CONTACTS], end: ["DELETE", CONTACTS], unblock: ["DELETE", BLOCKS] }[press.act];
    await this.#attempt(async () => {
      await this.session.call(work[0], `${work[1]}/${user}`);
      await this.#load();
      $("account-tab-contacts").focus();
    });
  }

  async #attempt(work) {
    clearProblems(this.panel);
    try {
      await work();
    } catch (refusal) {
      if (!refusal.code) throw refusal;
      showProblems(this.panel, refusal);
    }
  }
}
