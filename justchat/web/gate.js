// The way in: sign in, or create an account.

import { $, show } from "./dom.js";
import { clearProblems, onSubmit } from "./forms.js";
import { kindly, sentence } from "./text.js";

const WORDS = {
  login: { title: "Welcome back", lead: "Sign in to go on where you left off.", submit: "Sign in", question: "New here?", other: "Create an account" },
  register: { title: "Create your account", lead: "A user name and a password, that is all.", submit: "Create account", question: "Been here before?", other: "Sign in" },
};
const WHY = {
  expired: "Your sign-in has run out. Please sign in again.",
  refused: "The server does not accept this sign-in any more. Please sign in again.",
  revoked: "This session was ended: from another device, by a new password, or by an administrator. Please sign in again.",
  elsewhere: "You signed out in another tab.",
  replaced: "Somebody else signed in with this browser.",
  left: "Your account has been deleted.",
};

export class Gate {
  #mode = "login";

  constructor(session, onIn) {
    this.session = session;
    this.onIn = onIn;
    $("gate-switch").addEventListener("click", () => this.#turn(this.#mode === "login" ? "register" : "login"));
    onSubmit($("gate-form"), (data) => this.#submit(data), (refusal) => this.#words(refusal));
  }

  /** Show the gate, and why, if there is something to explain. */
  open(reason) {
    $("gate-form").reset();
    this.#turn("login");
    const error = $("gate-error");
    error.textContent = WHY[reason] ?? "";
    show(error, Boolean(WHY[reason]));
    show($("gate"), true);
    $("gate-username").focus();
  }

  close() {
    show($("gate"), false);
  }

  #turn(mode) {
    this.#mode = mode;
    const words = WORDS[mode];
    clearProblems($("gate-form"));
    $("gate-title").textContent = words.title;
    $("gate-lead").textContent = words.lead;
    $("gate-submit").textContent = words.submit;
    $("gate-question").textContent = words.question;
    $("gate-switch").textContent = words.other;
    $("gate-password").autocomplete = mode === "login" ? "current-password" : "new-password";
    show($("gate-display-field"), mode === "register");
    show($("gate-invitation-field"), false);
    $("gate-username").focus();
  }

  async #submit(data) {
    const username = data.get("username").trim();
    const password = data.get("password");
    const display = data.get("display_name").trim();
    if (this.#mode === "login") await this.session.login({ username, password });
    else await this.#register({ username, password, ...(display ? { display_name: display } : {}) }, data.get("invitation").trim());
    $("gate-form").reset();
    this.onIn();
  }

  /** Some servers want an invitation; the field for it is there once they said so. */
  async #register(fields, invitation) {
    try {
      await this.session.register({ ...fields, ...(invitation ? { invitation } : {}) });
    } catch (refusal) {
      if (refusal.code === "forbidden" && refusal.detail.includes("invitation")) show($("gate-invitation-field"), true);
      throw refusal;
    }
  }

  #words(refusal) {
    if (this.#mode === "login" && refusal.code === "unauthenticated") return "User name or password is not right.";
    if (refusal.code === "forbidden" && refusal.detail) return sentence(refusal.detail); // who may come in is the server's affair
    return kindly(refusal);
  }
}
