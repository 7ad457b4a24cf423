// The page, put together: gate or chat, one redraw per frame, and the room that the address names.

import { Account } from "./account/account.js";
import { deviceName } from "./account/sessions.js";
import { Chat } from "./chat.js";
import { Commands } from "./commands.js";
import { Composer } from "./composer.js";
import { Details } from "./details.js";
import { Dialogs } from "./dialogs.js";
import { $, paintAvatar, show } from "./dom.js";
import { Gate } from "./gate.js";
import { codeInAddress } from "./manage/invites.js";
import { Manage } from "./manage/manage.js";
import { People } from "./people.js";
import { ReactionMenu } from "./reactions.js";
import { Report } from "./report.js";
import { Session } from "./session.js";
import { Sidebar } from "./sidebar.js";
import { Timeline } from "./timeline.js";
import { hush, notify } from "./toasts.js";

const session = new Session((reason) => leave(reason));
const gate = new Gate(session, enter);
let present = null; // {chat, commands, sidebar, timeline, composer, details, menu} while signed in
const dialogs = new Dialogs(() => present);
const manage = new Manage({ context: () => present, confirm: (question) => dialogs.confirm(question), attempt });
const report = new Report({
  send: (message, reason) => present.commands.report(message, reason),
  name: (id) => present.chat.people.name(id),
});
const account = new Account({ session, context: () => present, confirm: (question) => dialogs.confirm(question), onProfile: showMe });
let redraw = null;

function enter() {
  gate.close();
  const people = new People(session, changed);
  const chat = new Chat({ session, people, onChange: changed, onNotice: notify, onSignIn: tellOfSignIn });
  const commands = new Commands(chat);
  const sidebar = new Sidebar(chat, openRoom);
  const menu = new ReactionMenu((message, emoji) => react(message, emoji));
  const timeline = new Timeline(chat, messageActs(menu));
  const composer = new Composer(chat, {
    onSent: () => timeline.toEnd(),
    edit: (message, body) => commands.editMessage(message, body),
    onRefused: notify,
  });
  const details = new Details(chat, {
    "act-add": (room) => dialogs.openAdd(room),
    "act-invite": (room) => manage.invites.open(room),
    "act-settings": (room) => manage.settings.open(room),
    "act-moderation": (room) => manage.moderation.open(room),
    "act-archive": (room) => archiveRoom(room),
    "act-leave": (room) => leaveRoom(room),
    "act-delete": (room) => eraseRoom(room),
  }, { show: (message) => reveal(message.id), unpin: (message) => pin(message, false) }, (...about) => manage.open(...about));
  present = { chat, commands, sidebar, timeline, composer, details, menu };
  show($("app"), true);
  const code = codeInAddress();
  chat.active = roomInAddress();
  chat.start();
  changed();
  if (code) manage.arrive(code);
}

/** Show what is new about the person who is signed in. */
function showMe(own) {
  present.chat.me = own;
  present.chat.people.learn(own);
  present.sidebar.renderMe();
  changed();
}

function tellOfSignIn({ user_agent: agent, address }) {
  notify(`New sign-in from ${deviceName(agent)}, ${address}.`, { label: "See your sessions", run: () => account.open("sessions") });
}

function leave(reason) {
  const leaving = present;
  present = null;
  if (leaving) {
    dialogs.closeAll();
    hush();
    manage.menu.close();
    leaving.chat.stop();
    if (reason === "asked") leaving.chat.unsent.forget();
    leaving.menu.dispose();
    for (const view of [leaving.sidebar, leaving.timeline, leaving.composer, leaving.details]) view.close();
  }
  history.replaceState(null, "", location.pathname);
  document.title = "JustChat";
  show($("app"), false);
  gate.open(reason);
}

// --- drawing ---

function changed() {
  if (redraw !== null || !present) return;
  const run = () => {
    redraw = null;
    if (present) draw(present);
  };
  redraw = document.hidden ? setTimeout(run, 50) : requestAnimationFrame(run);
}

function draw({ chat, sidebar, timeline, composer, details }) {
  const { room } = chat;
  const waiting = chat.active !== null && (room || !chat.listed);
  $("app").dataset.view = waiting ? "room" : "list";
  show($("welcome"), !waiting);
  show($("room"), Boolean(room));
  if (room) drawHead(chat, room);
  drawBanner(chat);
  sidebar.render();
  composer.render();
  timeline.render();
  details.render();
  rememberAddress(chat);
  const unread = [...chat.rooms.values()].filter((other) => other.unread > 0 && (other !== room || document.hidden)).length;
  const title = room ? `${chat.title(room)} · JustChat` : "JustChat";
  document.title = unread > 0 ? `(${unread}) ${title}` : title;
}

function drawHead(chat, room) {
  const title = chat.title(room);
  const count = room.members ? room.members.length : (room.info.member_count ?? 0);
  const people = count > 0 ? `${count} ${count === 1 ? "member" : "members"}` : "";
  paintAvatar($("room-avatar"), title, room.id);
  $("room-name").textContent = title;
  $("room-sub").textContent = [people, room.info.topic].filter(Boolean).join(" · ");
  show($("lagging"), room.lagging);
}

function drawBanner(chat) {
  const { state } = chat.connection;
  if (!show($("banner"), state.name !== "live")) return;
  const seconds = Math.max(0, Math.ceil(((state.retryAt ?? 0) - Date.now()) / 1000));
  const words = {
    connecting: "Connecting…",
    waiting: seconds > 1 ? `No connection. Trying again in ${seconds} s. What you write is kept.` : "No connection. What you write is kept.",
    stopped: stoppedWords(state.code),
  };
  if ($("banner-text").textContent !== words[state.name]) $("banner-text").textContent = words[state.name];
  $("banner").dataset.state = state.name;
  show($("banner-now"), state.name !== "connecting");
  if (state.name === "waiting" && seconds > 1) setTimeout(changed, 1000);
}

function stoppedWords(code) {
  if (code === 4504) return "This account is connected too many times. Close another tab first.";
  if (code === 4503) return "This page is out of date. Please reload it.";
  return "The server closed the connection.";
}

// --- the room in the address ---

function roomInAddress() {
  const match = /^#\/r\/([A-Za-z0-9_-]{1,64})$/u.exec(location.hash);
  return match ? match[1] : null;
}

function rememberAddress(chat) {
  const wanted = chat.active ? `#/r/${chat.active}` : "";
  if (location.hash !== wanted) history.replaceState(null, "", wanted || location.pathname);
}

function openRoom(id) {
  if (present.chat.active === null) history.pushState(null, "", `#/r/${id}`); // so that "back" leads to the list on a phone
  present.chat.open(id);
}

addEventListener("popstate", () => {
  const code = codeInAddress();
  if (present && code) {
    changed(); // the address names the open room again
    manage.arrive(code);
    return;
  }
  const id = roomInAddress();
  if (present && (id === null || present.chat.rooms.has(id))) present.chat.open(id);
});

// --- commands with a question before or a note after ---

async function attempt(work) {
  try {
    await work();
  } catch (refusal) {
    if (!refusal.code) throw refusal;
    notify(refusal);
  }
}

/** What can be done with a message in the timeline, by the name of its control. */
function messageActs(menu) {
  return {
    "add-reaction": (message, control) => menu.open(control, message),
    react: (message, control) => react(message, control.dataset.emoji),
    reply: (message) => present.composer.reply(message),
    edit: (message) => present.composer.change(message),
    pin: (message) => pin(message, true),
    unpin: (message) => pin(message, false),
    report: (message) => report.open(message),
    delete: (message) => deleteMessage(message),
    quote: (id) => reveal(id),
  };
}

/** React, or take it back. */
function react(message, emoji) {
  const { chat, commands } = present;
  const wanted = !chat.room?.messages.hasReacted(message.id, emoji, chat.me.id);
  return attempt(() => commands.react(message, emoji, wanted));
}

function pin(message, wanted) {
  return attempt(() => present.commands.pin(message, wanted));
}

async function reveal(id) {
  if (!(await present.timeline.reveal(id))) notify("That message is too far back to show it here.");
}

async function deleteMessage(message) {
  const question = { title: "Delete this message?", text: "It disappears for everybody in the room.", yes: "Delete" };
  if (await dialogs.confirm(question)) await attempt(() => present.commands.deleteMessage(message));
}

async function leaveRoom(room) {
  const question = { title: "Leave this room?", text: `You will no longer get messages from “${present.chat.title(room)}”.`, yes: "Leave" };
  if (await dialogs.confirm(question)) await attempt(() => present.commands.leave(room));
}

async function archiveRoom(room) {
  const archived = !room.info.settings?.archived;
  const question = { title: "Archive this room?", text: "Everything can still be read, but nobody can add anything until it is used again.", yes: "Archive" };
  if (!archived || (await dialogs.confirm(question))) await attempt(() => present.commands.archive(room, archived));
}

async function eraseRoom(room) {
  const question = { title: "Delete this room?", text: `“${present.chat.title(room)}” and its messages are gone for everybody.`, yes: "Delete room" };
  if (await dialogs.confirm(question)) await attempt(() => present.commands.erase(room));
}

for (const id of ["new-open", "welcome-new", "empty-new"]) $(id).addEventListener("click", () => dialogs.openNew());
for (const id of ["find-open", "welcome-find", "empty-find"]) $(id).addEventListener("click", () => dialogs.openFind());
$("room-back").addEventListener("click", () => present.chat.open(null));
$("account-open").addEventListener("click", () => account.open());
$("sign-out").addEventListener("click", () => session.logout());
$("banner-now").addEventListener("click", () => {
  if (present.chat.connection.state.name === "stopped") present.chat.connection.start();
  else present.chat.connection.nudge();
});

if (session.user || (await session.resume())) enter();
else gate.open();
