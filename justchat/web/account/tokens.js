// Personal tokens: what programs use in my place.

import { $, h, pressed, reconcile, show } from "../dom.js";
import { clearProblems, onSubmit, showProblems } from "../forms.js";
import { Refusal } from "../session.js";
import { moment } from "../text.js";

const DAY_SECONDS = 86_400;
const SCOPES = {
  "rooms:read": "See rooms and who is in them",
  "rooms:write": "Make, change and join rooms",
  "messages:read": "Read messages",
  "messages:write": "Write messages",
  account: "See and change my account",
};

export class Tokens {
  #items = [];

  constructor(account) {
    this.account = account;
    this.session = account.session;
    this.panel = $("account-tokens");
    this.form = $("token-form");
    $("token-scopes").append(...Object.entries(SCOPES).map(([scope, text]) => h("label", { class: "check" },
      h("input", { type: "checkbox", name: "scopes", value: scope, checked: scope.startsWith("messages") }), h("span", {}, text))));
    onSubmit(this.form, (data) => this.#make(data));
    $("token-list").addEventListener("click", (event) => this.#pressed(event));
    $("token-copy").addEventListener("click", () => this.#copy());
  }

  open() {
    clearProblems(this.panel);
    return this.#attempt(async () => {
      this.#items = await this.session.all("/auth/tokens");
      this.#render();
    });
  }

  close() {
    this.form.reset();
    $("token-text").value = "";
    show($("token-made"), false);
  }

  #render() {
    reconcile($("token-list"), this.#items.map((item) => {
      const { id, name, scopes, created_at: since, expires_at: until } = item;
      const note = `Made ${moment(new Date(since))} · ${until ? `good until ${moment(new Date(until))}` : "without an end"}`;
      const build = () => h("li", { class: "item" },
        h("span", { class: "item-text" }, h("bdi", {}, name), h("small", {}, note), h("small", {}, scopes.join(", "))),
        h("button", { type: "button", class: "button danger compact", "aria-label": `Revoke ${name}`, data: { act: "revoke" } }, "Revoke"));
      return { key: id, sign: JSON.stringify(item), build };
    }));
  }

  async #make(data) {
    const name = data.get("name").trim();
    const scopes = data.getAll("scopes");
    const errors = name ? [] : [{ pointer: "/name", detail: "Say what the token is for" }];
    if (errors.length > 0 || scopes.length === 0) throw new Refusal({ code: "validation_failed", detail: "Choose what it may do", errors });
    const days = Number(data.get("days"));
    const made = await this.session.call("POST", "/auth/tokens", { body: { name, scopes, ...(days ? { expires_in: days * DAY_SECONDS } : {}) } });
    const { token, ...item } = made;
    this.#items = [item, ...this.#items];
    this.#render();
    this.form.reset();
    $("token-copy").textContent = "Copy";
    $("token-text").value = token;
    show($("token-made"), true);
    $("token-text").focus();
    $("token-text").select();
  }

  async #copy() {
    $("token-text").select();
    try {
      await navigator.clipboard.writeText($("token-text").value);
      $("token-copy").textContent = "Copied";
    } catch {
      $("token-copy").textContent = "Press Ctrl+C"; // it is selected; the browser does not let pages copy here
    }
  }

  async #pressed(event) {
    const press = pressed(event);
    const item = this.#items.find(({ id }) => id === press?.key);
    if (!item) return;
    const question = { title: "Revoke this token?", text: `Whatever uses “${item.name}” is out at once.`, yes: "Revoke" };
    if (await this.account.confirm(question)) await this.#attempt(() => this.#revoke(item));
  }

  async #revoke(item) {
    await this.session.call("DELETE", `/auth/tokens/${item.id}`);
    this.#items = this.#items.filter(({ id }) => id !== item.id);
    this.#render();
    $("account-tab-tokens").focus();
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
