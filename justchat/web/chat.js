// The chat itself, without a pixel: my rooms, and the frames that change them.

import { Connection } from "./connection.js";
import { Reads } from "./reads.js";
import { Room } from "./room.js";
import { Refusal } from "./session.js";
import { Unsent } from "./unsent.js";

const HISTORY = 50;
const PEEKED_ROOMS = 20;
const PEEKED_EVENTS = 20;
const PEEK_PAUSE_MS = 150; // stays below the server's command rate
const BEHIND_MS = 5_000;
const MEMBERS_PAUSE_MS = 300;
const MEMBERS_SHOWN = 200;
const ENDS = new Set(["room.deleted", "member.left", "member.removed", "member.banned"]);

export class Chat {
  rooms = new Map();
  active = null; // the open room
  listed = false; // the room list has been read
  limits = { body_max_characters: 4000, frame_max_bytes: 16_384 };
  #covered = new Map(); // rooms the present connection subscribed to by itself -> {epoch, head_seq}
  #listing = false;
  #peeking = false;
  #asked = new Set(); // unknown rooms being looked up
  #memberTimers = new Map();
  #behind = new Map(); // room -> last seq at the previous look

  /** `onChange()` follows every visible change, `onNotice(textOrRefusal)` tells the person something. */
  constructor({ session, people, onChange, onNotice }) {
    Object.assign(this, { session, people, onChange, onNotice });
    this.me = session.user;
    people.learn(this.me);
    this.reads = new Reads(this.me.id);
    this.unsent = new Unsent({ user: this.me.id, send: (item) => this.#post(item), onChange });
    this.connection = new Connection({
      hello: () => this.#hello(),
      onFrame: (frame) => this.#frame(frame),
      onState: (state) => this.#state(state),
      onExpired: () => session.renew(),
    });
  }

  start() {
    this.connection.start();
    this.#reload();
    this.ticker = setInterval(() => this.#catchUp(), BEHIND_MS);
  }

  stop() {
    clearInterval(this.ticker);
    for (const timer of this.#memberTimers.values()) clearTimeout(timer);
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
    if (!room.members) this.#loadMembers(room);
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
      if (room.loaded) this.#loadMembers(room);
      else this.#load(room);
    }
    this.onChange();
  }

  send(body) {
    if (this.room) this.unsent.add(this.room.id, body);
  }

  /** True if the body fits the server's limits. */
  fits(body) {
    const room = "0".repeat(64);
    const frame = JSON.stringify({ type: "send", id: room, room, data: { client_msg_id: room, body } });
    const { body_max_characters: characters, frame_max_bytes: bytes } = this.limits;
    return [...body].length <= characters && new TextEncoder().encode(frame).length <= bytes;
  }

  async older(room) {
    if (!room.loaded || !room.more || room.fetching || !this.connection.live) return;
    room.fetching = true;
    this.onChange();
    const { epoch, oldest } = room;
    try {
      const { data } = await this.connection.ask({ type: "fetch", room: room.id, data: { before: oldest, limit: HISTORY } });
      if (room.epoch === epoch && room.oldest === oldest) room.prepend(data.events, data.more);
    } catch (refusal) {
      if (refusal.code !== "unreachable") room.more = false;
    }
    room.fetching = false;
    this.onChange();
  }

  /** Everything up to the newest event has been seen. */
  read(room) {
    if (!room.loaded || (room.unread === 0 && room.readSeq === room.last)) return;
    room.unread = 0;
    room.readSeq = room.last;
    this.reads.set(room.id, room.last);
    this.onChange();
  }

  /** Take a room of mine into the list, or take over what is new about it. */
  add(info) {
    const present = this.rooms.get(info.id);
    if (present) {
      present.learn(info);
      return;
    }
    const room = new Room(info);
    room.readSeq = this.reads.of(room.id) ?? room.last;
    room.epoch = this.#covered.get(room.id)?.epoch ?? room.epoch;
    this.rooms.set(room.id, room);
    if (room.id === this.active) this.#load(room);
    else if (!this.#covered.has(room.id)) this.#listen(room);
    this.unsent.flush(room.id);
    this.onChange();
  }

  remove(id) {
    if (!this.rooms.delete(id)) return;
    for (const item of this.unsent.of(id)) this.unsent.discard(item.id);
    this.reads.keepOnly(this.rooms);
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
      this.#peekAll();
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

  /** Learn what was last said in rooms that have not been opened. */
  async #peekAll() {
    if (this.#peeking) return;
    this.#peeking = true;
    const silent = this.sorted().filter((room) => !room.loaded && !room.preview).slice(0, PEEKED_ROOMS);
    for (const room of silent) {
      if (!this.connection.live) break;
      const data = { before: room.last + 1, limit: PEEKED_EVENTS };
      const page = await this.connection.ask({ type: "fetch", room: room.id, data }).catch(() => null);
      if (page && !room.loaded) room.peek(page.data.events, this.me.id);
      this.onChange();
      await new Promise((resolve) => setTimeout(resolve, PEEK_PAUSE_MS));
    }
    this.#peeking = false;
  }

  // --- what the server says ---

  async #hello() {
    const token = await this.session.token();
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
    if (state.name === "stopped" && state.code === 4502) this.session.end("revoked");
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
    else if (room && Number.isInteger(frame.seq)) this.#event(room, frame);
    else if (frame.room && !room && this.listed) this.#discover(frame.room);
  }

  #welcome({ user, limits, rooms }) {
    this.people.learn(user);
    this.limits = { ...this.limits, ...limits };
    for (const { id, epoch, head_seq: head } of rooms ?? []) {
      this.#covered.set(id, { epoch, head_seq: head });
      const room = this.rooms.get(id);
      if (!room) continue;
      room.head = Math.max(room.head, head);
      if (!room.loaded) room.epoch = epoch;
      else if (room.epoch !== epoch) this.#load(room);
    }
    if (this.room && !this.room.loaded) this.#load(this.room);
    for (const id of this.unsent.rooms()) this.unsent.flush(id);
    this.#reload();
  }

  async #load(room) {
    if (room.loading || !this.connection.live) return;
    room.loading = true;
    this.onChange();
    try {
      const frame = await this.connection.ask({ type: "subscribe", room: room.id, data: { history: HISTORY } });
      if (frame.type === "subscribed") this.#snapshot(room, frame.data);
    } catch (refusal) {
      if (refusal.code === "not_found" || refusal.code === "not_a_member") this.remove(room.id);
      else if (refusal.code !== "unreachable") this.onNotice(refusal);
    }
    room.loading = false;
    this.onChange();
  }

  #snapshot(room, data) {
    room.snapshot(data);
    for (const event of data.events) this.#settle(event);
    this.unsent.settleUpTo(room.id, data.head_seq);
    if (room.id === this.active) this.#loadMembers(room);
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
    if (type === "message.created" && actor !== this.me.id) room.unread += 1;
    if (ENDS.has(type) && (type === "room.deleted" || data.user === this.me.id)) this.#ended(room, type, actor);
    else if (type.startsWith("member.")) this.#membersChanged(room, data);
    this.onChange();
  }

  #ended(room, type, actor) {
    const what = type === "room.deleted" ? "was deleted" : "is closed to you now: you were taken out";
    if (actor !== this.me.id) this.onNotice(`“${this.title(room)}” ${what}.`);
    this.remove(room.id);
  }

  #settle({ type, data }) {
    if (type === "message.created" && data.author === this.me.id && data.client_msg_id) this.unsent.settle(data.client_msg_id);
  }

  #refused({ id, room, data }) {
    const refusal = new Refusal(data ?? {}, data?.status);
    if (this.unsent.refused(id, refusal)) return;
    if (room && (refusal.code === "not_found" || refusal.code === "not_a_member")) this.remove(room);
  }

  #post(item) {
    if (!this.rooms.has(item.room)) return false;
    return this.connection.tell({ type: "send", id: item.id, room: item.room, data: { client_msg_id: item.id, body: item.body } });
  }

  /** Look for rooms that fell behind and do not move: a lost frame must not stay unnoticed. */
  #catchUp() {
    for (const room of this.rooms.values()) {
      const stuck = room.loaded && room.last < room.head && this.#behind.get(room.id) === room.last;
      this.#behind.set(room.id, room.last);
      if (stuck) this.#listen(room);
    }
  }

  // --- members ---

  #membersChanged(room, { user }) {
    if (user === this.me.id) this.#discover(room.id); // what I may do has changed
    if (!room.members) return;
    clearTimeout(this.#memberTimers.get(room.id));
    this.#memberTimers.set(room.id, setTimeout(() => this.#loadMembers(room), MEMBERS_PAUSE_MS));
  }

  async #loadMembers(room) {
    if (room.askingMembers) return;
    room.askingMembers = true;
    try {
      room.members = await this.session.all(`/rooms/${room.id}/members`, { limit: 100 }, MEMBERS_SHOWN);
      this.people.learn(...room.members.map((member) => member.user));
      this.onChange();
    } catch {
      // Names and roles stay as they were; the next look at the room asks again.
    }
    room.askingMembers = false;
  }
}
