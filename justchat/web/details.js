// The panel beside a room: what it is, who is in it, and what I may do with it.

import { $, avatar, h, icon, paintAvatar, reconcile, show } from "./dom.js";

export class Details {
  #open = false;

  constructor(chat, actions) {
    this.chat = chat;
    this.panel = $("details");
    this.listening = new AbortController();
    const { signal } = this.listening;
    $("details-toggle").addEventListener("click", () => this.toggle(), { signal });
    $("details-close").addEventListener("click", () => this.toggle(false), { signal });
    this.panel.addEventListener("keydown", (event) => event.key === "Escape" && this.toggle(false), { signal });
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
    const isPublic = room.info.visibility === "public";
    const tags = direct ? ["Direct"] : [room.info.kind === "channel" ? "Channel" : "Group", isPublic ? "Public" : "Private"];
    reconcile($("details-kind"), tags.map((tag) => ({ key: tag, sign: "", build: () => h("span", { class: "tag" }, tag === "Private" ? icon("lock") : tag === "Public" ? icon("globe") : null, tag) })));
    show($("act-add"), !direct && room.may("members.invite"));
    show($("act-rename"), !direct && room.may("room.edit"));
    show($("act-delete"), !direct && room.info.me?.role === "owner");
    show($("act-leave"), !direct);
    this.#renderMembers(room);
  }

  #renderMembers(room) {
    const members = room.members ?? [];
    const rank = { owner: 0, admin: 1, moderator: 2 };
    const named = members.map(({ user, role }) => ({ user, role, name: user.display_name || user.username }));
    named.sort((a, b) => (rank[a.role] ?? 3) - (rank[b.role] ?? 3) || a.name.localeCompare(b.name));
    reconcile($("member-list"), named.map(({ user, role, name }) => ({
      key: user.id,
      sign: `${name}|${user.username}|${role}`,
      build: () => h("li", { class: "member" }, avatar(name, user.id),
        h("span", { class: "member-name" }, h("bdi", {}, name), user.id === this.chat.me.id ? h("em", {}, " (you)") : null, h("small", {}, `@${user.username}`)),
        role === "member" ? null : h("span", { class: "tag" }, role)),
    })));
    const count = Math.max(members.length, room.members ? 0 : (room.info.member_count ?? 0));
    $("member-count").textContent = count ? String(count) : "";
    const hidden = (room.info.member_count ?? 0) - members.length;
    if (show($("member-more"), members.length >= 200 && hidden > 0)) $("member-more").textContent = `and ${hidden} more`;
  }
}
