// What everybody sees of me: picture, name, and a few words. Everything takes effect with "Save".

import { $, paintAvatar, show } from "../dom.js";
import { paintFace, preview } from "../faces.js";
import { clearProblems, onSubmit, showProblems } from "../forms.js";
import { Refusal } from "../session.js";
import { kindly } from "../text.js";

const NO_PICTURE = "This cannot be read as a picture. Try a PNG, JPEG, WebP or GIF.";
const WORDS = { payload_too_large: "This picture is too large. Try a smaller one.", unsupported_media: NO_PICTURE };

const words = (refusal) => WORDS[refusal.code] ?? kindly(refusal);

export class Profile {
  #own = null; // my account, as the server has it
  #picture = null; // a file to send, "none" to take the picture away, or null to leave it

  constructor(account) {
    this.account = account;
    this.session = account.session;
    this.form = $("profile-form");
    onSubmit(this.form, (data) => this.#save(data), words);
    $("profile-file").addEventListener("change", (event) => this.#choose(event.target.files[0]));
    $("profile-remove").addEventListener("click", () => this.#remove());
    this.form.addEventListener("input", () => this.#say(""));
  }

  async open() {
    clearProblems(this.form);
    this.#say("");
    this.#fill(this.session.user);
    try {
      this.#fill(await this.session.call("GET", "/users/me"));
    } catch (refusal) {
      showProblems(this.form, refusal);
    }
  }

  /** Show an account, and leave alone what is being written. */
  #fill(own) {
    const before = this.#own;
    this.#own = own;
    for (const [id, name] of [["profile-name", "display_name"], ["profile-bio", "bio"]]) {
      if (!before || $(id).value === (before[name] ?? "")) $(id).value = own[name] ?? "";
    }
    if (this.#picture === null) this.#paint();
  }

  #paint() {
    const { id, display_name: name, username, avatar_url: address } = this.#own;
    const face = $("profile-face");
    paintAvatar(face, name || username, id);
    if (this.#picture !== "none") this.account.context()?.chat.people.faces.draw(face, address);
    show($("profile-remove"), this.#picture !== "none" && Boolean(address || this.#picture));
  }

  async #choose(file) {
    if (!file) return;
    clearProblems(this.form);
    try {
      const bitmap = await preview(file);
      this.#picture = file;
      paintFace($("profile-face"), bitmap);
      show($("profile-remove"), true);
      this.#say("Save to use this picture.");
    } catch {
      showProblems(this.form, new Refusal({ code: "unsupported_media" }), words);
    }
    $("profile-file").value = "";
  }

  #remove() {
    // What was only chosen is forgotten; what is in use is taken away.
    this.#picture = this.#picture instanceof File ? null : "none";
    this.#paint();
    this.#say(this.#picture === "none" ? "Save to take the picture away." : "");
    $("profile-file").focus();
  }

  async #save(data) {
    const fields = {};
    for (const name of ["display_name", "bio"]) {
      const value = data.get(name).trim();
      if (value !== (this.#own[name] ?? "")) fields[name] = value || null;
    }
    if (Object.keys(fields).length > 0) this.#saved(await this.session.call("PATCH", "/users/me", { body: fields }));
    if (this.#picture === "none") {
      await this.session.call("DELETE", "/users/me/avatar");
      this.#saved({ ...this.#own, avatar_url: null });
    } else if (this.#picture) this.#saved(await this.session.call("PUT", "/users/me/avatar", { file: this.#picture }));
    const own = this.#own;
    this.close();
    this.#fill(own);
    this.#say("Saved.");
  }

  #saved(own) {
    this.#own = own;
    this.session.learn(own);
    this.account.onProfile(own);
  }

  #say(text) {
    $("profile-note").textContent = text;
  }

  close() {
    this.#picture = null;
    this.#own = null;
  }
}
