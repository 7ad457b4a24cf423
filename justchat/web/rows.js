// From a room's events to the rows of its timeline: days, messages, what happened to the room, and what is on its way.

import { avatar, h, icon } from "./dom.js";
import { bodyNodes, clock, dayKey, dayName, fullTime, isEmojiOnly } from "./text.js";

const TOGETHER_MS = 5 * 60_000; // messages of one author within this time stand close

/** All rows of the room, oldest first. `context` is {me, name(id), mayDeleteAny}. */
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
    const words = isMessage ? null : systemWords(event, context);
    if (!isMessage && !words) continue;
    startDay(at);
    if (newLine !== null && event.seq > newLine && event.actor !== context.me) {
      rows.push({ key: "new", sign: "", build: () => h("li", { class: "new-line" }, h("span", {}, "New")) });
      newLine = group = null;
    }
    if (isMessage) {
      const first = !group || group.author !== event.data.author || at - group.at > TOGETHER_MS;
      rows.push(messageRow(room, event, at, first, context));
      group = { author: event.data.author, at };
    } else {
      rows.push({ key: `event ${event.seq}`, sign: words.join("|"), build: () => h("li", { class: "system" }, systemNodes(words)) });
      group = null;
    }
  }
  for (const item of unsent) {
    if (room.sent.get(item.id) === context.me) continue;
    const at = new Date(item.at);
    startDay(at);
    rows.push(unsentRow(item, at, group?.author !== context.me));
    group = { author: context.me, at };
  }
  markLast(rows);
  return rows;
}

function messageRow(room, event, at, first, context) {
  const message = room.current(event.data);
  const own = message.author === context.me;
  const gone = room.isGone(event.data);
  const name = context.name(message.author);
  const removable = !gone && (own || context.mayDeleteAny);
  return {
    key: own && message.client_msg_id ? message.client_msg_id : message.id,
    bubble: true,
    first,
    sign: JSON.stringify([first, gone, name, removable, gone ? "" : message.body, message.rev, "sent"]),
    build: () => bubbleRow({
      classes: [own ? "own" : "", gone ? "gone" : ""],
      first, own, name, author: message.author, at,
      body: gone ? ["Message deleted"] : bodyNodes(message.body),
      big: !gone && isEmojiOnly(message.body),
      marks: [message.edited_at ? h("span", {}, "edited") : null, own && !gone ? icon("check") : null],
      tools: removable ? [toolButton("delete", "bin", "Delete message")] : [],
    }),
  };
}

function unsentRow(item, at, first) {
  const failed = item.state === "failed";
  const marks = { waiting: icon("clock"), failed: icon("alert"), acked: icon("check") };
  const note = failed ? h("p", { class: "bubble-note" }, item.reason ?? "Not sent.", " ",
    h("button", { type: "button", class: "link", data: { act: "retry" } }, "Try again"), " ",
    h("button", { type: "button", class: "link", data: { act: "discard" } }, "Discard")) : null;
  return {
    key: item.id,
    bubble: true,
    first,
    sign: JSON.stringify([first, item.state, item.reason]),
    build: () => bubbleRow({
      classes: ["own", item.state === "acked" ? "" : item.state],
      first, own: true, name: null, author: "", at,
      body: bodyNodes(item.body), big: isEmojiOnly(item.body), marks: [marks[item.state]], tools: [], note,
    }),
  };
}

function bubbleRow({ classes, first, own, name, author, at, body, big, marks, tools, note = null }) {
  const heading = first && !own ? h("p", { class: "who", data: { hue: "" } }, h("bdi", {}, name ?? "…")) : null;
  const face = own ? null : first ? avatar(name ?? "", author) : h("span", { class: "avatar-gap" });
  const when = h("time", { datetime: at.toISOString(), title: fullTime(at) }, clock(at));
  if (heading) heading.dataset.hue = face.dataset.hue;
  return h("li", { class: ["row", first ? "first" : "", ...classes].filter(Boolean).join(" ") },
    face,
    h("div", { class: `bubble${big ? " big" : ""}` },
      heading,
      h("div", { class: "body", dir: "auto" }, ...body),
      h("span", { class: "meta" }, ...marks.slice(0, -1), when, marks.at(-1)),
      note),
    h("span", { class: "tools" }, ...tools));
}

function toolButton(act, name, label) {
  return h("button", { type: "button", class: "icon-button small", title: label, "aria-label": label, data: { act } }, icon(name));
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

const MEMBER_WORDS = {
  "member.joined": "joined",
  "member.left": "left",
  "member.added": "added",
  "member.removed": "removed",
  "member.banned": "banned",
  "member.unbanned": "unbanned",
  "member.muted": "muted",
  "member.unmuted": "unmuted",
};

/** What an event says in the timeline: words where odd places are names, or null for nothing. */
function systemWords({ type, data, actor }, { name }) {
  const who = name(actor) ?? "…";
  const whom = data.user ? (name(data.user) ?? "…") : "";
  if (type === "room.created") return ["", who, " started the room"];
  if (type === "room.archived") return ["", who, " archived the room"];
  if (type === "room.updated") return changeWords(who, data);
  if (type === "member.role_changed") return ["", who, " made ", whom, ` ${roleWord(data.new ?? data.role)}`];
  if (type === "member.joined" || type === "member.left") return ["", whom || who, ` ${MEMBER_WORDS[type]}`];
  return MEMBER_WORDS[type] ? ["", who, ` ${MEMBER_WORDS[type]} `, whom] : null;
}

function changeWords(who, data) {
  const { name, topic, visibility } = data.new ?? {};
  if (name) return ["", who, " renamed the room to ", name];
  if (topic !== undefined) return topic ? ["", who, " set the topic to ", topic] : ["", who, " removed the topic"];
  return visibility ? ["", who, ` made the room ${visibility}`] : ["", who, " changed the room"];
}

function systemNodes(words) {
  return h("span", {}, ...words.map((word, index) => (index % 2 ? h("bdi", {}, word) : word)));
}

export const roleWord = (role) => ({ owner: "an owner", admin: "an admin", moderator: "a moderator", member: "a member", guest: "a guest" })[role] ?? "something else";
