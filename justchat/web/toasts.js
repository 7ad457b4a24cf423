// Short notes at the edge of the page: they come, are read out, and go by themselves.

import { $, h } from "./dom.js";
import { kindly } from "./text.js";

const STAY_MS = 6_000;
const AT_ONCE = 4;

/** Tell the person something: a sentence, or a refusal to be put kindly. */
export function notify(what) {
  const text = typeof what === "string" ? what : kindly(what);
  const box = $("toasts");
  const note = h("p", { class: "toast", dir: "auto" }, text);
  box.append(note);
  while (box.children.length > AT_ONCE) box.firstChild.remove();
  setTimeout(() => note.remove(), STAY_MS);
}
