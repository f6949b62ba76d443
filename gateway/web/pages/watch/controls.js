// The bar below the pictures: play, time line, speed, sound, full screen and the rest; and its hiding in full screen.

import { clockTime, linkTo } from "./position.js";
import { button, element, rename, text } from "./dom.js";
import { icon } from "./icons.js";
import { followMoments, seekToMoment } from "./moments.js";
import { Timeline } from "./timeline.js";

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3];
const HIDE_AFTER = 3000; // milliseconds without movement while playing in full screen

export class Controls {
  constructor(section, clock, stage, notices, moments) {
    Object.assign(this, { section, clock, stage, notices, moments, hideTimer: null, playing: false });
    this.play = button("play", text("play"), () => clock.toggle(), { class: "play" });
    this.mute = button("sound", text("mute"), () => clock.setMuted(!clock.muted));
    this.volume = element("input", { type: "range", class: "volume", min: 0, max: 1, step: 0.05, "aria-label": text("volume") });
    this.volume.addEventListener("input", () => clock.setVolume(Number(this.volume.value)));
    this.time = element("span", { class: "time" });
    this.timeline = new Timeline(clock, stage, moments);
    this.speed = this.#speeds();
    this.repeat = button("repeat", text("repeat"), () => this.toggleRepeat(), { "aria-pressed": "false" });
    this.full = button("full", text("fullscreen"), () => this.toggleFullscreen(), { class: "full" });
    this.more = button("more", text("more"), () => this.#toggleMore(), { class: "more", "aria-expanded": "false" });
    this.help = button("help", text("keys"), () => this.showKeys());
    const picture = button("picture", text("picture"), () => this.togglePicture(), { hidden: !document.pictureInPictureEnabled });
    this.secondary = element("div", { class: "secondary" }, this.speed, this.repeat, button("link", text("copy"), () => this.copyLink()), picture, this.help);
    const back = button("back", text("back"), () => clock.seek(clock.position - 10), { class: "skip" });
    const forward = button("forward", text("forward"), () => clock.seek(clock.position + 10), { class: "skip" });
    const sound = element("div", { class: "sound" }, this.mute, this.volume);
    this.bar = element("div", { class: "bar" }, back, this.play, forward, sound, this.time, this.secondary, this.more, this.full);
    this.node = element("div", { class: "controls" }, this.timeline.node, this.bar);
    section.append(this.node);
    followMoments(moments, clock, (link, seconds) => this.#copy(link, seconds));
    for (const name of ["change", "time"]) clock.addEventListener(name, () => this.#refresh());
    clock.addEventListener("change", () => this.playing !== clock.playing && this.#wake());
    for (const name of ["pointermove", "pointerdown", "focusin", "keydown"]) section.addEventListener(name, () => this.#wake());
    section.addEventListener("fullscreen", () => this.toggleFullscreen());
    document.addEventListener("fullscreenchange", () => this.#onFullscreen());
    document.addEventListener("pointerdown", ({ target }) => target.closest(".secondary, .more") ?? this.#toggleMore(false));
    this.bar.addEventListener("keydown", ({ key }) => key === "Escape" && this.#toggleMore(false));
    this.#refresh();
  }

  /** Set by the keyboard, which has the list of keys. */
  showKeys() {}

  /** Set where there are captions. */
  toggleCaptions() {}

  /** Adds a button after the choice of the speed. */
  addTool(node) {
    this.speed.after(node);
  }

  changeSpeed(steps) {
    const index = SPEEDS.indexOf(this.clock.rate) + steps;
    this.clock.setRate(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, index))]);
    this.notices.announce(`${text("speed")}: ${this.clock.rate}×`);
  }

  changeVolume(difference) {
    this.clock.setVolume(Math.round(20 * (this.clock.volume + difference)) / 20);
    this.notices.announce(`${text("volume")}: ${Math.round(100 * this.clock.volume)} %`);
  }

  seekToMoment(direction) {
    const moment = seekToMoment(this.moments, this.clock, direction);
    if (moment) this.notices.announce(`${clockTime(moment.seconds)} ${moment.name}`);
  }

  /** Sets the start of the repeated range, then its end, then removes it. */
  toggleRepeat() {
    const { clock } = this;
    const time = clockTime(clock.position);
    if (clock.repeat === null) clock.setRepeat({ start: clock.position, end: null });
    else if (clock.repeat.end === null && clock.position > clock.repeat.start) clock.setRepeat({ ...clock.repeat, end: clock.position });
    else clock.setRepeat(null);
    const key = clock.repeat === null ? "repeat_off" : clock.repeat.end === null ? "repeat_from" : "repeat_to";
    this.notices.announce(text(key, { time }));
  }

  copyLink() {
    return this.#copy(linkTo(this.clock.position), this.clock.position);
  }

  async togglePicture() {
    try {
      if (document.pictureInPictureElement) await document.exitPictureInPicture();
      else await this.stage.large.openPicture();
    } catch {
      // A camera without a picture, or a browser that refuses.
    }
  }

  async toggleFullscreen() {
    const { video } = this.stage.large;
    try {
      if (document.fullscreenElement) await document.exitFullscreen();
      else if (document.fullscreenEnabled) await this.section.requestFullscreen();
      else video.webkitEnterFullscreen?.(); // iOS: only a video element can fill the screen
    } catch {
      // A frame without the permission.
    }
  }

  async #copy(link, seconds) {
    try {
      await navigator.clipboard.writeText(link);
      this.notices.announce(text("copied", { time: clockTime(seconds) }));
    } catch {
      // Without the permission, as on plain http, the link is shown so that the person can copy it.
      this.notices.announce(link);
    }
  }

  #onFullscreen() {
    const full = document.fullscreenElement === this.section;
    this.full.replaceChildren(icon(full ? "exit" : "full"));
    this.#wake();
  }

  /** Shows the bar and the pointer. In full screen they disappear after three seconds of playing. */
  #wake() {
    this.playing = this.clock.playing;
    clearTimeout(this.hideTimer);
    this.section.classList.remove("quiet");
    if (document.fullscreenElement !== this.section || !this.clock.playing) return;
    this.hideTimer = setTimeout(() => {
      if (this.clock.playing && document.fullscreenElement === this.section) this.section.classList.add("quiet");
    }, HIDE_AFTER);
  }

  #toggleMore(opens) {
    this.more.setAttribute("aria-expanded", String(this.bar.classList.toggle("open", opens)));
  }

  #speeds() {
    const choices = SPEEDS.map((speed) => element("option", { value: speed, selected: speed === 1 }, `${speed}×`));
    const change = (event) => this.clock.setRate(Number(event.target.value));
    return element("select", { "aria-label": text("speed"), title: text("speed"), on: { change } }, ...choices);
  }

  #refresh() {
    const { clock } = this;
    rename(this.play, clock.playing ? "pause" : "play", text(clock.playing ? "pause" : "play"));
    rename(this.mute, clock.muted ? "silence" : "sound", text(clock.muted ? "unmute" : "mute"));
    this.volume.value = clock.muted ? 0 : clock.volume;
    this.time.textContent = `${clockTime(clock.position)} / ${clockTime(clock.length)}`;
    this.speed.value = String(clock.rate);
    this.repeat.setAttribute("aria-pressed", String(clock.repeat !== null));
    this.section.classList.toggle("waiting", clock.isWaiting);
    this.timeline.refresh();
  }
}
