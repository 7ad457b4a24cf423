// What a person can do to rooms and messages. Each rejects with a Refusal; the chat hears of the outcome by itself.

const FOUND = 50;

export class Commands {
  constructor(chat) {
    this.chat = chat;
    this.session = chat.session;
  }

  async create(fields) {
    const info = await this.session.call("POST", "/rooms", { body: fields });
    this.chat.add(info);
    this.chat.open(info.id);
  }

  async join(id) {
    await this.session.call("PUT", `/rooms/${id}/members/me`, { body: {} });
    this.chat.add(await this.session.call("GET", `/rooms/${id}`));
    this.chat.open(id);
  }

  async leave(room) {
    await this.session.call("DELETE", `/rooms/${room.id}/members/me`);
    this.chat.remove(room.id);
  }

  async change(room, fields) {
    room.learn(await this.session.call("PATCH", `/rooms/${room.id}`, { body: fields }));
    this.chat.onChange();
  }

  async erase(room) {
    await this.session.call("DELETE", `/rooms/${room.id}`);
    this.chat.remove(room.id);
  }

  addMember(room, user) {
    return this.session.call("PUT", `/rooms/${room.id}/members/${user.id}`, { body: {} });
  }

  archive(room, archived) {
    return this.change(room, { settings: { archived } });
  }

  deleteMessage(message) {
    return this.session.call("DELETE", `/messages/${message.id}`);
  }

  /** Tell the moderators of its room about a message. */
  report(message, reason) {
    return this.session.call("POST", `/messages/${message.id}/reports`, { body: { reason } });
  }

  /** Change a text, unless somebody changed it since it was seen. */
  editMessage(message, body) {
    return this.#ask("edit", message, { body, rev: message.rev });
  }

  react(message, emoji, wanted) {
    return this.#ask(wanted ? "react" : "unreact", message, { emoji });
  }

  pin(message, wanted) {
    return this.#ask(wanted ? "pin" : "unpin", message, {});
  }

  #ask(type, message, data) {
    return this.chat.connection.ask({ type, room: message.room, data: { message: message.id, ...data } });
  }

  async publicRooms(text) {
    const query = { public: "true", limit: FOUND, ...(text ? { q: text } : {}) };
    return (await this.session.call("GET", "/rooms", { query })).items;
  }
}
