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
  while (box.children.length > AT_ONCE) box.firstChild.remove();
  setTimeout(() => note.remove(), action ? STAY_WITH_ACTION_MS : STAY_MS);
}

function button({ label, run }, note) {
  const node = h("button", { type: "button", class: "link" }, label);
  node.addEventListener("click", () => {
    note.remove();
    run();
  });
  return node;
}
