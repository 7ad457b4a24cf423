// One room as this page knows it: a gapless window of its journal, and what follows from it. No network, no DOM.

const KEPT_EVENTS = 300; // of a room that is not open

export class Room {
  constructor(info) {
    this.id = info.id;
    this.info = info;
    this.epoch = info.epoch ?? null;
    this.last = info.head_seq ?? 0; // the newest seq applied
    this.head = this.last; // the newest seq heard of
    this.events = [];
    this.loaded = false; // the window is there
    this.loading = false;
    this.more = false; // older events can be fetched
    this.fetching = false;
    this.repairing = false;
    this.lagging = false;
    this.members = null; // [{user, role}] once asked for
    this.unread = 0;
    this.readSeq = null;
    this.newAfter = null; // where the "new" line stands
    this.preview = null; // {ts, author?, body?, system?}
    this.gone = new Set(); // ids and seqs of deleted messages
    this.edits = new Map(); // message id -> its newest form
    this.sent = new Map(); // client_msg_id -> author, of what is in the window
    if (info.last_message) this.#look({ type: "message.created", ts: info.last_message.created_at, actor: info.last_message.author, data: info.last_message });
  }

  /** When something last happened here. */
  get activeAt() {
    return new Date(this.preview?.ts ?? this.info.created_at ?? 0);
  }

  get oldest() {
    return this.events.length > 0 ? this.events[0].seq : this.last + 1;
  }

  may(permission) {
    const permissions = this.info.me?.permissions;
    return Array.isArray(permissions) ? permissions.includes(permission) : true;
  }

  /** Take over newer facts about the room itself; where its journal stands is not among them. */
  learn(info) {
    if (!info || typeof info !== "object") return;
    const known = Object.fromEntries(Object.entries(info).filter(([name, value]) => name in this.info && value !== undefined));
    this.info = { ...this.info, ...known };
  }

  /** Start the window anew from a snapshot. */
  snapshot({ epoch, head_seq: head, state, events }) {
    this.learn(state);
    this.epoch = epoch;
    this.events = [];
    this.gone.clear();
    this.edits.clear();
    this.sent.clear();
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
    for (const event of fresh) this.#overlay(event);
    this.events = [...fresh, ...this.events];
    this.more = more && fresh.length > 0;
  }

  /** Guess preview and unread count from the newest events of a room that is not open. */
  peek(events, me) {
    for (const event of events) this.#look(event);
    if (this.readSeq !== null) {
      this.unread = events.filter((event) => event.type === "message.created" && event.seq > this.readSeq && event.actor !== me).length;
    }
  }

  /** Forget the far past of a room that was left for another. */
  trim() {
    if (this.events.length <= KEPT_EVENTS) return;
    this.events = this.events.slice(-KEPT_EVENTS);
    this.sent = new Map(this.events.filter(({ data }) => data?.client_msg_id).map(({ data }) => [data.client_msg_id, data.author]));
    this.more = true;
  }

  /** The position to resume from. */
  position() {
    return { epoch: this.epoch, seq: this.last };
  }

  isGone(message) {
    return Boolean(message.deleted) || this.gone.has(message.id) || this.gone.has(message.seq);
  }

  /** The message as it reads now. */
  current(message) {
    const edit = this.edits.get(message.id);
    return edit ? { ...message, ...edit } : message;
  }

  #keep(event) {
    this.events.push(event);
    this.#overlay(event);
    this.#look(event);
  }

  #overlay({ type, data, seq }) {
    if (type === "message.created" && data.client_msg_id) this.sent.set(data.client_msg_id, data.author);
    else if (type === "message.updated") this.edits.set(data.id, data);
    else if (type === "message.deleted" || type === "message.expired") {
      this.gone.add(data.id);
      this.gone.add(data.message_seq ?? seq);
    } else if (type === "message.bulk_deleted") for (const id of data.ids ?? []) this.gone.add(id);
  }

  #look(event) {
    if (this.preview && new Date(event.ts) < new Date(this.preview.ts)) return;
    const { type, data, ts, actor } = event;
    if (type === "message.created") this.preview = { ts, author: data.author, body: data.body, id: data.id, deleted: data.deleted };
    else if (type === "message.deleted" || type === "message.expired") {
      if (this.preview?.id === data.id) this.preview = { ...this.preview, deleted: true };
    } else if (type === "room.created" || type.startsWith("member.")) this.preview ??= { ts, system: true, author: actor };
  }

  #follow({ type, data }) {
    if (type === "room.updated") this.learn(data.new);
  }
}
