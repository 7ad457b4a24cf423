// The end of my account.

import { $ } from "../dom.js";
import { clearProblems, onSubmit } from "../forms.js";

export class Leave {
  constructor(account) {
    this.account = account;
    this.session = account.session;
    this.form = $("leave-form");
    onSubmit(this.form, (data) => this.#leave(data));
  }

  open() {
    clearProblems(this.form);
  }

  close() {
    this.form.reset();
  }

  async #leave(data) {
    const erase = data.get("erase") !== null;
    const text = erase ? "Your account and everything that you wrote are deleted, for everybody and for good." : "Your account is deleted for good. What you wrote stays, under “Deleted user”.";
    if (!(await this.account.confirm({ title: "Delete your account?", text, yes: "Delete for good" }))) return;
    await this.session.leave({ password: data.get("password"), erase });
  }
}
