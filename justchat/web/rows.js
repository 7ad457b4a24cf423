// From a room's events to the rows of its timeline: days, messages, what happened to the room, and what is on its way.

import { h, icon } from "./dom.js";
import { happening, happeningNodes } from "./happenings.js";
import { bodyNodes, clock, dayKey, dayName, fullTime, isEmojiOnly } from "./text.js";

const TOGETHER_MS = 5 * 60_000; // messages of one author within this time stand close
const QUOTED = 160; // characters
const TOMBSTONES = { deleted: "Message deleted", expired: "Message expired" };
const NAMED = 20; // people in the title of a reaction

/** All rows of the room, oldest first. `context` is {me, name(id), picture(id), face(id)}. */
export function timelineRows(room, unsent, context) {
  const rows = [];
  let day = null;
  let group = null; // {author, at} of the row above
  const startDay = (at) => {
    const key = dayKey(at);
    if (key === day) return;
    day = key;
    group = null;
    rows.push({ key: `day ${key}`, sign: dayName(at), build: () => h("li", { class: "day" }, h("span", {}, dayName(at))) });
  };
  let newLine = room.newAfter;
  for (const event of room.events) {
    const at = new Date(event.ts);
    const isMessage = event.type === "message.created";
    const words = isMessage ? null : happening(event, context.name);
    if (!isMessage && !words) continue;
    startDay(at);
    if (newLine !== null && event.seq > newLine && event.actor !== context.me) {
      rows.push({ key: "new", sign: "", build: () => h("li", { class: "new-line" }, h("span", {}, "New")) });
      newLine = group = null;
    }
    if (isMessage) {
      const first = !group || group.author !== event.data.author || at - group.at > TOGETHER_MS;
      rows.push(messageRow(room, event.data, at, first, context));
      group = { author: event.data.author, at };
    } else {
      rows.push({ key: `event ${event.seq}`, sign: words.join("|"), build: () => h("li", { class: "system" }, happeningNodes(words)) });
      group = null;
    }
  }
  for (const item of unsent) {
    if (room.messages.has(item.id, context.me)) continue;
    const at = new Date(item.at);
    startDay(at);
    rows.push(unsentRow(room, item, at, group?.author !== context.me, context));
    group = { author: context.me, at };
  }
  markLast(rows);
  return rows;
}

function messageRow(room, posted, at, first, context) {
  const message = room.messages.find(posted.id) ?? posted;
  const own = message.author === context.me;
  const gone = room.messages.goneBy(message.id);
  const name = context.name(message.author);
  const shown = first && !own;
  const pinned = !gone && room.pinned.has(message.id);
  const quote = gone ? null : quoteOf(room, message.reply_to ?? message.thread_root, context);
  const reactions = gone ? [] : reactionsOf(room, message.id, context);
  const tools = gone ? [] : toolsFor(room, { own, pinned });
  return {
    key: own && message.client_msg_id ? message.client_msg_id : message.id,
    bubble: true,
    first,
    sign: JSON.stringify([first, gone, name, shown && context.picture(message.author), tools, pinned, quote, reactions, gone ? "" : message.body, message.rev]),
    build: () => bubbleRow({
      classes: [own ? "own" : "", gone ? "gone" : ""],
      first, own, name, face: shown ? context.face(message.author) : null, at, quote, reactions,
      body: gone ? [TOMBSTONES[gone]] : bodyNodes(message.body),
      big: !gone && isEmojiOnly(message.body),
      marks: gone ? [null] : messageMarks(message, own, pinned),
      tools: tools.map((tool) => toolButton(tool)),
    }),
  };
}

function messageMarks(message, own, pinned) {
  return [
    pinned ? titled(icon("pin"), "Pinned") : null,
    message.expires_at ? titled(icon("timer"), `Disappears ${fullTime(new Date(message.expires_at))}`) : null,
    message.edited_at ? h("span", { class: "edited", title: `Edited ${fullTime(new Date(message.edited_at))}` }, "edited") : null,
    own ? icon("check") : null,
  ];
}

const titled = (node, title) => h("span", { class: "mark", title, role: "img", "aria-label": title }, node);

/** What I may do with a message, as names of tools. */
function toolsFor(room, { own, pinned }) {
  return [
    room.may("reactions.add") ? "add-reaction" : null,
    room.silence === null ? "reply" : null,
    own && room.may("messages.edit_own") ? "edit" : null,
    room.may("messages.pin") ? (pinned ? "unpin" : "pin") : null,
    !own && isModerated(room) ? "report" : null,
    room.may(own ? "messages.delete_own" : "messages.delete_any") ? "delete" : null,
  ].filter(Boolean);
}

/** True if there is somebody who sees reports: not between two people, and not while the room is archived. */
const isModerated = ({ info }) => info.kind !== "direct" && !info.settings?.archived;

const TOOLS = {
  "add-reaction": ["smile", "React"],
  reply: ["reply", "Reply"],
  edit: ["pencil", "Edit message"],
  pin: ["pin", "Pin message"],
  unpin: ["unpin", "Take the pin off"],
  report: ["flag", "Report message…"],
  delete: ["bin", "Delete message"],
};

function toolButton(act) {
  const [name, label] = TOOLS[act];
  return h("button", { type: "button", class: "icon-button small", title: label, "aria-label": label, data: { act } }, icon(name));
}

function reactionsOf(room, id, { me, name }) {
  return room.messages.reactions(id).map(({ emoji, users }) => {
    const names = users.slice(0, NAMED).map((user) => (user === me ? "you" : (name(user) ?? "…")));
    const others = users.length - names.length;
    const mine = users.includes(me);
    return { emoji, count: users.length, mine, fixed: !mine && !room.may("reactions.add"), who: names.join(", ") + (others > 0 ? ` and ${others} more` : "") };
  });
}

function reactionChip({ emoji, count, mine, fixed, who }) {
  const label = `${emoji} ${count}: ${who}`;
  return h("li", {}, h("button", { type: "button", class: "reaction", title: who, "aria-label": label, "aria-pressed": String(mine), disabled: fixed, data: { act: "react", emoji } },
    h("span", {}, emoji), h("b", {}, String(count))));
}

/** What a message answers: {id, name, text}, or null. */
function quoteOf(room, id, context) {
  if (!id) return null;
  const message = room.messages.find(id);
  if (!message) return { id, name: "", text: "An earlier message" };
  const gone = room.messages.goneBy(id);
  return { id, name: context.name(message.author) ?? "…", text: gone ? TOMBSTONES[gone] : shortened(message.body) };
}

export function shortened(body) {
  const line = body.replace(/\s+/gu, " ");
  return line.length > QUOTED ? `${[...line].slice(0, QUOTED).join("")}…` : line;
}

function unsentRow(room, item, at, first, context) {
  const failed = item.state === "failed";
  const marks = { waiting: icon("clock"), failed: icon("alert"), acked: icon("check") };
  const quote = quoteOf(room, item.answers?.reply_to, context);
  const note = failed ? h("p", { class: "bubble-note" }, item.reason ?? "Not sent.", " ",
    h("button", { type: "button", class: "link", data: { act: "retry" } }, "Try again"), " ",
    h("button", { type: "button", class: "link", data: { act: "discard" } }, "Discard")) : null;
  return {
    key: item.id,
    bubble: true,
    first,
    sign: JSON.stringify([first, item.state, item.reason, quote]),
    build: () => bubbleRow({
      classes: ["own", item.state === "acked" ? "" : item.state],
      first, own: true, name: null, face: null, at, quote, reactions: [],
      body: bodyNodes(item.body), big: isEmojiOnly(item.body), marks: [marks[item.state]], tools: [], note,
    }),
  };
}

function bubbleRow({ classes, first, own, name, face, at, quote, reactions, body, big, marks, tools, note = null }) {
  const heading = first && !own
    ? h("p", { class: "who", data: { hue: face.dataset.hue } }, h("bdi", {}, name ?? "…"))
    : h("p", { class: "unseen" }, own ? "You" : (name ?? "…")); // for who listens, and sees no sides
  const when = h("time", { datetime: at.toISOString(), title: fullTime(at) }, clock(at));
  return h("li", { class: ["row", first ? "first" : "", ...classes].filter(Boolean).join(" ") },
    own ? null : (face ?? h("span", { class: "avatar-gap" })),
    h("div", { class: "stack" },
      h("div", { class: `bubble${big ? " big" : ""}` },
        heading,
        quote ? quoteButton(quote) : null,
        h("div", { class: "body", dir: "auto" }, ...body),
        h("span", { class: "meta" }, ...marks.slice(0, -1), when, marks.at(-1)),
        note),
      reactions.length > 0 ? h("ul", { class: "reactions", "aria-label": "Reactions" }, ...reactions.map(reactionChip)) : null,
      tools.length > 0 ? h("span", { class: "tools" }, ...tools) : null));
}

function quoteButton({ id, name, text }) {
  return h("button", { type: "button", class: "quote", data: { act: "quote", about: id } }, name ? h("bdi", {}, name) : null, h("span", { dir: "auto" }, text));
}

/** The last bubble of a group has its corner. */
function markLast(rows) {
  rows.forEach((row, index) => {
    const next = rows[index + 1];
    if (!row.bubble || (next?.bubble && !next.first)) return;
    const { build } = row;
    row.sign += "last";
    row.build = () => {
      const node = build();
      node.classList.add("last");
      return node;
    };
  });
}
