// The open room's messages: scrolling, older history, and what is new below.

import { $, paintAvatar, pressed, reconcile, show } from "./dom.js";
import { timelineRows } from "./rows.js";

const NEAR_END = 80;
const NEAR_START = 400;
const REVEAL_PAGES = 20;
const FLASH_MS = 1_600;
const WINDOW_MAX = 1_000; // events kept on screen while reading along
const FOLLOWED = 300; // events in which the first new one is looked for

export class Timeline {
  #shown = null; // the room on screen
  #ready = false; // its first rows are there
  #stick = true; // stay at the newest message
  #lastSeen = 0; // room.last when the reader was at the end
  #oldest = 0; // where the rows on screen begin

  /** `acts` are what can be done with a message: name -> (message, control). */
  constructor(chat, acts) {
    this.chat = chat;
    this.acts = acts;
    this.scroller = $("scroller");
    this.list = $("timeline");
    this.listening = new AbortController();
    const { signal } = this.listening;
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { signal, passive: true });
    this.list.addEventListener("click", (event) => this.#pressed(event), { signal });
    $("jump").addEventListener("click", () => this.toEnd(), { signal });
    document.addEventListener("visibilitychange", () => this.#reading(), { signal });
    this.observer = new ResizeObserver(() => this.#stick && this.#scrollToEnd());
    this.observer.observe(this.scroller);
  }

  close() {
    this.listening.abort();
    this.observer.disconnect();
    reconcile(this.list, []);
  }

  toEnd() {
    this.#stick = true;
    this.render();
    this.#scrollToEnd();
    this.#reading();
  }

  render() {
    const { room } = this.chat;
    if (!room) {
      this.#shown = null;
      reconcile(this.list, []);
      return;
    }
    if (this.#shown !== room.id) this.#enter(room);
    if (this.#stick && room.events.length > WINDOW_MAX) room.trim();
    const anchor = this.#stick ? null : this.#anchor(room);
    reconcile(this.list, timelineRows(room, this.chat.unsent.of(room.id), this.#context()));
    this.#oldest = room.oldest;
    this.#renderEdges(room);
    if (!this.#ready && room.loaded) this.#firstLook();
    else if (this.#stick) this.#scrollToEnd();
    else if (anchor) this.scroller.scrollTop += anchor.node.getBoundingClientRect().top - anchor.top;
    this.#renderJump(room);
    this.#reading();
    this.#maybeOlder(room);
  }

  #enter(room) {
    this.#shown = room.id;
    this.#ready = false;
    this.#stick = true;
    this.#lastSeen = room.last;
    reconcile(this.list, []);
  }

  #context() {
    const { me, people } = this.chat;
    return { me: me.id, name: (id) => people.name(id), picture: (id) => people.picture(id), face: (id) => people.face(id) };
  }

  /** A room opens at its first new message, or at the end. */
  #firstLook() {
    this.#ready = true;
    const line = this.list.querySelector(".new-line");
    this.#scrollToEnd();
    if (!line) return;
    const top = line.getBoundingClientRect().top - this.scroller.getBoundingClientRect().top;
    if (top < 0) {
      this.#stick = false;
      this.scroller.scrollTop += top - 60;
    }
  }

  #renderEdges(room) {
    const title = this.chat.title(room);
    show($("older"), room.loading || room.fetching);
    if (!show($("beginning"), room.loaded && !room.more)) return;
    paintAvatar($("beginning-avatar"), title, room.id);
    $("beginning-title").textContent = title;
    $("beginning-text").textContent = beginningWords(room);
  }

  #renderJump(room) {
    const news = room.events.filter((event) => event.seq > this.#lastSeen && event.type === "message.created" && event.actor !== this.chat.me.id).length;
    $("jump-text").textContent = news === 0 ? "Latest" : `${news} new`;
    show($("jump"), !this.#stick && room.loaded);
  }

  #scrolled() {
    const { room } = this.chat;
    if (!room || !this.#ready) return;
    this.#stick = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < NEAR_END;
    this.#renderJump(room);
    this.#reading();
    this.#maybeOlder(room);
  }

  #maybeOlder(room) {
    if (this.#ready && room.more && room.oldest === this.#oldest && this.scroller.scrollTop < NEAR_START) this.chat.older(room);
  }

  #reading() {
    const { room } = this.chat;
    if (!room?.loaded || !this.#stick || document.hidden) return;
    this.#lastSeen = room.last;
    this.chat.read(room);
  }

  #scrollToEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  /**
   * The first row in sight that has its place: it must stay where it is when rows are put above it. The line above what
   * is new goes up with them to the first new message, and the eye goes with it, but not through all of a long past.
   */
  #anchor(room) {
    const edge = this.scroller.getBoundingClientRect().top;
    const moves = room.events.length < FOLLOWED ? ".day" : ".day, .new-line";
    for (const node of this.list.children) {
      const { top, bottom } = node.getBoundingClientRect();
      if (bottom > edge && !node.matches(moves)) return { node, top };
    }
    return null;
  }

  /** Bring a message into view, with older pages if need be; false if it is out of reach. */
  async reveal(id) {
    const { room } = this.chat;
    for (let page = 0; page < REVEAL_PAGES && room && !room.messages.find(id) && room.more; page += 1) await this.chat.older(room);
    const message = room === this.chat.room ? room?.messages.find(id) : null;
    if (!message) return false;
    this.#stick = false;
    this.render();
    const row = this.#row(message);
    row?.scrollIntoView({ block: "center" });
    row?.classList.add("found-row");
    setTimeout(() => row?.classList.remove("found-row"), FLASH_MS);
    return Boolean(row);
  }

  #row(message) {
    const keys = new Set([message.id, message.client_msg_id]);
    return [...this.list.children].find((row) => keys.has(row.dataset.key)) ?? null;
  }

  #pressed(event) {
    const press = pressed(event);
    const { room } = this.chat;
    if (!press && matchMedia("(hover: none)").matches) this.#pick(event.target.closest(".row"));
    if (!press || !room) return;
    if (press.act === "retry") this.chat.unsent.retry(press.key);
    else if (press.act === "discard") this.chat.unsent.discard(press.key);
    else if (press.act === "quote") this.acts.quote(press.control.dataset.about);
    else {
      const posted = room.events.find(({ type, data }) => type === "message.created" && (data.id === press.key || data.client_msg_id === press.key));
      if (posted) this.acts[press.act]?.(room.messages.find(posted.data.id), press.control);
    }
  }

  /** Without a mouse, a tap on a message shows what can be done with it. */
  #pick(row) {
    for (const other of this.list.querySelectorAll(".picked")) if (other !== row) other.classList.remove("picked");
    row?.classList.toggle("picked");
  }
}

/** What stands where the rows begin. */
function beginningWords(room) {
  if (room.oldest > 1) return room.info.settings?.history_visibility === "since_join" ? "You can read what was said since you came." : "What was said earlier is kept no longer.";
  return room.events.some((event) => event.type === "message.created") ? "This is where it began." : "Nothing said yet. Write the first message.";
}
