// Running a room: its members, its settings, its invites. One of it for the page, whoever is signed in.

import { Deeds } from "./deeds.js";
import { Invites } from "./invites.js";
import { MemberMenu } from "./member_menu.js";
import { Moderation } from "./moderation.js";
import { Reports } from "./reports.js";
import { actsOn } from "./rights.js";
import { RoomSettings } from "./room_settings.js";
import { Sanction } from "./sanction.js";

export class Manage {
  /** `context()` gives the present {chat, commands}; `confirm(question)` asks; `attempt(work)` says what was refused. */
  constructor({ context, confirm, attempt }) {
    Object.assign(this, { context, confirm, attempt });
    const deeds = () => this.#deeds;
    this.menu = new MemberMenu((act, room, member) => this.#do(act, room, member));
    this.sanction = new Sanction({ deeds });
    this.reports = new Reports({ deeds, context, confirm, sanction: this.sanction });
    this.moderation = new Moderation({ deeds, reports: this.reports, sanction: this.sanction });
    this.invites = new Invites({ deeds });
    this.settings = new RoomSettings({ change: (room, fields) => this.context().commands.change(room, fields) });
  }

  get #deeds() {
    return new Deeds(this.context().chat.session);
  }

  /** Open the menu at a member's row. */
  open(anchor, room, member) {
    const acts = actsOn(room, member, this.context().chat.me);
    if (acts.length > 0) this.menu.open(anchor, room, member, acts);
  }

  /** Come into a room by an invite, if that is wanted, and open it. */
  async arrive(code) {
    const question = { title: "Come in by this invite?", text: "You become a member of the room that it is for.", yes: "Come in", danger: false };
    if (!(await this.confirm(question))) return;
    await this.attempt(async () => {
      const info = await this.#deeds.accept(code);
      const { chat } = this.context();
      chat.add(info);
      chat.open(info.id);
    });
  }

  async #do({ act, role }, room, { user }) {
    if (act === "mute" || act === "ban") {
      this.sanction.open(act, room, user);
      return;
    }
    const name = user.display_name || user.username;
    if (act === "remove") {
      const question = { title: `Take ${name} out?`, text: "They can come back if they are invited or the room is public.", yes: "Take out" };
      if (await this.confirm(question)) await this.attempt(() => this.#deeds.remove(room, user));
    } else if (act === "unmute") await this.attempt(() => this.#deeds.unmute(room, user));
    else await this.attempt(() => this.#deeds.setRole(room, user, role));
  }
}
