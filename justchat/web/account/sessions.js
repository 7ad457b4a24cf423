// Where I am signed in, and ending that.

import { $, h, icon, pressed, reconcile, show } from "../dom.js";
import { clearProblems, showProblems } from "../forms.js";
import { moment } from "../text.js";

// The more particular names first: many call themselves by other names as well.
const BROWSERS = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]];
const SYSTEMS = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS X", "Mac"], ["CrOS", "ChromeOS"], ["Linux", "Linux"]];

/** What a user agent is called by people. */
export function deviceName(agent) {
  const find = (names) => names.find(([mark]) => agent.includes(mark))?.[1];
  const browser = find(BROWSERS);
  if (!browser) return agent.split(/[/\s]/u)[0] || "Unknown device";
  const system = find(SYSTEMS);
  return system ? `${browser} on ${system}` : browser;
}

export class Sessions {
  #items = [];

  constructor(account) {
    this.account = account;
    this.session = account.session;
    this.panel = $("account-sessions");
    $("session-list").addEventListener("click", (event) => this.#pressed(event));
    $("session-others").addEventListener("click", () => this.#endOthers());
  }

  open() {
    return this.#attempt(async () => {
      this.#items = await this.session.all("/auth/sessions");
      this.#render();
    });
  }

  #render() {
    const items = [...this.#items].sort((a, b) => b.current - a.current);
    reconcile($("session-list"), items.map((item) => {
      const { id, current, user_agent: agent, address, created_at: since, last_seen_at: seen } = item;
      const when = current ? `Since ${moment(new Date(since))}` : `Last seen ${moment(new Date(seen))}`;
      const name = deviceName(agent);
      const build = () => h("li", { class: "item" },
        h("span", { class: "item-text" }, h("b", { title: agent }, name), h("small", {}, `${address} · ${when}`)),
        current ? h("span", { class: "tag" }, icon("check"), "This device") : h("button", { type: "button", class: "button compact", "aria-label": `Sign out ${name}`, data: { act: "end" } }, "Sign out"));
      return { key: id, sign: JSON.stringify(item), build };
    }));
    show($("session-others"), items.some((item) => !item.current));
  }

  async #pressed(event) {
    const press = pressed(event);
    if (press) await this.#attempt(() => this.#end([press.key]));
  }

  async #endOthers() {
    const question = { title: "Sign out everywhere else?", text: "Other browsers and programs have to sign in again. Personal tokens stay good.", yes: "Sign out" };
    if (!(await this.account.confirm(question))) return;
    await this.#attempt(() => this.#end(this.#items.filter((item) => !item.current).map((item) => item.id)));
  }

  async #end(ids) {
    for (const id of ids) {
      // Whoever is out already is out.
      await this.session.call("DELETE", `/auth/sessions/${id}`).catch((refusal) => {
        if (refusal.code !== "not_found") throw refusal;
      });
      this.#items = this.#items.filter((item) => item.id !== id);
      this.#render();
    }
    $("account-tab-sessions").focus();
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
