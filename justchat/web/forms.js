// What all forms share: one submit at a time, and refusals shown where they belong.

import { Refusal } from "./session.js";
import { kindly, sentence } from "./text.js";

/** What a room without a name is told, in a form that has a field for it. */
export const nameless = () => new Refusal({ code: "validation_failed", errors: [{ pointer: "/name", detail: "A room needs a name" }] });

/** Run `work` on submit; while it runs the form is busy, and a refusal is written into the form. */
export function onSubmit(form, work, words = kindly) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "yes";
    clearProblems(form);
    try {
      await work(new FormData(form));
    } catch (refusal) {
      if (!refusal.code) throw refusal; // a bug, not a refusal
      showProblems(form, refusal, words);
    } finally {
      delete form.dataset.busy;
    }
  });
}

/** Do something that belongs to no form, and write a refusal into the box. */
export async function attemptIn(box, work) {
  clearProblems(box);
  try {
    await work();
  } catch (refusal) {
    if (!refusal.code) throw refusal;
    showProblems(box, refusal);
  }
}

export function clearProblems(form) {
  for (const node of form.querySelectorAll(".form-error, .field-error")) node.hidden = true;
  for (const node of form.querySelectorAll("[aria-invalid]")) node.removeAttribute("aria-invalid");
}

/** Say which field is wrong, or what else stands in the way. */
export function showProblems(form, refusal, words = kindly) {
  let placed = 0;
  for (const { pointer, detail } of refusal.errors ?? []) {
    placed += showField(form, pointer?.split("/").filter(Boolean)[0], sentence(detail)) ? 1 : 0;
  }
  if (refusal.code === "username_taken") placed += showField(form, "username", words(refusal)) ? 1 : 0;
  if (placed > 0) {
    form.querySelector("[aria-invalid]")?.focus();
    return;
  }
  const box = form.querySelector(".form-error");
  box.textContent = words(refusal);
  box.hidden = false;
}

function showField(form, name, text) {
  const note = name ? form.querySelector(`.field-error[data-for="${CSS.escape(name)}"]`) : null;
  if (!note || note.closest("[hidden]:not(.field-error)")) return false;
  note.textContent = text;
  note.hidden = false;
  form.elements[name]?.setAttribute("aria-invalid", "true");
  return true;
}
