// Invites: links that let whoever has them into a room. A link is shown once, when it is made.

import { $, h, pressed, reconcile, show } from "../dom.js";
import { attemptIn, clearProblems, onSubmit } from "../forms.js";
import { roleWord } from "../happenings.js";
import { moment } from "../text.js";
import { rolesToGive } from "./rights.js";

const CODE = /^#\/i\/(r_[0-9a-f]{32}\.[A-Za-z0-9_-]{22})$/u;

/** The code of an invite that the address of the page holds, or null. */
export const codeInAddress = () => CODE.exec(location.hash)?.[1] ?? null;

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

export class Invites {
  #room = null;

  constructor({ deeds }) {
    this.deeds = deeds;
    this.dialog = $("invite-dialog");
    onSubmit($("invite-form"), (data) => this.#make(data));
    $("invite-list").addEventListener("click", (event) => this.#revoke(event));
    $("invite-copy").addEventListener("click", () => this.#copy());
    this.dialog.addEventListener("close", () => this.#forget());
  }

  open(room) {
    this.#room = room;
    this.#forget();
    $("invite-form").reset();
    clearProblems(this.dialog);
    const roles = rolesToGive(room);
    $("invite-role").replaceChildren(...roles.map((role) => h("option", { value: role, selected: role === "member" }, capital(roleWord(role)))));
    show($("invite-role-field"), roles.length > 1);
    reconcile($("invite-list"), []);
    show($("invite-open"), false);
    this.dialog.showModal();
    return attemptIn(this.dialog, () => this.#look());
  }

  async #look() {
    const room = this.#room;
    const invites = await this.deeds().invites(room);
    if (room !== this.#room) return;
    show($("invite-open"), invites.length > 0);
    reconcile($("invite-list"), invites.map((invite) => {
      const { id, role, expires_at: until, max_uses: most, uses } = invite;
      const used = most === null ? `used ${uses} ${uses === 1 ? "time" : "times"}` : `used ${uses} of ${most} times`;
      const note = `${until ? `Good until ${moment(new Date(until))}` : "Without an end"}, ${used}`;
      const build = () => h("li", { class: "item" },
        h("span", { class: "item-text" }, h("b", {}, `For ${roleWord(role)}`), h("small", {}, note)),
        h("button", { type: "button", class: "button danger compact", data: { act: "revoke" } }, "Revoke"));
      return { key: id, sign: JSON.stringify(invite), build };
    }));
  }

  async #make(data) {
    const days = Number(data.get("days"));
    const uses = Number(data.get("uses"));
    const fields = { role: data.get("role"), ...(days ? { expires_in: days * 86_400 } : {}), ...(uses ? { max_uses: uses } : {}) };
    const { code } = await this.deeds().invite(this.#room, fields);
    $("invite-link").value = `${location.origin}/#/i/${code}`;
    $("invite-copy").textContent = "Copy";
    show($("invite-made"), true);
    $("invite-link").focus();
    $("invite-link").select();
    await this.#look();
  }

  async #copy() {
    $("invite-link").select();
    try {
      await navigator.clipboard.writeText($("invite-link").value);
      $("invite-copy").textContent = "Copied";
    } catch {
      $("invite-copy").textContent = "Press Ctrl+C"; // it is selected; the browser does not let pages copy here
    }
  }

  /** A link is nobody's business but theirs whom it is sent to. */
  #forget() {
    $("invite-link").value = "";
    show($("invite-made"), false);
  }

  async #revoke(event) {
    const press = pressed(event);
    if (!press) return;
    await attemptIn(this.dialog, async () => {
      await this.deeds().revoke(this.#room, { id: press.key });
      await this.#look();
    });
    this.dialog.querySelector("[data-close]").focus();
  }
}
