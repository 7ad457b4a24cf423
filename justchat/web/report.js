// Telling the moderators of a room about a message of somebody else, and why.

import { $ } from "./dom.js";
import { clearProblems, onSubmit } from "./forms.js";
import { shortened } from "./rows.js";
import { Refusal } from "./session.js";
import { cleanBody } from "./text.js";
import { notify } from "./toasts.js";

const LONGEST = 1000; // characters of a reason, as the server counts them

const refused = (detail) => new Refusal({ code: "validation_failed", errors: [{ pointer: "/reason", detail }] });

/** A reason as it is sent. Throws a Refusal where the server would not take it. */
function reasonOf(text) {
  const reason = cleanBody(text).trim();
  const { length } = [...reason];
  if (length === 0) throw refused("Say in a few words what is wrong with it");
  if (length > LONGEST) throw refused(`That is too long: ${length} characters, of at most ${LONGEST}`);
  return reason;
}

export class Report {
  #message = null;

  /** `send(message, reason)` tells the moderators; `name(id)` gives a name or null. Made once. */
  constructor({ send, name }) {
    this.name = name;
    this.dialog = $("report-dialog");
    onSubmit($("report-form"), async (data) => {
      await send(this.#message, reasonOf(data.get("reason")));
      this.dialog.close();
      notify("The moderators of this room have your report.");
    });
  }

  open(message) {
    this.#message = message;
    $("report-form").reset();
    clearProblems(this.dialog);
    $("report-author").textContent = this.name(message.author) ?? "…";
    $("report-body").textContent = shortened(message.body);
    this.dialog.showModal();
    $("report-reason").focus();
  }
}
