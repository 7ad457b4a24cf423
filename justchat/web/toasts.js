// Short notes at the edge of the page: they come, are read out, and go by themselves.

import { $, h } from "./dom.js";
import { kindly } from "./text.js";

const STAY_MS = 6_000;
const STAY_WITH_ACTION_MS = 20_000;
const AT_ONCE = 4;

/** Tell the person something: a sentence, or a refusal to be put kindly. `action` is {label, run} of a button in it. */
export function notify(what, action = null) {
  const text = typeof what === "string" ? what : kindly(what);
  const box = $("toasts");
  const note = h("p", { class: "toast" }, h("span", { dir: "auto" }, text));
  if (action) note.append(button(action, note));
  box.append(note);
  lift(box);
  while (box.children.length > AT_ONCE) box.firstChild.remove();
  setTimeout(() => note.remove(), action ? STAY_WITH_ACTION_MS : STAY_MS);
}

/** Take away what is said: it is for nobody else to read or to press. */
export function hush() {
  $("toasts").replaceChildren();
}

/** Put the notes into the dialog that is open: what is outside of it can neither be seen well nor pressed. */
function lift(box) {
  const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
  if (box.parentNode === (dialog ?? document.body)) return;
  (dialog ?? document.body).append(box);
  dialog?.addEventListener("close", () => lift(box), { once: true });
}

function button({ label, run }, note) {
  const node = h("button", { type: "button", class: "link" }, label);
  node.addEventListener("click", () => {
    note.remove();
    run();
  });
  return node;
}
