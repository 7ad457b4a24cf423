// What a person can do to rooms over REST. Each rejects with a Refusal; the chat hears of the outcome by itself.

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

  deleteMessage(message) {
    return this.session.call("DELETE", `/messages/${message.id}`);
  }

  async publicRooms(text) {
    const query = { public: "true", limit: FOUND, ...(text ? { q: text } : {}) };
    return (await this.session.call("GET", "/rooms", { query })).items;
  }
}
