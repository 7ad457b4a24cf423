// The panel beside a room: what it is, what is pinned in it, who is in it, and what I may do with it and them.

import { $, h, icon, paintAvatar, pressed, reconcile, show } from "./dom.js";
import { actsOn } from "./manage/rights.js";
import { shortened } from "./rows.js";
import { waitWords } from "./text.js";

export class Details {
  #open = false;

  /**
   * `actions` are what can be done with the room, by button; `pins` are {show(message), unpin(message)}; `onMember(control,
   * room, member)` opens the menu of what can be done to a member.
   */
  constructor(chat, actions, pins, onMember) {
    Object.assign(this, { chat, pins, onMember });
    this.panel = $("details");
    this.listening = new AbortController();
    const { signal } = this.listening;
    $("details-toggle").addEventListener("click", () => this.toggle(), { signal });
    $("details-close").addEventListener("click", () => this.toggle(false), { signal });
    this.panel.addEventListener("keydown", (event) => event.key === "Escape" && this.toggle(false), { signal });
    $("pin-list").addEventListener("click", (event) => this.#pressed(event), { signal });
    $("member-list").addEventListener("click", (event) => this.#pick(event), { signal });
    for (const [id, action] of Object.entries(actions)) {
      $(id).addEventListener("click", () => this.chat.room && action(this.chat.room), { signal });
    }
  }

  close() {
    this.listening.abort();
    this.#open = false;
    show(this.panel, false);
  }

  toggle(open = !this.#open) {
    this.#open = open;
    this.render();
    if (open) $("details-close").focus();
    else $("details-toggle").focus();
  }

  render() {
    const { room } = this.chat;
    if (!room) this.#open = false;
    $("details-toggle").setAttribute("aria-expanded", String(this.#open));
    if (!show(this.panel, this.#open)) return;
    const title = this.chat.title(room);
    paintAvatar($("details-avatar"), title, room.id);
    $("details-name").textContent = title;
    $("details-topic").textContent = room.info.topic ?? "";
    const direct = room.info.kind === "direct";
    reconcile($("details-kind"), tags(room.info).map(([text, sign]) => ({ key: text, sign: "", build: () => h("span", { class: "tag" }, sign ? icon(sign) : null, text) })));
    const archived = Boolean(room.info.settings?.archived);
    show($("act-add"), !direct && room.may("members.invite"));
    show($("act-invite"), !direct && room.may("members.invite"));
    show($("act-settings"), !direct && !archived && room.may("room.edit"));
    show($("act-moderation"), !direct && ["messages.delete_any", "members.ban", "members.mute"].some((right) => room.may(right)));
    show($("act-archive"), !direct && room.may("room.edit"));
    $("act-archive-text").textContent = archived ? "Use again" : "Archive";
    show($("act-delete"), !direct && room.may("room.delete"));
    show($("act-leave"), !direct);
    this.#renderPins(room);
    this.#renderMembers(room);
  }

  #renderPins(room) {
    const { people } = this.chat;
    const pins = (room.pins ?? []).map(({ message }) => room.messages.find(message.id) ?? message);
    const living = pins.filter((message) => room.pinned.has(message.id) && !message.deleted && !room.messages.goneBy(message.id));
    const mayUnpin = room.may("messages.pin");
    show($("pins"), living.length > 0);
    $("pin-count").textContent = String(living.length);
    reconcile($("pin-list"), living.map((message) => {
      const name = people.name(message.author) ?? "…";
      const text = shortened(message.body);
      const build = () => h("li", { class: "pin" },
        h("button", { type: "button", class: "pin-text", data: { act: "show" } }, h("bdi", {}, name), h("span", { dir: "auto" }, text)),
        mayUnpin ? h("button", { type: "button", class: "icon-button small", title: "Take the pin off", "aria-label": "Take the pin off", data: { act: "unpin" } }, icon("close")) : null);
      return { key: message.id, sign: JSON.stringify([name, text, mayUnpin]), build };
    }));
  }

  #pressed(event) {
    const press = pressed(event);
    const pin = this.chat.room?.pins?.find(({ message }) => message.id === press?.key);
    if (pin) this.pins[press.act](pin.message);
  }

  #pick(event) {
    const press = pressed(event);
    const { room } = this.chat;
    const member = room?.members?.find(({ user }) => user.id === press?.key);
    if (member) this.onMember(press.control, room, member);
  }

  #renderMembers(room) {
    const members = room.members ?? [];
    const muted = new Set(room.mutes?.map((mute) => mute.user.id));
    const rank = { owner: 0, admin: 1, moderator: 2 };
    const named = members.map(({ user, role }) => ({ user, role, name: user.display_name || user.username }));
    named.sort((a, b) => (rank[a.role] ?? 3) - (rank[b.role] ?? 3) || a.name.localeCompare(b.name));
    reconcile($("member-list"), named.map(({ user, role, name }) => {
      const isMuted = muted.has(user.id);
      const hasMenu = actsOn(room, { user, role }, this.chat.me).length > 0;
      const build = () => h("li", { class: "member" }, this.chat.people.face(user.id),
        h("span", { class: "member-name" }, h("bdi", {}, name), user.id === this.chat.me.id ? h("em", {}, " (you)") : null, h("small", {}, `@${user.username}`)),
        isMuted ? h("span", { class: "tag" }, "muted") : null,
        role === "member" ? null : h("span", { class: "tag" }, role),
        hasMenu ? h("button", { type: "button", class: "icon-button small", title: "More", "aria-label": `What to do with ${name}`, "aria-haspopup": "menu", data: { act: "menu" } }, icon("more")) : null);
      return { key: user.id, sign: JSON.stringify([name, user.username, role, user.avatar_url, isMuted, hasMenu]), build };
    }));
    const count = Math.max(members.length, room.members ? 0 : (room.info.member_count ?? 0));
    $("member-count").textContent = count ? String(count) : "";
    const hidden = (room.info.member_count ?? 0) - members.length;
    if (show($("member-more"), members.length >= 200 && hidden > 0)) $("member-more").textContent = `and ${hidden} more`;
  }
}

/** What kind of room it is: [text, icon] each. */
function tags({ kind, visibility, settings = {} }) {
  const found = kind === "direct" ? [["Direct"]] : [[kind === "channel" ? "Channel" : "Group"], visibility === "public" ? ["Public", "globe"] : ["Private", "lock"]];
  if (settings.archived) found.push(["Archived", "box"]);
  if (settings.read_only) found.push(["Read-only"]);
  if (settings.slow_mode_seconds > 0) found.push([`Every ${waitWords(settings.slow_mode_seconds)}`, "clock"]);
  if (settings.retention_days) found.push([`Kept ${settings.retention_days} ${settings.retention_days === 1 ? "day" : "days"}`]);
  return found;
}
