// What is said in passing, to eyes and to screen readers, and whether the person is still known.

import { clockTime, linkTo } from "./place.js";
import { element, recording, say } from "./page.js";

// A redirect leads where no script may follow: there the link is asked for, and else the first byte.
const HOW = recording.delivery === "redirect" ? { Accept: "application/json" } : { Range: "bytes=0-0" };
const PASSING = 6000; // milliseconds

export class Notices {
  constructor(section) {
    this.passing = element("p", { class: "passing", role: "status" });
    this.standing = element("p", { class: "standing", role: "status" });
    this.timer = null;
    section.prepend(this.standing);
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

/** Whether it makes sense to ask for a video again. */
export class Permission {
  constructor(notices, clock) {
    Object.assign(this, { notices, clock, refused: false });
  }

  /** "yes"; "no", and if it is for the person's sake, they are told; "absent"; or "later", as nobody can tell. */
  ask = async (camera) => {
    let answer;
    try {
      answer = await fetch(camera.path, { headers: HOW, cache: "no-store" });
      if (answer.ok && HOW.Accept) camera.expect(left(await answer.json(), answer));
    } catch {
      this.notices.keep(say("offline"));
      return "later";
    }
    const { status } = answer;
    this.refused = status === 401 || status === 403;
    if (status === 401) this.#signedOut();
    else this.notices.keep(...(this.refused ? [say("forbidden")] : []));
    if (status === 404) return "absent";
    if (this.refused || status === 410) return "no";
    return status < 400 ? "yes" : "later";
  };

  #signedOut() {
    const { place } = this.clock();
    const back = element("a", { href: linkTo(place) }, say("sign_in", { time: clockTime(place) }));
    this.notices.keep(say("signed_out"), " ", back);
  }
}

/** Seconds that a link is good for, by the gateway's own clock; for ever where nobody knows. */
function left({ expires_at: end }, answer) {
  return end === null ? Infinity : (Date.parse(end) - Date.parse(answer.headers.get("Date"))) / 1000;
}
