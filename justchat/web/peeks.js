// Learning what was last said in rooms that have not been opened, a few at a time and below the server's command rate.

const ROOMS = 20;
const EVENTS = 20;
const PAUSE_MS = 150;

export class Peeks {
  #busy = false;

  constructor(chat) {
    this.chat = chat;
  }

  async run() {
    if (this.#busy) return;
    this.#busy = true;
    const { connection } = this.chat;
    const silent = this.chat.sorted().filter((room) => !room.loaded && !room.preview).slice(0, ROOMS);
    for (const room of silent) {
      if (!connection.live) break;
      const data = { before: room.last + 1, limit: EVENTS };
      const page = await connection.ask({ type: "fetch", room: room.id, data }).catch(() => null);
      if (page && !room.loaded) room.peek(page.data.events);
      this.chat.onChange();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    this.#busy = false;
  }
}
