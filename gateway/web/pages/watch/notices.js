// Messages of the page: passing ones, and one that stays until its cause is gone. Screen readers announce both.

import { clockTime, linkTo } from "./position.js";
import { data, element, text } from "./dom.js";

const DURATION = 6000; // milliseconds

export class Notices {
  constructor(section) {
    this.passing = element("p", { class: "passing", role: "status" });
    this.standing = element("p", { class: "standing", role: "status" });
    this.timer = null;
    section.append(this.passing, this.standing);
  }

  /** Shows a message for six seconds; to screen readers alone if it is not *seen*, because the page has it elsewhere. */
  announce(message, seen = true) {
    clearTimeout(this.timer);
    this.passing.classList.toggle("unseen", !seen);
    this.passing.textContent = message;
    this.timer = setTimeout(() => (this.passing.textContent = ""), DURATION);
  }

  /** Shows a message, with any nodes, until the next call. Without arguments it is removed. */
  setStanding(...nodes) {
    this.standing.replaceChildren(...nodes);
  }

  /** Shows what *result* of checkAccess() means for the whole page; a result that is fine removes the message. */
  showAccess(result, position) {
    if (result.status === 0) this.setStanding(text("offline"));
    else if (result.status === 401) this.setStanding(text("signed_out"), " ", ...this.#wayBack(position));
    else if (result.status === 403) this.setStanding(text("forbidden"), " ", text("request_id", { id: result.requestId }));
    else this.setStanding();
  }

  #wayBack(position) {
    const time = clockTime(position);
    if (data.signs_in || !data.help_url) return [element("a", { href: linkTo(position) }, text("sign_in", { time }))];
    return [element("a", { href: data.help_url, target: "_top" }, text("portal"))];
  }
}
