// The list of my rooms, with what was last said in each, and the foot of the list: who I am and how the connection is.

import { $, avatar, h, icon, paintAvatar, pressed, reconcile, show } from "./dom.js";
import { ago } from "./text.js";

const STATES = { connecting: "Connecting…", live: "Connected", waiting: "Reconnecting…", stopped: "Disconnected" };
const MARKS = { waiting: { icon: "clock", title: "A message is waiting to be sent" }, failed: { icon: "alert", title: "A message was not sent" } };

export class Sidebar {
  constructor(chat, onOpen) {
    this.chat = chat;
    this.onOpen = onOpen;
    this.list = $("room-list");
    this.filter = $("room-filter");
    this.filter.value = "";
    this.listening = new AbortController();
    const { signal } = this.listening;
    this.list.addEventListener("click", (event) => this.#pressed(event), { signal });
    this.list.addEventListener("keydown", (event) => this.#step(event), { signal });
    this.filter.addEventListener("input", () => this.render(), { signal });
    this.renderMe();
  }

  /** The foot of the list: me. */
  renderMe() {
    const { me, people } = this.chat;
    const name = me.display_name || me.username;
    $("me-name").textContent = name;
    people.faces.draw(paintAvatar($("me-avatar"), name, me.id), me.avatar_url);
  }

  close() {
    this.listening.abort();
    reconcile(this.list, []);
  }

  render() {
    const wanted = this.filter.value.trim().toLocaleLowerCase();
    const rooms = this.chat.sorted().map((room) => ({ room, title: this.chat.title(room) }));
    const shown = wanted ? rooms.filter(({ title }) => title.toLocaleLowerCase().includes(wanted)) : rooms;
    reconcile(this.list, shown.map(({ room, title }) => this.#row(room, title)));
    const status = $("status");
    const { name } = this.chat.connection.state;
    if (status.dataset.state !== name) {
      status.dataset.state = name;
      status.textContent = STATES[name];
    }
    this.#renderEmpty(rooms.length, shown.length);
  }

  #renderEmpty(all, shown) {
    if (!show($("rooms-empty"), shown === 0 && (all > 0 || this.chat.listed))) return;
    show($("rooms-empty-actions"), all === 0);
    $("rooms-empty-text").textContent = all === 0 ? "No rooms yet." : "No room of that name.";
  }

  #row(room, title) {
    const active = room.id === this.chat.active;
    const preview = this.#preview(room);
    const when = room.preview || room.info.created_at ? ago(room.activeAt) : "";
    const unread = room.unread > 0 && !active ? room.unread : 0;
    const states = this.chat.unsent.of(room.id).map((item) => item.state);
    const mark = states.includes("failed") ? "failed" : states.includes("waiting") ? "waiting" : null;
    const build = () => h("li", {},
      h("button", { class: "room-row", type: "button", "aria-current": active ? "true" : false, data: { act: "open" } },
        avatar(title, room.id, "room-avatar"),
        h("span", { class: "room-row-text" },
          h("span", { class: "room-row-line" },
            h("span", { class: "room-row-name" }, h("bdi", {}, title), room.info.visibility === "public" ? icon("globe") : null),
            h("time", { class: "room-row-time" }, when)),
          h("span", { class: "room-row-line" },
            h("span", { class: `room-row-last${preview.faint ? " faint" : ""}`, dir: "auto" }, preview.text),
            mark ? h("span", { class: `room-row-mark ${mark}`, title: MARKS[mark].title }, icon(MARKS[mark].icon)) : null,
            unread ? h("span", { class: "badge", "aria-label": `${unread} unread` }, unread > 99 ? "99+" : String(unread)) : null))));
    return { key: room.id, sign: JSON.stringify([title, active, preview, when, unread, mark, room.info.visibility]), build };
  }

  #preview(room) {
    const { preview } = room;
    if (!preview) return { text: room.info.topic || "", faint: true };
    if (preview.system) return { text: room.info.topic || "No messages yet", faint: true };
    if (preview.deleted) return { text: "Message deleted", faint: true };
    const text = preview.body.slice(0, 140).replace(/\s+/gu, " ");
    if (preview.author === this.chat.me.id) return { text: `You: ${text}` };
    const name = room.info.kind === "direct" ? null : this.chat.people.name(preview.author);
    return { text: name ? `${name}: ${text}` : text };
  }

  #pressed(event) {
    const press = pressed(event);
    if (press) this.onOpen(press.key);
  }

  /** Arrow keys walk the list. */
  #step(event) {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!move) return;
    const buttons = [...this.list.querySelectorAll("button")];
    const next = buttons[buttons.indexOf(document.activeElement) + move];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  }
}
