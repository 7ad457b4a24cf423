// The account dialog: its tabs, and a panel for each. Panels look up what they show whenever they are opened.

import { $, show } from "../dom.js";
import { Contacts } from "./contacts.js";
import { Leave } from "./leave.js";
import { Password } from "./password.js";
import { Profile } from "./profile.js";
import { Sessions } from "./sessions.js";
import { Tokens } from "./tokens.js";

const PANELS = { profile: Profile, sessions: Sessions, password: Password, contacts: Contacts, tokens: Tokens, leave: Leave };
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export class Account {
  #panels = {};
  #tabs = Object.keys(PANELS);

  /** `context()` gives the present {chat}, `confirm(question)` asks before what cannot be undone. Made once. */
  constructor({ session, context, confirm, onProfile }) {
    Object.assign(this, { session, context, confirm, onProfile });
    for (const [name, Panel] of Object.entries(PANELS)) this.#panels[name] = new Panel(this);
    const tabs = $("account-tabs");
    tabs.addEventListener("click", (event) => {
      const tab = event.target.closest("[role=tab]");
      if (tab) this.#turn(tab.id.replace("account-tab-", ""));
    });
    tabs.addEventListener("keydown", (event) => this.#step(event));
    $("account-dialog").addEventListener("close", () => Object.values(this.#panels).forEach((panel) => panel.close?.()));
  }

  open(name = "profile") {
    const dialog = $("account-dialog");
    if (!dialog.open) dialog.showModal();
    this.#turn(name);
    $(`account-tab-${name}`).focus();
  }

  #turn(name) {
    for (const other of this.#tabs) {
      const tab = $(`account-tab-${other}`);
      tab.setAttribute("aria-selected", String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
      show($(`account-${other}`), other === name);
    }
    $(`account-tab-${name}`).scrollIntoView({ block: "nearest", inline: "center" });
    this.#panels[name].open();
  }

  /** Arrow keys walk along the tabs. */
  #step(event) {
    const at = this.#tabs.findIndex((name) => $(`account-tab-${name}`).getAttribute("aria-selected") === "true");
    const to = { Home: 0, End: this.#tabs.length - 1 }[event.key] ?? (event.key in STEPS ? at + STEPS[event.key] : null);
    if (to === null) return;
    event.preventDefault();
    const name = this.#tabs.at(to % this.#tabs.length);
    this.#turn(name);
    $(`account-tab-${name}`).focus();
  }
}
