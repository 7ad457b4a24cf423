// What members have reported: each message once, with all that was said about it, and what to do about it.

import { $, h, pressed, reconcile, show } from "../dom.js";
import { attemptIn } from "../forms.js";
import { moment } from "../text.js";
import { actsOn } from "./rights.js";

const LONG = 240; // characters that are certain to fit without scrolling
const LINES = 5;
const UNDER = { mutes: "muted", bans: "banned" };
const NOBODY = "Someone who left";

const nameOf = (user) => user?.display_name || user?.username || NOBODY;
const isLong = (body) => body.length > LONG || body.split("\n").length > LINES;

export class Reports {
  #room = null;
  #told = new Map(); // message/reporter -> {message, user, reason, at}, the message by its id
  #messages = new Map(); // id -> the message as it reads now
  #authors = new Map(); // id -> user
  #under = { mutes: new Set(), bans: new Set() }; // ids of users
  #cursor = null;
  #listed = false;

  /** `context()` gives the present {chat, commands}; `confirm(question)` asks; `sanction` is the dialog for mutes and bans. */
  constructor({ deeds, context, confirm, sanction }) {
    Object.assign(this, { deeds, context, confirm, sanction });
    this.part = $("reports-part");
    this.list = $("reports-list");
    this.list.addEventListener("click", (event) => this.#pressed(event));
    $("reports-more").addEventListener("click", () => this.#attempt(() => this.#showMore()));
  }

  open(room) {
    this.#room = room;
    for (const known of [this.#told, this.#messages, this.#authors]) known.clear();
    this.#cursor = null;
    this.#listed = false;
    this.#render();
    if (show(this.part, room.may("messages.delete_any"))) this.#attempt(() => this.#look());
  }

  /** Learn who is muted ("mutes") or banned ("bans"), to say so and not to offer it again. */
  learn(side, ids) {
    this.#under[side] = new Set(ids);
    this.#render();
  }

  /** Do something; what stands in the way is brought into sight, for the list may be long. */
  async #attempt(work) {
    await attemptIn(this.part, work);
    const problem = this.part.querySelector(".form-error");
    if (!problem.hidden) problem.scrollIntoView({ block: "nearest" });
  }

  async #look() {
    const room = this.#room;
    const { items, authors, cursor } = await this.deeds().reports(room, this.#cursor);
    if (room !== this.#room) return;
    for (const { message, user, reason, at } of items) {
      this.#messages.set(message.id, message);
      this.#told.set(`${message.id}/${user.id}`, { message: message.id, user, reason, at });
    }
    for (const user of authors) this.#authors.set(user.id, user);
    this.#cursor = cursor;
    this.#listed = true;
    this.#render();
  }

  async #showMore() {
    const before = this.list.children.length;
    await this.#look();
    this.#keepKeyboard(before);
  }

  #render() {
    reconcile(this.list, [...grouped(this.#told.values())].map(([id, told]) => this.#row(this.#messages.get(id), told)));
    show($("reports-none"), this.#listed && this.#told.size === 0 && this.#cursor === null);
    show($("reports-more"), this.#cursor !== null);
  }

  #row(message, told) {
    const name = nameOf(this.#authors.get(message.author));
    const marks = Object.keys(UNDER).filter((side) => this.#under[side].has(message.author)).map((side) => UNDER[side]);
    const acts = this.#actsOn(message);
    return {
      key: message.id,
      sign: JSON.stringify([message, told, name, marks, acts]),
      build: () => h("li", { class: "report", tabindex: "-1" },
        h("p", { class: "report-head" }, h("bdi", {}, name), h("small", {}, `wrote, ${moment(new Date(message.created_at))}${message.edited_at && !message.deleted ? ", edited since" : ""}`),
          ...marks.map((mark) => h("span", { class: "tag" }, mark))),
        reportedText(message, name),
        h("ul", { class: "reasons" }, ...told.map(({ user, reason, at }) => h("li", {},
          h("p", {}, h("bdi", {}, nameOf(user)), h("small", {}, `reported it, ${moment(new Date(at))}`)), h("p", { dir: "auto" }, reason)))),
        h("p", { class: "row-acts" }, ...acts.map(({ act, text, danger }) => h("button", { type: "button", class: `button compact${danger ? " danger" : ""}`, "aria-label": `${text}: ${name}`, data: { act } }, text)))),
    };
  }

  /** What can be done about a message: put it away, delete it, and see to it that its author does not go on. */
  #actsOn({ author, deleted }) {
    const acts = [{ act: "dismiss", text: "Dismiss" }];
    if (!deleted) acts.push({ act: "delete", text: "Delete message", danger: true });
    const user = this.#authors.get(author);
    if (!user || user.deleted) return acts;
    // Of somebody who is not among the members the server knows best whether anything can be done.
    const member = this.#room.members?.find((other) => other.user.id === author) ?? { user, role: "guest" };
    const offered = new Set(["mute", this.#under.bans.has(author) ? "" : "ban"]);
    return acts.concat(actsOn(this.#room, member, this.context().chat.me, this.#under.mutes.has(author)).filter(({ act }) => offered.has(act)));
  }

  #pressed(event) {
    const press = pressed(event);
    const message = this.#messages.get(press?.key);
    if (!message) return;
    if (press.act === "dismiss") this.#attempt(() => this.#dismiss(message));
    else if (press.act === "delete") this.#attempt(() => this.#delete(message));
    else this.sanction.open(press.act, this.#room, this.#authors.get(message.author));
  }

  /** Put away what is shown of what was said about a message; what came since stays. */
  async #dismiss(message) {
    const room = this.#room;
    const place = [...this.list.children].findIndex((row) => row.dataset.key === message.id);
    const shown = [...this.#told].filter(([, told]) => told.message === message.id);
    try {
      for (const [key, { user }] of shown) {
        await this.deeds().dismiss(room, message, user);
        if (room === this.#room) this.#told.delete(key);
      }
    } finally {
      this.#render();
    }
    this.#keepKeyboard(place);
  }

  async #delete(message) {
    const room = this.#room;
    const question = { title: "Delete this message?", text: "It disappears for everybody in the room.", yes: "Delete" };
    if (!(await this.confirm(question))) return;
    await this.context().commands.deleteMessage(message);
    if (room !== this.#room) return;
    this.#messages.set(message.id, { ...message, body: "", deleted: true });
    this.#render();
  }

  /** Where the control in use is gone, go on with the row at this place, or with what is there instead. */
  #keepKeyboard(place) {
    if (this.part.closest("dialog").contains(document.activeElement) && document.activeElement.checkVisibility()) return;
    const rows = [...this.list.children];
    const next = rows[place] ?? ($("reports-more").hidden ? rows.at(-1) : $("reports-more"));
    (next ?? $("reports-none")).focus();
  }
}

/** What was told, by message. */
function grouped(told) {
  const found = new Map();
  for (const one of told) found.set(one.message, [...(found.get(one.message) ?? []), one]);
  return found;
}

/** The text that was reported; one that is long scrolls, by keyboard, too. */
function reportedText({ body, deleted }, name) {
  if (deleted) return h("p", { class: "reported gone" }, "This message is gone: deleted or expired.");
  const scrolls = isLong(body) ? { tabindex: "0", role: "group", "aria-label": `Message of ${name}` } : {};
  return h("blockquote", { class: "reported", dir: "auto", ...scrolls }, body);
}
