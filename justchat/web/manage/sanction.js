// Muting and banning somebody: for how long, and why.

import { $, show } from "../dom.js";
import { clearProblems, onSubmit } from "../forms.js";

export class Sanction {
  #about = null; // {act, room, user}

  constructor({ deeds }) {
    this.dialog = $("sanction-dialog");
    this.form = $("sanction-form");
    onSubmit(this.form, async (data) => {
      const { act, room, user } = this.#about;
      const seconds = data.get("seconds") ? Number(data.get("seconds")) : null;
      await deeds()[act](room, user, { seconds, reason: data.get("reason").trim() });
      this.dialog.close();
    });
  }

  /** `act` is "mute" or "ban". */
  open(act, room, user) {
    this.#about = { act, room, user };
    const name = user.display_name || user.username;
    this.form.reset();
    clearProblems(this.dialog);
    $("sanction-title").textContent = `${act === "ban" ? "Ban" : "Mute"} ${name}?`;
    $("sanction-text").textContent = act === "ban"
      ? "They are taken out and cannot come back until the ban is lifted, not even by an invite."
      : "They can read everything, and neither write nor react.";
    $("sanction-yes").textContent = act === "ban" ? "Ban" : "Mute";
    show($("sanction-length"), act === "mute");
    this.dialog.showModal();
    (act === "mute" ? $("sanction-seconds") : $("sanction-reason")).focus();
  }
}
