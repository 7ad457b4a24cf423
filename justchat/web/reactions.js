// The small menu of emoji that opens at a message.

import { $, h } from "./dom.js";

const QUICK = ["👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "👀"];
const GAP = 6;

export class ReactionMenu {
  #message = null;

  /** `onPick(message, emoji)` is called with what was chosen. */
  constructor(onPick) {
    this.menu = $("emoji-menu");
    this.listening = new AbortController();
    const { signal } = this.listening;
    this.menu.replaceChildren(...QUICK.map((emoji) => h("button", { type: "button", role: "menuitem", "aria-label": `React with ${emoji}`, data: { emoji } }, emoji)));
    this.menu.addEventListener("click", (event) => {
      const emoji = event.target.closest("[data-emoji]")?.dataset.emoji;
      if (!emoji || !this.#message) return;
      onPick(this.#message, emoji);
      this.close();
    }, { signal });
    this.menu.addEventListener("keydown", (event) => this.#step(event), { signal });
  }

  dispose() {
    this.listening.abort();
    this.close();
  }

  /** Open beside `anchor`, above it where there is room. */
  open(anchor, message) {
    this.#message = message;
    this.menu.showPopover();
    const at = anchor.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.menu;
    const top = at.top - height - GAP;
    this.menu.style.top = `${top >= GAP ? top : at.bottom + GAP}px`;
    this.menu.style.left = `${Math.max(GAP, Math.min(at.left, innerWidth - width - GAP))}px`;
    this.menu.firstChild.focus();
  }

  close() {
    if (this.menu.matches(":popover-open")) this.menu.hidePopover();
  }

  /** Arrow keys walk the emoji. */
  #step(event) {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!move) return;
    const buttons = [...this.menu.children];
    const next = (buttons.indexOf(document.activeElement) + move + buttons.length) % buttons.length;
    buttons[next].focus();
    event.preventDefault();
  }
}
