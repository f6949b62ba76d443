// What is said in passing, to eyes and to screen readers, and whether the person is still known.

import { clockTime, linkTo } from "./place.js";
import { element, recording, say } from "./page.js";

const PASSING = 6000; // milliseconds

export class Notices {
  constructor(section) {
    this.passing = element("p", { class: "passing", role: "status" });
    this.standing = element("p", { class: "standing", role: "status" });
    this.timer = null;
    section.prepend(this.standing);
    section.append(this.passing);
  }

  /** Say it once; it goes away by itself. */
  tell(words) {
    clearTimeout(this.timer);
    this.passing.textContent = words;
    this.timer = setTimeout(() => (this.passing.textContent = ""), PASSING);
  }

  /** Say it until it is no longer so. */
  keep(...words) {
    this.standing.replaceChildren(...words);
  }
}

/** Whether it makes sense to ask for a video again. Cameras that break together share one question. */
export class Permission {
  constructor(notices, clock) {
    Object.assign(this, { notices, clock, question: null, refused: false });
  }

  /** "yes"; "no", which the person has been told; or "later", as nobody can tell. */
  ask = () => {
    this.question ??= this.#ask().finally(() => (this.question = null));
    return this.question;
  };

  async #ask() {
    let status;
    try {
      const answer = await fetch(recording.path, { headers: { Accept: "application/json" }, cache: "no-store" });
      status = answer.status;
    } catch {
      this.notices.keep(say("offline"));
      return "later";
    }
    this.refused = [401, 403, 404, 410].includes(status);
    if (status === 401) this.#signedOut();
    else this.notices.keep(...(this.refused ? [say("forbidden")] : []));
    if (this.refused) return "no";
    return status < 400 ? "yes" : "later";
  }

  #signedOut() {
    const place = this.clock().place;
    const back = element("a", { href: linkTo(place) }, say("sign_in", { time: clockTime(place) }));
    this.notices.keep(say("signed_out"), " ", back);
  }
}
