// The dialogs: a new room, public rooms, adding people, and "are you sure?".

import { $, avatar, h, pressed, reconcile, show } from "./dom.js";
import { clearProblems, nameless, onSubmit, showProblems } from "./forms.js";
import { Picker } from "./picker.js";
import { Refusal } from "./session.js";

const PAUSE_MS = 200;

/** Open a dialog anew. */
function open(dialog) {
  const form = dialog.querySelector("form");
  form?.reset();
  clearProblems(dialog);
  dialog.showModal();
}

/** All dialogs of the page; `context()` gives the present {chat, commands}. Made once. */
export class Dialogs {
  #room = null; // the room that the open dialog is about
  #search = 0;
  #timer = null;
  #answer = null;

  constructor(context) {
    this.context = context;
    for (const dialog of document.querySelectorAll("dialog")) {
      dialog.addEventListener("click", (event) => (event.target === dialog || event.target.closest("[data-close]")) && dialog.close());
    }
    const search = (text) => this.context().chat.people.search(text);
    const isMe = (user) => user.id === this.context().chat.me.id;
    this.newPeople = new Picker($("new-picker"), { id: "new-people", search, skip: isMe });
    this.addPeople = new Picker($("add-picker"), { id: "add-people", search, skip: (user) => this.#room?.members?.some((member) => member.user.id === user.id) });
    onSubmit($("new-form"), (data) => this.#create(data));
    onSubmit($("add-form"), () => this.#add());
    $("find-text").addEventListener("input", () => this.#findSoon());
    $("find-list").addEventListener("click", (event) => this.#pick(event));
    $("confirm-dialog").addEventListener("close", () => this.#confirmed());
  }

  closeAll() {
    for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  }

  openNew() {
    open($("new-dialog"));
    this.newPeople.reset();
    $("new-name").focus();
  }

  openAdd(room) {
    this.#room = room;
    open($("add-dialog"));
    this.addPeople.reset();
    $("add-people").focus();
  }

  openFind() {
    $("find-text").value = "";
    reconcile($("find-list"), []);
    show($("find-empty"), false);
    open($("find-dialog"));
    this.#find();
  }

  /** Ask before something that cannot be undone, or (`danger` false) that can; resolves to true or false. */
  confirm({ title, text, yes, danger = true }) {
    $("confirm-title").textContent = title;
    $("confirm-text").textContent = text;
    $("confirm-yes").textContent = yes;
    $("confirm-yes").classList.toggle("danger", danger);
    const dialog = $("confirm-dialog");
    dialog.returnValue = "";
    dialog.showModal();
    $("confirm-yes").focus();
    return new Promise((resolve) => (this.#answer = resolve));
  }

  #confirmed() {
    this.#answer?.($("confirm-dialog").returnValue === "yes");
    this.#answer = null;
  }

  async #create(data) {
    const name = data.get("name").trim();
    if (!name) throw nameless();
    const members = this.newPeople.users.map((user) => user.username);
    await this.context().commands.create({ kind: data.get("kind"), visibility: data.get("visibility"), name, ...(members.length > 0 ? { members } : {}) });
    $("new-dialog").close();
  }

  async #add() {
    const users = this.addPeople.users;
    if (users.length === 0) throw new Refusal({ code: "validation_failed", detail: "Choose somebody first" });
    for (const user of users) await this.context().commands.addMember(this.#room, user);
    $("add-dialog").close();
  }

  #findSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#find(), PAUSE_MS);
  }

  async #find() {
    const search = ++this.#search;
    const text = $("find-text").value.trim();
    try {
      const infos = await this.context().commands.publicRooms(text);
      if (search === this.#search) this.#showFound(infos, text);
    } catch (refusal) {
      if (search === this.#search) showProblems($("find-dialog"), refusal);
    }
  }

  #showFound(infos, text) {
    clearProblems($("find-dialog"));
    const { rooms } = this.context().chat;
    reconcile($("find-list"), infos.map((info) => {
      const mine = rooms.has(info.id);
      const note = [info.topic, info.member_count ? `${info.member_count} ${info.member_count === 1 ? "member" : "members"}` : ""].filter(Boolean).join(" · ");
      const build = () => h("li", { class: "find-row" }, avatar(info.name ?? "", info.id, "room-avatar"),
        h("span", { class: "member-name" }, h("bdi", {}, info.name), h("small", { dir: "auto" }, note)),
        h("button", { type: "button", class: `button ${mine ? "" : "primary"} compact`, data: { act: "join" } }, mine ? "Open" : "Join"));
      return { key: info.id, sign: `${info.name}|${note}|${mine}`, build };
    }));
    if (show($("find-empty"), infos.length === 0)) $("find-empty").textContent = text ? "No public room of that name." : "There are no public rooms yet.";
  }

  async #pick(event) {
    const press = pressed(event);
    if (!press) return;
    const { chat, commands } = this.context();
    try {
      if (chat.rooms.has(press.key)) chat.open(press.key);
      else await commands.join(press.key);
      $("find-dialog").close();
    } catch (refusal) {
      showProblems($("find-dialog"), refusal);
    }
  }
}
