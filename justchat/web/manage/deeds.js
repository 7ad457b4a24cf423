// What those who run a room can do in it. Each rejects with a Refusal; the chat hears of the outcome by itself.

const REPORTS = 20; // on a page: their authors are asked for in one go

export class Deeds {
  constructor(session) {
    this.session = session;
  }

  setRole(room, user, role) {
    return this.#call("PATCH", room, `members/${user.id}`, { role });
  }

  remove(room, user) {
    return this.#call("DELETE", room, `members/${user.id}`);
  }

  /** `seconds` null is until somebody says otherwise. */
  mute(room, user, { seconds, reason }) {
    const until = seconds === null ? null : new Date(Date.now() + seconds * 1000).toISOString();
    return this.#call("PUT", room, `mutes/${user.id}`, { until, reason });
  }

  unmute(room, user) {
    return this.#call("DELETE", room, `mutes/${user.id}`);
  }

  ban(room, user, { reason }) {
    return this.#call("PUT", room, `bans/${user.id}`, { reason });
  }

  unban(room, user) {
    return this.#call("DELETE", room, `bans/${user.id}`);
  }

  bans(room) {
    return this.session.all(`/rooms/${room.id}/bans`, { limit: 100 }, 500);
  }

  mutes(room) {
    return this.session.all(`/rooms/${room.id}/mutes`, { limit: 100 }, 500);
  }

  /** One page of what was reported: {items, authors, cursor}, the authors as users. */
  async reports(room, cursor = null) {
    const query = { limit: REPORTS, ...(cursor ? { cursor } : {}) };
    const { items, next_cursor: next } = await this.session.call("GET", `/rooms/${room.id}/reports`, { query });
    const ids = [...new Set(items.map(({ message }) => message.author))];
    const { items: authors } = ids.length > 0 ? await this.session.call("GET", "/users", { query: { ids: ids.join(",") } }) : { items: [] };
    return { items, authors, cursor: next ?? null };
  }

  dismiss(room, message, user) {
    return this.#call("DELETE", room, `reports/${message.id}/${user.id}`);
  }

  invites(room) {
    return this.session.all(`/rooms/${room.id}/invites`, { limit: 100 }, 100);
  }

  /** Gives the invite with its code, which is told this once. */
  invite(room, fields) {
    return this.#call("POST", room, "invites", fields);
  }

  revoke(room, invite) {
    return this.#call("DELETE", room, `invites/${invite.id}`);
  }

  /** Gives the room that the code lets into. */
  accept(code) {
    return this.session.call("POST", `/invites/${encodeURIComponent(code)}/accept`, { body: {} });
  }

  #call(method, room, path, body = undefined) {
    return this.session.call(method, `/rooms/${room.id}/${path}`, body === undefined ? {} : { body });
  }
}
