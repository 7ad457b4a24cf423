// Moderating a room: what was reported in it; who is banned from it and who is muted in it, and taking that back.

import { $, h, pressed, reconcile, show } from "../dom.js";
import { attemptIn, clearProblems } from "../forms.js";
import { moment } from "../text.js";

const SIDES = {
  bans: { needs: "members.ban", undo: "unban", text: "Lift the ban", since: "Banned" },
  mutes: { needs: "members.mute", undo: "unmute", text: "Let speak again", since: "Muted" },
};

export class Moderation {
  #room = null;

  /** `reports` is the part of the dialog about them; `sanction` the dialog that mutes and bans. */
  constructor({ deeds, reports, sanction }) {
    Object.assign(this, { deeds, reports });
    this.dialog = $("moderation-dialog");
    sanction.dialog.addEventListener("close", () => this.dialog.open && this.#lookAround());
    for (const side of Object.keys(SIDES)) $(`${side}-list`).addEventListener("click", (event) => this.#undo(side, event));
  }

  open(room) {
    this.#room = room;
    clearProblems(this.dialog);
    for (const side of Object.keys(SIDES)) this.#render(side, []);
    this.dialog.showModal();
    this.reports.open(room);
    return this.#lookAround();
  }

  #lookAround() {
    return attemptIn(this.dialog, () => Promise.all(Object.keys(SIDES).map((side) => this.#look(side))));
  }

  async #look(side) {
    const room = this.#room;
    if (!show($(`${side}-part`), room.may(SIDES[side].needs))) return;
    const items = await this.deeds()[side](room);
    if (room === this.#room) this.#render(side, items);
  }

  #render(side, items) {
    const { text, since } = SIDES[side];
    reconcile($(`${side}-list`), items.map((item) => {
      const { user, at, until, reason } = item;
      const name = user.display_name || user.username || "Someone who left";
      const note = `${since} ${moment(new Date(at))}${until ? `, until ${moment(new Date(until))}` : ""}`;
      const build = () => h("li", { class: "item" },
        h("span", { class: "item-text" }, h("bdi", {}, name), h("small", {}, note), reason ? h("small", { dir: "auto" }, reason) : null),
        h("button", { type: "button", class: "button compact", "aria-label": `${text}: ${name}`, data: { act: "undo" } }, text));
      return { key: user.id, sign: JSON.stringify(item), build };
    }));
    show($(`${side}-none`), items.length === 0);
    this.reports.learn(side, items.map(({ user }) => user.id));
  }

  async #undo(side, event) {
    const press = pressed(event);
    if (!press) return;
    await attemptIn(this.dialog, async () => {
      await this.deeds()[SIDES[side].undo](this.#room, { id: press.key });
      await this.#look(side);
    });
    this.dialog.querySelector("[data-close]").focus();
  }
}
