// The pictures: one camera large, the others beside or below it, each with its name and its state.

import { clockTime } from "./position.js";
import { button, data, element, recording, secondsText, text } from "./dom.js";
import { icon } from "./icons.js";
import { arrange } from "./layout.js";

const ASPECT = 16 / 9; // until the large camera has a picture
const TITLE_HEIGHT = 72; // CSS pixels of what follows the player, in view in a window that is high enough
const HIGH_ENOUGH = 560;
const MIN_HEIGHT = 120;
const COUNTDOWN = 1000; // milliseconds

/** Returns a hidden note with an icon, whose text is left out in a small picture. */
function chip(name, shape, words, title) {
  return element("span", { class: `chip ${name}`, hidden: true, title }, icon(shape), element("span", {}, words));
}

/** *views* are {camera, item}; item is the camera's list entry in the page. */
export class Stage {
  constructor(section, views, clock, notices) {
    Object.assign(this, { section, clock, notices, views, large: null });
    this.list = section.querySelector(".videos");
    for (const view of views) this.#prepare(view);
    this.show(views[0].camera, false);
    clock.addEventListener("change", () => this.#refresh());
    clock.addEventListener("time", () => this.#refresh());
    // The seconds to the next attempt go down also while nothing plays.
    setInterval(() => views.some(({ camera }) => camera.problem?.kind === "later") && this.#refresh(), COUNTDOWN);
    new ResizeObserver(() => this.arrange()).observe(section.parentElement);
    for (const name of ["resize", "fullscreenchange"]) addEventListener(name, () => this.arrange());
  }

  /** Makes *camera* the large one, and the first in the document. */
  show(camera, announce = true) {
    if (!camera || camera === this.large) return;
    this.large = camera;
    camera.load();
    for (const { camera: each, item, pick } of this.views) {
      item.classList.toggle("large", each === camera);
      pick.hidden = each === camera;
      // The other items move: moving an element may close its picture-in-picture window.
      if (each !== camera) this.#moveToEnd(item);
    }
    if (announce) this.notices.announce(text("enlarged", { name: camera.name }));
    this.arrange();
    this.#refresh();
    this.clock.dispatchEvent(new Event("preference"));
  }

  /** Makes a camera large by its number, from 1. */
  showNumber(number) {
    this.show(this.views[number - 1]?.camera);
  }

  /** Fits the pictures into the window, the frame or the screen. */
  arrange() {
    const { section, list, views } = this;
    const full = document.fullscreenElement === section;
    const controls = section.querySelector(".controls")?.offsetHeight ?? 0;
    const fills = full || data.embedded;
    const top = fills ? 0 : section.getBoundingClientRect().top + scrollY;
    const title = !fills && innerHeight > HIGH_ENOUGH ? TITLE_HEIGHT : 0;
    const available = innerHeight - top - title - (full ? 0 : controls);
    const { videoWidth, videoHeight } = this.large.video;
    const aspect = videoWidth && videoHeight ? videoWidth / videoHeight : ASPECT;
    const width = section.clientWidth;
    const layout = arrange(views.length, width, Math.max(MIN_HEIGHT, available), aspect, full ? controls : 0);
    const height = fills ? available : Math.max(MIN_HEIGHT, layout.used);
    section.dataset.side = layout.side;
    list.style.height = `${height}px`;
    const [small, low] = [`${layout.width}px`, `${layout.height}px`];
    list.style.setProperty("--small", small);
    list.style.paddingBottom = full && layout.side === "below" ? `${controls}px` : "";
    if (layout.side === "right") list.style.gridTemplate = `repeat(${layout.rows}, ${low}) minmax(0, 1fr) / minmax(0, 1fr) repeat(${layout.columns}, ${small})`;
    else if (layout.side === "none") list.style.gridTemplate = "minmax(0, 1fr) / minmax(0, 1fr)";
    else list.style.gridTemplate = `minmax(0, 1fr) repeat(${layout.rows}, ${low}) / minmax(0, 1fr) repeat(${layout.columns}, ${small}) minmax(0, 1fr)`;
    // Below the large picture the small ones stand together in the middle.
    const others = [...list.children].filter((item) => !item.classList.contains("large"));
    const isBelow = layout.side === "below" || layout.side === "over";
    for (const [number, item] of others.entries()) item.style.gridColumn = isBelow ? String(2 + (number % layout.columns)) : "";
    this.views.find(({ camera }) => camera === this.large).item.style.gridColumn = "";
  }

  #moveToEnd(item) {
    if (this.list.moveBefore) this.list.moveBefore(item, null);
    else this.list.append(item);
  }

  #prepare(view) {
    const { camera, item } = view;
    camera.video.controls = false;
    item.addEventListener("click", ({ target }) => target.closest("video, .state") && this.large === camera && this.clock.toggle());
    item.addEventListener("dblclick", ({ target }) => target.closest("video, .state") && this.section.dispatchEvent(new Event("fullscreen")));
    const listen = () => this.#listen(camera);
    view.text = element("span", {});
    view.id = element("span", { class: "request-id" });
    view.retry = element("button", { type: "button", hidden: true, on: { click: () => camera.retry() } }, text("retry"));
    view.state = element("div", { class: "state" }, view.text, view.id, view.retry);
    view.pick = button("", text("enlarge", { name: camera.name }), () => this.#enlarge(camera), { class: "pick" });
    view.listen = button("sound", text("listen", { name: camera.name }), listen, { class: "listen", hidden: this.views.length < 2 });
    view.silent = chip("silent", "silence", text("no_sound"), text("no_sound"));
    view.still = chip("parked", "still", text("still"), text("still_title"));
    camera.still.canvas.after(view.pick, view.state);
    const name = element("span", { class: "name" }, camera.name);
    item.querySelector(".name").replaceWith(name);
    item.querySelector(".download")?.replaceChildren(icon("download"));
    name.before(view.listen);
    name.after(view.still, view.silent);
    camera.addEventListener("state", () => this.#announce(camera));
    camera.addEventListener("tracks", () => this.arrange());
  }

  #enlarge(camera) {
    this.show(camera);
    // The pressed button is hidden now; the focus stays with the cameras.
    this.views.find((view) => !view.pick.hidden)?.pick.focus();
  }

  #listen(camera) {
    if (this.clock.muted) this.clock.setMuted(false);
    camera.load();
    this.clock.listenTo(camera);
    this.notices.announce(text("sound_of", { name: camera.name }));
    this.clock.dispatchEvent(new Event("preference"));
  }

  #refresh() {
    for (const { camera, item, text: node, id, retry, listen, silent, still } of this.views) {
      const state = this.#stateOf(camera);
      item.dataset.state = state;
      const message = this.#message(camera, state);
      if (node.textContent !== message) node.textContent = message;
      id.textContent = message && this.#requestId(camera);
      retry.hidden = state !== "failed";
      listen.setAttribute("aria-pressed", String(camera === this.clock.sounding));
      listen.hidden = this.views.length < 2 || camera.hasSound === false;
      silent.hidden = camera.hasSound !== false;
      still.hidden = state !== "still";
    }
  }

  #stateOf(camera) {
    if (camera.parked && camera.state !== "failed") return camera.problem?.kind ?? "still";
    if (camera.isUsable && this.clock.position > camera.length + 0.2) return "ended";
    if (camera.state === "ready" && camera.problem) return camera.problem.kind;
    return camera.state === "waiting" ? "loading" : camera.state;
  }

  #message(camera, state) {
    const { problem } = camera;
    if (state === "ready" || state === "idle" || state === "still") return "";
    if (state === "ended") return text("ended", { time: clockTime(camera.length) });
    if (problem === null) return text(state);
    const codec = problem.codec ? ` (${problem.codec})` : "";
    const reason = data.errors[problem.code];
    const parts = [["refused", "later"].includes(problem.kind) && reason ? `${reason}.` : text(problem.kind === "refused" ? "failed" : problem.kind === "later" ? "retrying" : problem.kind, { codec })];
    if (problem.kind === "unsupported") parts.push(text(recording.download ? "unsupported_download" : "unsupported_browser"));
    if (problem.kind === "later") parts.push(text("again_in", { time: secondsText(Math.max(0, Math.ceil((camera.retryAt - performance.now()) / 1000))) }));
    return parts.join(" ");
  }

  #requestId({ problem }) {
    return problem?.requestId && problem.kind !== "not_ready" ? text("request_id", { id: problem.requestId }) : "";
  }

  #announce(camera) {
    this.#refresh();
    if (camera.state === "failed" || camera.state === "retrying") {
      this.notices.announce(`${camera.name}: ${this.#message(camera, camera.state)}`, false);
    }
  }
}
