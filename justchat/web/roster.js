// What a room has besides its journal: its members, its pins, who is muted, and what I may do in it. Asked for when a
// room is opened, and again a moment after something changed.

import { buried } from "./messages.js";

const PAUSE_MS = 300;
const MEMBERS_SHOWN = 200;
const PINS_SHOWN = 100;
const MINE = new Set(["room.updated", "room.archived", "permissions.updated"]);

export class Roster {
  #timers = new Map(); // "what room" -> timer of the next look
  #asking = new Set(); // "what room" being asked for

  constructor(chat) {
    this.chat = chat;
    this.session = chat.session;
    this.looks = {
      members: (room) => this.#members(room),
      pins: (room) => this.#pins(room),
      mutes: (room) => this.#mutes(room),
      me: (room) => this.#me(room),
      mute: (room) => this.#mute(room),
    };
  }

  stop() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  /** The room is on screen. */
  open(room) {
    for (const what of ["members", "pins", "mutes"]) this.look(room, what);
    if (!room.may("messages.send")) this.look(room, "mute");
  }

  /** Look again at what an event changed. */
  changed(room, event) {
    const { type, data } = event;
    const aboutMe = type.startsWith("member.") && data.user === this.chat.me.id;
    if (aboutMe && type === "member.muted") room.mute = { until: data.until ?? null };
    if (aboutMe && type === "member.unmuted") room.mute = null;
    if (aboutMe || MINE.has(type)) this.#soon(room, "me");
    if (type.startsWith("member.") && room.members) this.#soon(room, "members");
    if (type === "member.muted" || type === "member.unmuted") this.#soon(room, "mutes");
    if (this.#isAboutPins(room, event)) this.#soon(room, "pins");
  }

  async look(room, what) {
    const key = `${what} ${room.id}`;
    if (this.#asking.has(key)) return;
    this.#asking.add(key);
    try {
      await this.looks[what](room);
      this.chat.onChange();
    } catch (refusal) {
      // What is known stays as it was; the next look at the room asks again.
      if (!refusal.code) throw refusal;
    } finally {
      this.#asking.delete(key);
    }
  }

  #isAboutPins(room, event) {
    if (!room.pins && !this.#asking.has(`pins ${room.id}`)) return false;
    const touched = event.type === "message.updated" ? [event.data.id] : buried(event);
    return event.type.startsWith("pin.") || event.type === "history.trimmed" || Boolean(room.pins?.some(({ message }) => touched.includes(message.id)));
  }

  #soon(room, what) {
    const key = `${what} ${room.id}`;
    clearTimeout(this.#timers.get(key));
    const again = () => (this.#asking.has(key) ? this.#soon(room, what) : this.look(room, what));
    this.#timers.set(key, setTimeout(again, PAUSE_MS));
  }

  async #members(room) {
    room.members = await this.session.all(`/rooms/${room.id}/members`, { limit: 100 }, MEMBERS_SHOWN);
    this.chat.people.learn(...room.members.map((member) => member.user));
  }

  async #pins(room) {
    room.pins = await this.session.all(`/rooms/${room.id}/pins`, { limit: 100 }, PINS_SHOWN);
    room.pinned = new Set(room.pins.map(({ message }) => message.id));
  }

  async #mutes(room) {
    room.mutes = room.may("members.mute") ? await this.session.all(`/rooms/${room.id}/mutes`, { limit: 100 }, MEMBERS_SHOWN) : null;
  }

  async #me(room) {
    const could = room.may("members.mute");
    room.learn(await this.session.call("GET", `/rooms/${room.id}`));
    if (room.may("members.mute") !== could) await this.#mutes(room);
    if (room.may("messages.send")) room.mute = null;
    else await this.#mute(room);
  }

  async #mute(room) {
    const { muted, muted_until: until } = await this.session.call("GET", `/rooms/${room.id}/members/me`);
    room.mute = muted ? { until: until ?? null } : null;
  }
}
