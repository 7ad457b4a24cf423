// What a room is called and how it is run. Only what was changed is sent, all of it at once.

import { $, h } from "../dom.js";
import { clearProblems, nameless, onSubmit } from "../forms.js";
import { waitWords } from "../text.js";

const PAUSES = [0, 5, 10, 30, 60, 300, 900, 3600, 21_600];
const DAYS = [null, 1, 7, 30, 90, 365];

const pauseWords = (seconds) => (seconds > 0 ? `One message every ${waitWords(seconds)}` : "Off");
const daysWords = (days) => (days === null ? "For good" : days === 1 ? "For one day" : `For ${days} days`);

/** Fill a list of choices; what is set is among them, whatever it is. */
function fill(select, values, present, words) {
  const all = values.includes(present) ? values : [...values, present].sort((a, b) => a - b);
  select.replaceChildren(...all.map((value) => h("option", { value: value ?? "", selected: value === present }, words(value))));
}

/** What of `wanted` is not as it is. */
const changed = (wanted, present) => Object.fromEntries(Object.entries(wanted).filter(([name, value]) => value !== present[name]));

export class RoomSettings {
  #room = null;

  /** `change(room, fields)` changes a room. */
  constructor({ change }) {
    this.dialog = $("settings-dialog");
    this.form = $("settings-form");
    onSubmit(this.form, async (data) => {
      const fields = this.#changes(data);
      if (Object.keys(fields).length > 0) await change(this.#room, fields);
      this.dialog.close();
    });
  }

  open(room) {
    this.#room = room;
    const { name, topic, visibility, settings = {} } = room.info;
    this.form.reset();
    clearProblems(this.dialog);
    $("settings-name").value = name ?? "";
    $("settings-topic").value = topic ?? "";
    this.form.elements.visibility.value = visibility;
    this.form.elements.history.value = settings.history_visibility ?? "shared";
    this.form.elements.read_only.checked = Boolean(settings.read_only);
    fill($("settings-pause"), PAUSES, settings.slow_mode_seconds ?? 0, pauseWords);
    fill($("settings-days"), DAYS, settings.retention_days ?? null, daysWords);
    this.dialog.showModal();
    $("settings-name").select();
  }

  #changes(data) {
    const { info } = this.#room;
    const plain = { name: data.get("name").trim(), topic: data.get("topic").trim(), visibility: data.get("visibility") };
    if (!plain.name) throw nameless();
    const settings = changed({
      slow_mode_seconds: Number(data.get("pause")),
      retention_days: data.get("days") ? Number(data.get("days")) : null,
      history_visibility: data.get("history"),
      read_only: data.has("read_only"),
    }, { slow_mode_seconds: 0, retention_days: null, history_visibility: "shared", read_only: false, ...info.settings });
    return { ...changed(plain, { topic: "", ...info }), ...(Object.keys(settings).length > 0 ? { settings } : {}) };
  }
}
