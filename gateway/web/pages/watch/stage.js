// The cameras as they are seen: one large, the others beside it, each with what is to be said of it.

import { clockTime } from "./place.js";
import { button, element, say } from "./page.js";

/** *views* are {camera, item}, an item being the list entry that the page came with. */
export class Stage {
  constructor(views, clock, notices) {
    Object.assign(this, { clock, notices, views });
    for (const view of views) this.#dress(view);
    this.large = null;
    this.show(views[0].camera, false);
    clock.addEventListener("change", () => this.#refresh());
    clock.addEventListener("time", () => this.#refresh());
  }

  /** Make *camera* the large one. */
  show(camera, told = true) {
    if (!camera || camera === this.large) return;
    this.large = camera;
    for (const { camera: each, item, pick } of this.views) {
      item.classList.toggle("large", each === camera);
      pick.hidden = each === camera;
    }
    if (told) this.notices.tell(say("shown", { name: camera.name }));
    this.#refresh();
    this.clock.dispatchEvent(new Event("kept"));
  }

  /** By number, from 1. */
  showNumber(number) {
    this.show(this.views[number - 1]?.camera);
  }

  #dress(view) {
    const { camera, item } = view;
    camera.video.controls = false;
    camera.video.preload = "auto";
    item.addEventListener("click", ({ target }) => target === camera.video && this.clock.toggle());
    view.text = element("span");
    view.again = element("button", { type: "button", hidden: true, on: { click: () => camera.again() } }, say("again"));
    view.state = element("p", { class: "state" }, view.text, view.again);
    view.pick = button("", say("show", { name: camera.name }), () => this.#picked(camera), { class: "pick" });
    const listen = () => this.#listen(camera);
    const more = { class: "listen", hidden: this.views.length < 2 };
    view.listen = button("sound", say("listen", { name: camera.name }), listen, more);
    camera.video.after(view.pick, view.state);
    item.querySelector(".caption").prepend(view.listen);
    camera.addEventListener("state", () => this.#announce(camera));
  }

  #picked(camera) {
    this.show(camera);
    // The button that was pressed is gone; the keyboard stays with the cameras.
    this.views.find((view) => !view.pick.hidden)?.pick.focus();
  }

  #listen(camera) {
    if (this.clock.muted) this.clock.mute(false);
    this.clock.listenTo(camera);
    this.notices.tell(say("heard", { name: camera.name }));
  }

  #refresh() {
    for (const { camera, item, text, again, listen } of this.views) {
      const state = this.#state(camera);
      item.dataset.state = state;
      const words = state === "ready" ? "" : this.#words(camera, state);
      if (text.textContent !== words) text.textContent = words;
      again.hidden = state !== "failed";
      listen.setAttribute("aria-pressed", String(camera === this.clock.sounding));
    }
  }

  #state(camera) {
    if (camera.usable && this.clock.place > camera.length + 0.2) return "ended";
    return camera.state === "waiting" ? "loading" : camera.state;
  }

  #words(camera, state) {
    return say(state === "failed" ? camera.why : state, { time: clockTime(camera.length) });
  }

  #announce(camera) {
    if (camera.state === "failed" || camera.state === "resting") {
      this.notices.tell(`${camera.name}: ${this.#words(camera, camera.state)}`);
    }
  }
}

