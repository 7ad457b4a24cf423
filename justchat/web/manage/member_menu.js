// The small menu at a member: what I can do to them.

import { $, h } from "../dom.js";

const GAP = 6;
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

export class MemberMenu {
  #about = null; // {room, member, acts}

  /** `onPick(act, room, member)` is called with what was chosen. Made once. */
  constructor(onPick) {
    this.menu = $("member-menu");
    this.menu.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      const about = this.#about;
      if (!button || !about) return;
      this.close();
      onPick(about.acts[[...this.menu.children].indexOf(button)], about.room, about.member);
    });
    this.menu.addEventListener("keydown", (event) => this.#step(event));
  }

  /** Open at `anchor`, below it where there is room. */
  open(anchor, room, member, acts) {
    this.#about = { room, member, acts };
    this.menu.replaceChildren(...acts.map(({ text, danger }) => h("button", { type: "button", role: "menuitem", class: danger ? "danger" : "" }, text)));
    this.menu.showPopover();
    const at = anchor.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.menu;
    const below = at.bottom + GAP;
    this.menu.style.top = `${below + height <= innerHeight - GAP ? below : Math.max(GAP, at.top - height - GAP)}px`;
    this.menu.style.left = `${Math.max(GAP, at.right - width)}px`;
    this.menu.firstChild.focus();
  }

  close() {
    this.#about = null;
    if (this.menu.matches(":popover-open")) this.menu.hidePopover();
  }

  /** Arrow keys walk the entries. */
  #step(event) {
    const move = STEPS[event.key];
    if (!move) return;
    event.preventDefault();
    const buttons = [...this.menu.children];
    buttons.at((buttons.indexOf(document.activeElement) + move) % buttons.length).focus();
  }
}
