// Where a message is written: a box that grows, a count when it gets long, one draft per room. The same box changes a
// message that was sent, and answers one; where nobody can write, a word stands in its place.

import { $, show } from "./dom.js";
import { notify } from "./toasts.js";
import { cleanBody } from "./text.js";

const COUNT_FROM = 0.9; // of the limit
const TALLEST = 200;

export class Composer {
  #drafts = new Map(); // room -> text
  #room = null;
  #task = null; // {kind: "edit" | "reply", message} while the box is for that
  #busy = false; // a change is on its way

  /** `edit(message, body)` may reject with a Refusal, which goes to `onRefused`. */
  constructor(chat, { onSent, edit, onRefused }) {
    Object.assign(this, { chat, onSent, edit, onRefused });
    this.text = $("composer-text");
    this.text.value = "";
    this.listening = new AbortController();
    const { signal } = this.listening;
    $("composer").addEventListener("submit", (event) => this.#submit(event), { signal });
    $("composer-cancel").addEventListener("click", () => this.cancel(), { signal });
    this.text.addEventListener("input", () => this.#fit(), { signal });
    this.text.addEventListener("keydown", (event) => this.#key(event), { signal });
  }

  close() {
    this.#end();
    this.listening.abort();
  }

  render() {
    const { room } = this.chat;
    if (room?.id !== this.#room) this.#enter(room);
    if (this.#task && room?.messages.goneBy(this.#task.message.id)) this.cancel();
    const silence = room?.silence ?? null;
    if (silence && this.#task) this.cancel();
    show($("composer-box"), silence === null);
    if (show($("composer-note"), silence !== null) && $("composer-note-text").textContent !== silence) $("composer-note-text").textContent = silence;
  }

  /** Change a message of one's own. */
  change(message) {
    this.#begin({ kind: "edit", message }, "Editing your message");
    this.text.value = message.body;
    this.#fit();
    this.text.setSelectionRange(message.body.length, message.body.length);
  }

  /** Answer a message. */
  reply(message) {
    const name = message.author === this.chat.me.id ? "yourself" : (this.chat.people.name(message.author) ?? "…");
    this.#begin({ kind: "reply", message }, `Replying to ${name}`);
  }

  cancel() {
    if (!this.#task) return;
    this.#end();
    this.#fit();
    if (document.activeElement === document.body) this.text.focus({ preventScroll: true });
  }

  #enter(room) {
    this.#end();
    if (this.#room) this.#drafts.set(this.#room, this.text.value);
    this.#room = room?.id ?? null;
    this.text.value = this.#drafts.get(this.#room) ?? "";
    this.#fit();
    if (room && matchMedia("(pointer: fine)").matches) this.text.focus({ preventScroll: true });
  }

  #begin(task, words) {
    this.#end();
    if (task.kind === "edit") this.#drafts.set(this.#room, this.text.value);
    this.#task = task;
    $("composer-bar-text").textContent = words;
    $("composer-send").setAttribute("aria-label", task.kind === "edit" ? "Save" : "Send");
    show($("composer-bar"), true);
    this.text.focus({ preventScroll: true });
  }

  /** Leave the task; what was being written before a change comes back. */
  #end() {
    if (this.#task?.kind === "edit") this.text.value = this.#drafts.get(this.#room) ?? "";
    this.#task = null;
    $("composer-send").setAttribute("aria-label", "Send");
    show($("composer-bar"), false);
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === "Escape" && this.#task) this.cancel();
    else if (event.key === "ArrowUp" && !this.#task && this.text.value === "") this.#changeLast(event);
    else if (event.key === "Enter" && !event.shiftKey && !matchMedia("(pointer: coarse)").matches) this.#submit(event);
  }

  #changeLast(event) {
    const { room, me } = this.chat;
    const message = room?.may("messages.edit_own") ? room.messages.lastOf(me.id) : null;
    if (!message) return;
    event.preventDefault();
    this.change(message);
  }

  #submit(event) {
    event.preventDefault();
    const body = cleanBody(this.text.value);
    if (!body || this.#busy) return;
    if (!this.chat.fits(body)) notify("That message is too long for the server. Please split it.");
    else if (this.#task?.kind === "edit") this.#save(this.#task, body);
    else this.#send(body);
  }

  #send(body) {
    this.chat.send(body, this.#task?.message ?? null);
    this.#end();
    this.text.value = "";
    this.#drafts.delete(this.#room);
    this.#fit();
    this.text.focus();
    this.onSent();
  }

  async #save(task, body) {
    this.#busy = true;
    try {
      if (body !== task.message.body) await this.edit(task.message, body);
      if (this.#task === task) this.cancel();
    } catch (refusal) {
      // What was written stays in the box, to be tried again.
      this.onRefused(refusal);
    } finally {
      this.#busy = false;
    }
  }

  #fit() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, TALLEST)}px`;
    $("composer-send").disabled = this.text.value.trim() === "";
    const left = this.chat.limits.body_max_characters - [...this.text.value].length;
    const count = $("composer-count");
    count.textContent = String(left);
    count.classList.toggle("over", left < 0);
    show(count, left < this.chat.limits.body_max_characters * (1 - COUNT_FROM));
  }
}
