// What happened to a room, in words for its timeline.

import { h } from "./dom.js";
import { moment, waitWords } from "./text.js";

const SYSTEM = "system"; // the actor of what happens by itself
const DEEDS = { "member.added": "added", "member.removed": "removed", "member.unbanned": "unbanned", "member.unmuted": "unmuted" };

/** Words where odd places are names, or null for what is not worth a line. `name(id)` gives a name or null. */
export function happening({ type, data, actor }, name) {
  const who = name(actor === SYSTEM ? null : actor) ?? "…";
  const whom = data.user ? (name(data.user) ?? "…") : "";
  if (type === "room.created") return actor === SYSTEM ? ["The room was opened"] : ["", who, " started the room"];
  if (type === "room.archived") return ["", who, data.archived === false ? " took the room into use again" : " archived the room"];
  if (type === "room.updated") return changes(who, data.new ?? {});
  if (type === "permissions.updated") return ["", who, " changed who may do what here"];
  if (type === "member.joined") return ["", whom || who, data.invite ? " came by an invite" : " joined"];
  if (type === "member.left") return ["", whom || who, " left"];
  if (type === "member.role_changed") return ["", who, " made ", whom, ` ${roleWord(data.new)}`];
  if (type === "member.banned") return ["", who, " banned ", whom, because(data)];
  if (type === "member.muted") return ["", who, " muted ", whom, `${data.until ? ` until ${moment(new Date(data.until))}` : ""}${because(data)}`];
  if (type === "member.unmuted" && actor === SYSTEM) return ["", whom, " may speak again"];
  if (DEEDS[type]) return ["", who, ` ${DEEDS[type]} `, whom];
  return aboutMessages(type, data, who);
}

function aboutMessages(type, data, who) {
  if (type === "pin.added") return ["", who, " pinned a message"];
  if (type === "pin.removed") return ["", who, " took a pin off"];
  if (type === "history.trimmed") return ["What was said earlier is kept no longer"];
  if (type !== "message.bulk_deleted") return null;
  const count = data.messages?.length ?? 0;
  return ["", who, ` deleted ${count} ${count === 1 ? "message" : "messages"}`];
}

const because = ({ reason }) => (reason ? `: ${reason}` : "");

function changes(who, { name, topic, visibility, settings = {} }) {
  const parts = [];
  if (name) parts.push(["renamed the room to ", name]);
  if (topic !== undefined) parts.push(topic ? ["set the topic to ", topic] : ["removed the topic"]);
  if (visibility) parts.push([`made the room ${visibility}`]);
  parts.push(...settingChanges(settings));
  if (parts.length === 0) parts.push(["changed the room"]);
  const words = ["", who, ""];
  parts.forEach(([text, title], index) => {
    const joint = index === 0 ? " " : index === parts.length - 1 ? " and " : ", ";
    words[words.length - 1] += joint + text;
    if (title) words.push(title, "");
  });
  return words;
}

function settingChanges({ slow_mode_seconds: pause, read_only: readOnly, retention_days: days, history_visibility: past }) {
  const parts = [];
  if (pause !== undefined) parts.push([pause > 0 ? `turned slow mode on (a message every ${waitWords(pause)})` : "turned slow mode off"]);
  if (readOnly !== undefined) parts.push([readOnly ? "made the room read-only" : "let everybody write again"]);
  if (days !== undefined) parts.push([days === null ? "lets messages be kept for good" : `lets messages be kept for ${days} ${days === 1 ? "day" : "days"}`]);
  if (past !== undefined) parts.push([past === "since_join" ? "hid the past from those who join" : "showed the past to everybody"]);
  return parts;
}

export function happeningNodes(words) {
  return h("span", {}, ...words.map((word, index) => (index % 2 ? h("bdi", {}, word) : word)));
}

export const roleWord = (role) => ({ owner: "an owner", admin: "an admin", moderator: "a moderator", member: "a member", guest: "a guest" })[role] ?? "something else";
