// Where a message is written: a box that grows, a count when it gets long, one draft per room.

import { $, show } from "./dom.js";
import { notify } from "./toasts.js";
import { cleanBody } from "./text.js";

const COUNT_FROM = 0.9; // of the limit
const TALLEST = 200;

export class Composer {
  #drafts = new Map(); // room -> text
  #room = null;

  constructor(chat, onSent) {
    this.chat = chat;
    this.onSent = onSent;
    this.text = $("composer-text");
    this.text.value = "";
    this.listening = new AbortController();
    const { signal } = this.listening;
    $("composer").addEventListener("submit", (event) => this.#submit(event), { signal });
    this.text.addEventListener("input", () => this.#fit(), { signal });
    this.text.addEventListener("keydown", (event) => this.#key(event), { signal });
  }

  close() {
    this.listening.abort();
  }

  render() {
    const { room } = this.chat;
    if (room?.id === this.#room) return;
    if (this.#room) this.#drafts.set(this.#room, this.text.value);
    this.#room = room?.id ?? null;
    this.text.value = this.#drafts.get(this.#room) ?? "";
    this.#fit();
    if (room && matchMedia("(pointer: fine)").matches) this.text.focus({ preventScroll: true });
  }

  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || matchMedia("(pointer: coarse)").matches) return;
    this.#submit(event);
  }

  #submit(event) {
    event.preventDefault();
    const body = cleanBody(this.text.value);
    if (!body) return;
    if (!this.chat.fits(body)) {
      notify("That message is too long for the server. Please split it.");
      return;
    }
    this.chat.send(body);
    this.text.value = "";
    this.#drafts.delete(this.#room);
    this.#fit();
    this.text.focus();
    this.onSent();
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
