// Words for people: message bodies with links, days and times, and what a refusal means.

import { h } from "./dom.js";

const LINK = /https?:\/\/[^\s<>"'`\u0000-\u001f\u007f]+/giu;
const TRAILING = /[.,;:!?…»”’]+$/u;

/** Turn a body into nodes: text, and links that are http(s) and nothing else. */
export function bodyNodes(body) {
  const nodes = [];
  let at = 0;
  for (const match of body.matchAll(LINK)) {
    const address = trimmed(match[0]);
    const href = checked(address);
    if (!href) continue;
    if (match.index > at) nodes.push(body.slice(at, match.index));
    nodes.push(h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, address));
    at = match.index + address.length;
  }
  if (at < body.length) nodes.push(body.slice(at));
  return nodes;
}

/** Without the punctuation that ends a sentence, and without a bracket that was opened before the address. */
function trimmed(address) {
  let text = address.replace(TRAILING, "");
  for (const [open, close] of ["()", "[]", "{}"]) {
    let surplus = count(text, close) - count(text, open);
    for (; surplus > 0 && text.endsWith(close); surplus -= 1) text = text.slice(0, -1);
  }
  return text;
}

const count = (text, char) => text.split(char).length - 1;

function checked(address) {
  try {
    const url = new URL(address);
    return (url.protocol === "http:" || url.protocol === "https:") && url.hostname ? url.href : null;
  } catch {
    return null;
  }
}

/** What may be sent: no control characters, no halves of surrogate pairs, no blank edges. */
export function cleanBody(text) {
  return text
    .replace(/\r\n?/gu, "\n")
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/gu, "")
    .replace(/\p{Surrogate}/gu, "\ufffd")
    .replace(/^\n+|\s+$/gu, "");
}

/** True for one to three emoji and nothing else: these are shown large. */
export function isEmojiOnly(body) {
  return body.length <= 30 && /^(?:\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\ufe0f|\u200d\p{Extended_Pictographic})*\s*){1,3}$/u.test(body);
}

const clockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const dayFormat = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long" });
const yearFormat = new Intl.DateTimeFormat("en", { day: "numeric", month: "long", year: "numeric" });
const weekdayFormat = new Intl.DateTimeFormat("en", { weekday: "short" });
const shortFormat = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

export const clock = (date) => clockFormat.format(date);
export const fullTime = (date) => fullFormat.format(date);
export const dayKey = (date) => `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;

function daysAgo(date, now = new Date()) {
  const midnight = (d) => Date.UTC(d.getFullYear(), d.getMonth(), d.getDate());
  return Math.round((midnight(now) - midnight(date)) / 86_400_000);
}

export function dayName(date) {
  const ago = daysAgo(date);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  return ago > 300 ? yearFormat.format(date) : dayFormat.format(date);
}

/** When something last happened, short enough for a list. */
export function ago(date) {
  const days = daysAgo(date);
  if (days <= 0) return clock(date);
  if (days === 1) return "Yesterday";
  return days < 7 ? weekdayFormat.format(date) : shortFormat.format(date);
}

/** When something is or was, with its day where that is not today. */
export function moment(date) {
  return daysAgo(date) === 0 ? clock(date) : `${shortFormat.format(date)}, ${clock(date)}`;
}

/** How long a wait is, rounded up. */
export function waitWords(seconds) {
  const [count, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  const whole = Math.max(1, Math.ceil(count));
  return whole === 1 ? `1 ${unit}` : `${whole} ${unit}s`;
}

/** Until when somebody is muted; null is without an end. */
export function mutedWords(until) {
  return until ? `You are muted in this room until ${moment(new Date(until))}.` : "You are muted in this room.";
}

const KIND_WORDS = {
  unauthenticated: "Please sign in again.",
  token_expired: "Your sign-in has run out. Please sign in again.",
  forbidden: "You may not do that here.",
  not_a_member: "You are not in this room.",
  not_found: "That is not there any more, or not yours to see.",
  username_taken: "Somebody already has that user name.",
  last_owner: "You are the last owner. Make somebody else an owner first, or delete the room.",
  payload_too_large: "That is too long.",
  rate_limited: "That was a little too fast. Wait a moment and try again.",
  slow_mode: "This room is in slow mode. Wait a moment and try again.",
  muted: "You are muted in this room.",
  archived: "This room is archived.",
  precondition_failed: "It was changed meanwhile. Have a look at it first.",
  banned: "You are banned from this room.",
  room_overloaded: "This room is very busy. Try again in a moment.",
  room_unavailable: "This room is out of order just now. Try again in a moment.",
  storage_unavailable: "The server cannot save anything just now. Try again in a moment.",
  draining: "The server is restarting. Try again in a moment.",
  internal: "Something went wrong on the server.",
  unreachable: "The server cannot be reached.",
};

const TIME = /\b\d{4}-\d\d-\d\dT[\d:.]+Z/gu;
const SAID_BY_THE_SERVER = new Set(["muted", "conflict"]); // its detail knows more than we do

/** Say kindly what a refusal means, and how long to wait where that is known. */
export function kindly(refusal) {
  const { code, detail = "", retryAfterSeconds: wait = null } = refusal ?? {};
  if (code === "slow_mode" && wait) return `This room is in slow mode. You can write again in ${waitWords(wait)}.`;
  if (code === "rate_limited" && wait) return `That was a little too fast. Try again in ${waitWords(wait)}.`;
  const known = KIND_WORDS[code];
  if (known && !(detail && SAID_BY_THE_SERVER.has(code))) return known;
  return detail ? sentence(detail.replace(TIME, (time) => moment(new Date(time)))) : "That did not work.";
}

export function sentence(text) {
  const trimmedText = text.trim();
  const upper = trimmedText.charAt(0).toLocaleUpperCase() + trimmedText.slice(1);
  return /[.!?…]$/u.test(upper) ? upper : `${upper}.`;
}
