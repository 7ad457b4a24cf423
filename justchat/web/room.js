// One room as this page knows it: a gapless window of its journal, and what follows from it. No network, no DOM.

import { Messages, buried } from "./messages.js";
import { mutedWords } from "./text.js";

const KEPT_EVENTS = 300; // of a room that is not open
const MODERATORS = new Set(["owner", "admin", "moderator"]);

export class Room {
  constructor(info) {
    this.id = info.id;
    this.info = info;
    this.epoch = info.epoch ?? null;
    this.last = info.head_seq ?? 0; // the newest seq applied
    this.head = this.last; // the newest seq heard of
    this.events = [];
    this.messages = new Messages();
    this.loaded = false; // the window is there
    this.loading = false;
    this.more = false; // older events can be fetched
    this.fetching = false;
    this.repairing = false;
    this.lagging = false;
    this.members = null; // [{user, role}] once asked for
    this.mutes = null; // [{user, until}] once asked for, where I may mute
    this.pins = null; // [{message, by, at}] once asked for
    this.pinned = new Set(); // ids of pinned messages, as far as they are known
    this.mute = null; // {until} while I am muted here
    this.unread = 0;
    this.readSeq = null;
    this.newAfter = null; // where the "new" line stands
    this.preview = null; // {ts, seq, author?, body?, system?}
  }

  /** When something last happened here. */
  get activeAt() {
    return new Date(this.preview?.ts ?? this.info.created_at ?? 0);
  }

  get oldest() {
    return this.events.length > 0 ? this.events[0].seq : this.last + 1;
  }

  may(permission) {
    return Boolean(this.info.me?.permissions?.includes(permission));
  }

  /** Why I cannot write here, in words; null if I can. */
  get silence() {
    const { settings = {}, kind, me } = this.info;
    if (settings.archived) return "This room is archived: everything can be read, nothing is added.";
    if (this.mute) return mutedWords(this.mute.until);
    if (this.may("messages.send")) return null;
    if (settings.read_only && !MODERATORS.has(me?.role)) return "This room is read-only: only moderators write here.";
    return kind === "channel" ? "Only moderators write in this channel." : "You may not write in this room.";
  }

  /**
   * Begin with what the list of my rooms says: how far I have read, and what was said last. `told` is what the welcome says
   * where it comes before the list, which is `unread` alone; a room that is new to me is read up to here.
   */
  begin({ me, last_message: message }, told = null) {
    this.unread = me?.unread ?? told?.unread ?? 0;
    this.readSeq = me?.read_seq ?? (told ? null : this.last);
    if (!message) return;
    const { id, seq, author, body, created_at: ts, deleted } = message;
    this.preview = { ts, seq, author, body, id, deleted };
  }

  /** Somebody has posted; who posts has read what is above. */
  posted({ seq }, isMine) {
    this.unread = isMine ? 0 : this.unread + 1;
    if (isMine) this.readSeq = seq;
  }

  /** I may have read more of it on another device, or have been told of the room before the list was there. */
  readElsewhere({ me, head_seq: head }) {
    const isNews = this.readSeq === null ? Number.isInteger(me?.read_seq) : me?.read_seq > this.readSeq;
    if (!isNews || head !== this.last) return;
    this.unread = me.unread;
    this.readSeq = me.read_seq;
  }

  /** Take over newer facts about the room itself; where its journal stands is not among them. */
  learn(info) {
    if (!info || typeof info !== "object") return;
    const known = Object.fromEntries(Object.entries(info).filter(([name, value]) => name in this.info && value !== undefined));
    this.info = { ...this.info, ...known };
    if (known.me && this.may("messages.send")) this.mute = null;
  }

  /** Start the window anew from a snapshot. */
  snapshot({ epoch, head_seq: head, state, events }) {
    this.learn(state);
    this.epoch = epoch;
    this.events = [];
    this.messages = new Messages();
    for (const event of events) this.#keep(event);
    this.last = this.events.at(-1)?.seq ?? head;
    this.head = head;
    this.more = this.events.length > 0 && this.events[0].seq > 1;
    this.loaded = true;
    this.repairing = this.lagging = false;
  }

  /** Offer a live or replayed event: "new", "old", or "gap" if something before it is missing. */
  offer(event) {
    this.head = Math.max(this.head, event.seq);
    if (event.seq <= this.last) return "old";
    if (this.loaded && event.seq !== this.last + 1) return "gap";
    this.last = event.seq;
    if (this.loaded) this.#keep(event);
    else this.#look(event);
    this.#follow(event);
    return "new";
  }

  /** Put an older page in front; events must end where the window begins. */
  prepend(events, more) {
    const fresh = events.filter((event) => event.seq < this.oldest);
    this.more = more && fresh.length > 0;
    this.#rewind([...fresh, ...this.events]);
  }

  /** Find a preview in the newest events of a room that is not open. */
  peek(events) {
    for (const event of events) this.#look(event);
  }

  /** Forget the far past of a room that was left for another. */
  trim() {
    if (this.events.length <= KEPT_EVENTS) return;
    this.#rewind(this.events.slice(-KEPT_EVENTS));
    this.more = true;
  }

  /** The position to resume from. */
  position() {
    return { epoch: this.epoch, seq: this.last };
  }

  #rewind(events) {
    this.events = events;
    this.messages = new Messages(events);
  }

  #keep(event) {
    this.events.push(event);
    this.messages.take(event);
    this.#look(event);
  }

  /** Keep the line up to date that the list of rooms shows. */
  #look(event) {
    if (this.preview && new Date(event.ts) < new Date(this.preview.ts)) return;
    const { type, data, ts, seq, actor } = event;
    const gone = buried(event);
    if (type === "message.created") this.preview = { ts, seq, author: data.author, body: data.body, id: data.id, deleted: data.deleted };
    else if (type === "message.updated" && this.preview?.id === data.id) this.preview = { ...this.preview, body: data.body };
    else if (gone.includes(this.preview?.id)) this.preview = { ...this.preview, deleted: true };
    else if (type === "history.trimmed" && this.preview?.seq <= data.upto_seq) this.preview = { ts: this.preview.ts, seq, system: true, author: actor };
    else if (type === "room.created" || type.startsWith("member.")) this.preview ??= { ts, seq, system: true, author: actor };
  }

  /** Let a live event change what is known besides the window. */
  #follow(event) {
    const { type, data } = event;
    if (type === "room.updated") {
      const { settings, ...fields } = data.new;
      this.learn(fields);
      this.#set(settings);
    } else if (type === "room.archived") this.#set({ archived: data.archived });
    else if (type === "history.trimmed") this.#cut(data.upto_seq);
    else if (type === "pin.added") this.pinned.add(data.message);
    else if (type === "pin.removed") this.pinned.delete(data.message);
    else for (const id of buried(event)) this.pinned.delete(id);
  }

  #set(settings = {}) {
    this.info = { ...this.info, settings: { ...this.info.settings, ...settings } };
  }

  /** What was said up to there is kept no longer, so it is not shown any longer either. */
  #cut(upto) {
    if (!this.loaded) return;
    this.#rewind(this.events.filter((event) => event.seq > upto));
    this.more = false;
  }
}
