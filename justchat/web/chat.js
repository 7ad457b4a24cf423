// The chat itself, without a pixel: my rooms, and the frames that change them.

import { Connection } from "./connection.js";
import { Peeks } from "./peeks.js";
import { Reads } from "./reads.js";
import { Room } from "./room.js";
import { Roster } from "./roster.js";
import { Refusal } from "./session.js";
import { Staying } from "./staying.js";
import { kindly } from "./text.js";
import { Unsent } from "./unsent.js";

const HISTORY = 50;
const BEHIND_MS = 5_000;
const OUT = new Set(["not_found", "not_a_member", "banned"]); // refusals that say that a room is not mine
const CLOSED = new Set(["forbidden", "muted", "banned"]);
const OVER = { 4501: "refused", 4502: "revoked" }; // close codes that end the sign-in, and the word for it
const ENDS = new Set(["room.deleted", "member.left", "member.removed", "member.banned"]);

export class Chat {
  rooms = new Map();
  active = null; // the open room
  listed = false; // the room list has been read
  limits = { body_max_characters: 4000, frame_max_bytes: 16_384 };
  #covered = new Map(); // rooms the present connection subscribed to by itself -> {epoch, head_seq, unread}
  #listing = false;
  #asked = new Set(); // unknown rooms being looked up
  #behind = new Map(); // room -> last seq at the previous look

  /**
   * `onChange()` follows every visible change, `onNotice(textOrRefusal)` tells the person something, `onSignIn({user_agent,
   * address})` that they, or somebody, signed in elsewhere.
   */
  constructor({ session, people, onChange, onNotice, onSignIn }) {
    Object.assign(this, { session, people, onChange, onNotice, onSignIn });
    this.me = session.user;
    people.learn(this.me);
    this.reads = new Reads((room, seq) => this.connection.tell({ type: "read", room, data: { seq } }));
    this.unsent = new Unsent({ user: this.me.id, send: (item) => this.#post(item), words: (room, refusal) => this.words(room, refusal), onChange, onNotice });
    this.connection = new Connection({
      hello: () => this.#hello(),
      onFrame: (frame) => this.#frame(frame),
      onState: (state) => this.#state(state),
      onExpired: () => this.staying.renew(),
    });
    this.staying = new Staying(session, this.connection);
    this.roster = new Roster(this);
    this.peeks = new Peeks(this);
  }

  start() {
    this.connection.start();
    this.#reload();
    this.ticker = setInterval(() => this.#catchUp(), BEHIND_MS);
  }

  stop() {
    clearInterval(this.ticker);
    this.roster.stop();
    this.reads.stop();
    this.staying.stop();
    this.connection.stop();
  }

  get room() {
    return this.rooms.get(this.active) ?? null;
  }

  /** My rooms, the liveliest first. */
  sorted() {
    return [...this.rooms.values()].sort((a, b) => b.activeAt - a.activeAt || (a.id < b.id ? -1 : 1));
  }

  /** What a room is called; a direct room is called like the other person. */
  title(room) {
    if (room.info.kind !== "direct") return room.info.name || "Room without a name";
    const { peer } = room.info;
    if (peer) return peer.display_name || peer.username || "Someone who left";
    if (!room.members) this.roster.look(room, "members");
    const other = room.members?.find((member) => member.user.id !== this.me.id);
    return other ? other.user.display_name || other.user.username : "Direct conversation";
  }

  open(id) {
    if (this.active === id) return;
    this.room?.trim();
    this.active = id;
    const room = this.room;
    if (room) {
      room.newAfter = room.unread > 0 ? room.readSeq : null;
      if (room.loaded) this.roster.open(room);
      else this.#load(room);
    }
    this.onChange();
  }

  /** `answered` is the message that this answers. */
  send(body, answered = null) {
    if (this.room) this.unsent.add(this.room.id, body, answered);
  }

  /** Say what a refusal in a room means; the room knows better than the refusal why nobody can write in it. */
  words(room, refusal) {
    return (refusal.code === "forbidden" && this.rooms.get(room)?.silence) || kindly(refusal);
  }

  /** True if the body fits the server's limits. */
  fits(body) {
    const room = "0".repeat(64);
    const frame = JSON.stringify({ type: "send", id: room, room, data: { client_msg_id: room, body, reply_to: room, thread_root: room } });
    const { body_max_characters: characters, frame_max_bytes: bytes } = this.limits;
    return [...body].length <= characters && new TextEncoder().encode(frame).length <= bytes;
  }

  /** Get the page before the window; whoever asks meanwhile waits for the same one. */
  older(room) {
    if (room.fetching) return room.fetching;
    if (!room.loaded || !room.more || !this.connection.live) return Promise.resolve();
    room.fetching = this.#fetchOlder(room).finally(() => {
      room.fetching = null;
      this.onChange();
    });
    this.onChange();
    return room.fetching;
  }

  async #fetchOlder(room) {
    const { epoch, oldest } = room;
    try {
      const { data } = await this.connection.ask({ type: "fetch", room: room.id, data: { before: oldest, limit: HISTORY } });
      if (room.epoch === epoch && room.oldest === oldest) room.prepend(data.events, data.more);
    } catch (refusal) {
      if (refusal.passes) await pause(refusal);
      else room.more = false;
    }
  }

  /** Everything up to the newest event has been seen. */
  read(room) {
    if (!room.loaded || (room.unread === 0 && room.readSeq === room.last)) return;
    if (room.unread > 0) this.reads.set(room.id, room.last);
    room.unread = 0;
    room.readSeq = room.last;
    this.onChange();
  }

  /** Take a room of mine into the list, or take over what is new about it. */
  add(info) {
    const present = this.rooms.get(info.id);
    if (present) {
      // Lists do not say who is muted; a room that is loaded knows better what I may do in it.
      present.learn(present.loaded ? { ...info, me: undefined } : info);
      present.readElsewhere(info);
      return;
    }
    const room = new Room(info);
    const told = this.#covered.get(room.id);
    room.begin(info, told);
    room.epoch = told?.epoch ?? room.epoch;
    this.rooms.set(room.id, room);
    if (room.id === this.active) this.#load(room);
    else if (!this.#covered.has(room.id)) this.#listen(room);
    this.unsent.flush(room.id);
    this.onChange();
  }

  remove(id) {
    if (!this.rooms.delete(id)) return;
    for (const item of this.unsent.of(id)) this.unsent.discard(item.id);
    this.reads.forget(id);
    if (this.active === id) this.active = null;
    this.onChange();
  }

  // --- the room list ---

  async #reload() {
    if (this.#listing) return;
    this.#listing = true;
    const known = [...this.rooms.keys()];
    try {
      const infos = await this.session.all("/users/me/rooms", { limit: 100 });
      const mine = new Set(infos.map((info) => info.id));
      for (const info of infos) this.add(info);
      for (const id of known) if (!mine.has(id)) this.remove(id);
      if (!this.listed && this.active && !mine.has(this.active)) this.active = null;
      this.listed = true;
      this.peeks.run();
    } catch (refusal) {
      if (refusal.code !== "unreachable" && this.session.user) this.onNotice(refusal);
    }
    this.#listing = false;
    this.onChange();
  }

  /** Something came from a room that is not in the list: look whether it is ours now. */
  async #discover(id) {
    if (this.#asked.has(id)) return;
    this.#asked.add(id);
    try {
      const info = await this.session.call("GET", `/rooms/${id}`);
      if (info.me?.role) this.add(info);
    } catch {
      // Not for us, or gone again.
    }
    this.#asked.delete(id);
  }

  // --- what the server says ---

  async #hello() {
    const token = await this.staying.token();
    const resume = {};
    let space = this.limits.frame_max_bytes - token.length - 1024;
    for (const room of [...this.rooms.values()].sort((a, b) => b.loaded - a.loaded)) {
      space -= JSON.stringify([room.id, room.position()]).length;
      if (room.epoch !== null && space > 0) resume[room.id] = room.position();
    }
    return { token, subscribe: "all", resume };
  }

  #state(state) {
    if (state.name !== "live") {
      this.#covered.clear();
      this.unsent.lost(state.code === 1009 || state.code === 4500 ? "The server would not take this message." : null);
      for (const room of this.rooms.values()) room.loading = room.repairing = room.lagging = false;
    }
    if (state.name === "stopped" && OVER[state.code]) this.session.end(OVER[state.code]);
    this.onChange();
  }

  #frame(frame) {
    const { type, id, data } = frame;
    const room = this.rooms.get(frame.room);
    if (type === "welcome") this.#welcome(data);
    else if (type === "ack") this.unsent.acked(data?.client_msg_id ?? id, frame.seq);
    else if (type === "error") this.#refused(frame);
    else if (type === "unsubscribed") this.#unsubscribed(room, data);
    else if (type === "subscribed") this.#subscribed(room, data);
    else if (type === "reset") this.#reset(room, data);
    else if (type === "lagging") this.#lagging(room, data);
    else if (type === "caught_up") this.#caughtUp(room, data);
    else if (type === "expiring") this.staying.heed(data);
    else if (type === "signed_in") this.onSignIn(data);
    else if (room && Number.isInteger(frame.seq)) this.#event(room, frame);
    else if (frame.room && !room && this.listed) this.#discover(frame.room);
  }

  #welcome({ limits, rooms }) {
    this.limits = { ...this.limits, ...limits };
    for (const { id, epoch, head_seq: head, unread } of rooms ?? []) {
      this.#covered.set(id, { epoch, head_seq: head, unread });
      const room = this.rooms.get(id);
      if (!room) continue;
      room.head = Math.max(room.head, head);
      if (!room.loaded) room.epoch = epoch;
      else if (room.epoch !== epoch) this.#load(room);
    }
    if (this.room && !this.room.loaded) this.#load(this.room);
    for (const id of this.unsent.rooms()) this.unsent.flush(id);
    this.reads.flush();
    this.#reload();
  }

  async #load(room) {
    if (room.loading || !this.connection.live) return;
    room.loading = true;
    this.onChange();
    let again = false;
    try {
      const frame = await this.connection.ask({ type: "subscribe", room: room.id, data: { history: HISTORY } });
      if (frame.type === "subscribed") this.#snapshot(room, frame.data);
    } catch (refusal) {
      if (OUT.has(refusal.code)) this.remove(room.id);
      else if (refusal.passes) again = await pause(refusal);
      else this.onNotice(refusal);
    }
    room.loading = false;
    this.onChange();
    if (again && room === this.room) this.#load(room);
  }

  #snapshot(room, data) {
    room.snapshot(data);
    for (const event of data.events) this.#settle(event);
    this.unsent.settleUpTo(room.id, data.head_seq);
    if (room.id === this.active) this.roster.open(room);
  }

  /** Have everything after `last` sent, and what follows it. */
  async #listen(room) {
    if (room.repairing || !this.connection.live) return;
    room.repairing = true;
    const data = { after: room.last, ...(room.epoch === null ? {} : { epoch: room.epoch }) };
    const frame = await this.connection.ask({ type: "subscribe", room: room.id, data }).catch(() => null);
    room.repairing = false;
    if (frame) this.#frame(frame);
  }

  #subscribed(room, data) {
    if (!room) {
      if (data.state?.id) this.add(data.state);
      return;
    }
    room.learn(data.state);
    if (room.epoch !== null && room.epoch !== data.epoch) {
      this.#reset(room, data);
      return;
    }
    room.epoch = data.epoch;
    room.head = Math.max(room.head, data.head_seq);
    for (const event of data.events ?? []) this.#event(room, event);
    this.onChange();
  }

  #reset(room, { epoch, head_seq: head }) {
    if (!room) return;
    if (room.loaded) this.#load(room);
    else Object.assign(room, { epoch, last: head, head });
  }

  #lagging(room, { head_seq: head }) {
    if (!room) return;
    room.lagging = true;
    room.head = Math.max(room.head, head ?? 0);
    this.onChange();
  }

  #caughtUp(room, { seq }) {
    if (!room) return;
    room.lagging = false;
    room.head = Math.max(room.head, seq ?? 0);
    if (room.loaded && room.last < room.head) this.#listen(room);
    this.onChange();
  }

  #unsubscribed(room, data) {
    if (!room || !["removed", "banned", "deleted", "left"].includes(data?.reason)) return;
    if (data.reason !== "left") this.onNotice(`You are no longer in “${this.title(room)}”.`);
    this.remove(room.id);
  }

  #event(room, event) {
    const outcome = room.offer(event);
    if (outcome === "gap") this.#listen(room);
    if (outcome !== "new") return;
    if (room.last >= room.head) room.lagging = false;
    this.#settle(event);
    const { type, data, actor } = event;
    if (type === "message.created") room.posted(event, actor === this.me.id);
    if (ENDS.has(type) && (type === "room.deleted" || data.user === this.me.id)) this.#ended(room, event);
    else this.roster.changed(room, event);
    this.onChange();
  }

  #ended(room, { type, data, actor }) {
    const title = this.title(room);
    const why = data.reason ? `: ${data.reason}` : ".";
    if (type === "member.banned") this.onNotice(`You were banned from “${title}”${why}`);
    else if (actor !== this.me.id) this.onNotice(type === "room.deleted" ? `“${title}” was deleted.` : `“${title}” is closed to you now: you were taken out.`);
    this.remove(room.id);
  }

  #settle({ type, data }) {
    if (type === "message.created" && data.author === this.me.id && data.client_msg_id) this.unsent.settle(data.client_msg_id);
  }

  #refused({ id, room, data }) {
    const refusal = new Refusal(data ?? {}, data?.status);
    const isMine = this.unsent.refused(id, refusal);
    if (!this.rooms.has(room)) return;
    if (!isMine && OUT.has(refusal.code)) this.remove(room);
    else if (isMine && CLOSED.has(refusal.code)) this.roster.look(this.rooms.get(room), "me"); // the page did not know
  }

  #post(item) {
    if (!this.rooms.has(item.room)) return false;
    const data = { client_msg_id: item.id, body: item.body, ...item.answers };
    return this.connection.tell({ type: "send", id: item.id, room: item.room, data });
  }

  /** Look for rooms that fell behind and do not move: a lost frame must not stay unnoticed. */
  #catchUp() {
    for (const room of this.rooms.values()) {
      const stuck = room.loaded && room.last < room.head && this.#behind.get(room.id) === room.last;
      this.#behind.set(room.id, room.last);
      if (stuck) this.#listen(room);
    }
  }
}

/** Wait until what was refused may be asked for again; true. */
const pause = ({ againMs }) => new Promise((resolve) => setTimeout(resolve, againMs, true));
