// A new password.

import { $ } from "../dom.js";
import { clearProblems, onSubmit } from "../forms.js";

export class Password {
  constructor(account) {
    this.session = account.session;
    this.form = $("password-form");
    onSubmit(this.form, (data) => this.#change(data));
    this.form.addEventListener("input", () => this.#say(""));
  }

  open() {
    clearProblems(this.form);
    this.#say("");
    $("password-user").value = this.session.user.username;
  }

  close() {
    this.form.reset();
  }

  async #change(data) {
    const body = { password: data.get("password"), new_password: data.get("new_password") };
    await this.session.call("POST", "/auth/password", { body });
    this.form.reset();
    this.#say("Your password is changed.");
    $("password-old").focus();
  }

  #say(text) {
    $("password-note").textContent = text;
  }
}
