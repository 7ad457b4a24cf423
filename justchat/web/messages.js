// The messages of a room's window as they read now: what later events did to their texts, and who reacted to them. The
// window reaches up to the newest event, so everything that ever happened to a message in it is in it too.

export class Messages {
  #posted = new Map(); // id -> the message as it was posted
  #edits = new Map(); // id -> its newest {body, rev, edited_at}
  #gone = new Map(); // id -> "deleted" or "expired"
  #reactions = new Map(); // id -> Map(emoji -> Set of users), in the order in which they came
  #sent = new Map(); // client_msg_id -> author

  /** Fold events in their order. */
  constructor(events = []) {
    for (const event of events) this.take(event);
  }

  take({ type, data }) {
    if (type === "message.created") this.#post(data);
    else if (type === "message.updated") this.#edits.set(data.id, { body: data.body, rev: data.rev, edited_at: data.edited_at });
    else if (type === "message.deleted") this.#bury(data.id, "deleted");
    else if (type === "message.expired") this.#bury(data.id, "expired");
    else if (type === "message.bulk_deleted") for (const { id } of data.messages ?? []) this.#bury(id, "deleted");
    else if (type === "reaction.added") this.#react(data);
    else if (type === "reaction.removed") this.#unreact(data);
  }

  /** The message as it reads now, or null if it is not in the window. */
  find(id) {
    const message = this.#posted.get(id);
    return message ? { ...message, ...this.#edits.get(id) } : null;
  }

  /** What made the message a tombstone: "deleted", "expired", or null while it lives. */
  goneBy(id) {
    return this.#gone.get(id) ?? (this.#posted.get(id)?.deleted ? "deleted" : null);
  }

  /** Who reacted: [{emoji, users}], the oldest emoji first. */
  reactions(id) {
    return [...(this.#reactions.get(id) ?? [])].map(([emoji, users]) => ({ emoji, users: [...users] }));
  }

  hasReacted(id, emoji, user) {
    return this.#reactions.get(id)?.get(emoji)?.has(user) ?? false;
  }

  /** True if what this user sent under this id stands in the window. */
  has(clientMsgId, author) {
    return this.#sent.get(clientMsgId) === author;
  }

  /** The newest living message of this author, or null. */
  lastOf(author) {
    const ids = [...this.#posted.keys()].reverse();
    const id = ids.find((candidate) => this.#posted.get(candidate).author === author && !this.goneBy(candidate));
    return id ? this.find(id) : null;
  }

  #post(message) {
    this.#posted.set(message.id, message);
    if (message.client_msg_id) this.#sent.set(message.client_msg_id, message.author);
  }

  #bury(id, how) {
    this.#gone.set(id, how);
    this.#edits.delete(id);
    this.#reactions.delete(id);
  }

  #react({ message, emoji, user }) {
    const emojis = this.#reactions.get(message) ?? new Map();
    const users = emojis.get(emoji) ?? new Set();
    users.add(user);
    emojis.set(emoji, users);
    this.#reactions.set(message, emojis);
  }

  #unreact({ message, emoji, user }) {
    const users = this.#reactions.get(message)?.get(emoji);
    users?.delete(user);
    if (users?.size === 0) this.#reactions.get(message).delete(emoji);
  }
}

/** The ids of the messages that an event turns into tombstones. */
export function buried({ type, data }) {
  if (type === "message.deleted" || type === "message.expired") return [data.id];
  return type === "message.bulk_deleted" ? (data.messages ?? []).map(({ id }) => id) : [];
}
