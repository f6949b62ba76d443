// The bar below the cameras: play, the time line with its markers, speed, sound and the rest.

import { clockTime, linkTo, parse } from "./place.js";
import { button, element, recording, rename, say } from "./page.js";

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

export class Controls {
  constructor(section, clock, stage, notices, keyboard) {
    Object.assign(this, { section, clock, stage, notices });
    this.play = button("play", say("play"), () => clock.toggle(), { class: "play" });
    this.mute = button("sound", say("mute"), () => clock.mute(!clock.muted));
    this.time = element("span", { class: "time" });
    this.line = element("input", { type: "range", min: 0, step: 0.1, value: 0, "aria-label": say("position") });
    this.line.addEventListener("input", () => clock.seek(Number(this.line.value)));
    this.ticks = element("div", { class: "ticks", "aria-hidden": "true" });
    this.speed = this.#speeds();
    const picture = button("picture", say("picture"), () => this.picture(), { hidden: !document.pictureInPictureEnabled });
    const full = button("full", say("fullscreen"), () => this.fullscreen(), { hidden: !document.fullscreenEnabled });
    section.append(
      element("div", { class: "line" }, this.line, this.ticks),
      element(
        "div",
        { class: "bar" },
        button("back", say("back"), () => clock.seek(clock.place - 10)),
        this.play,
        button("forward", say("forward"), () => clock.seek(clock.place + 10)),
        this.time,
        this.speed,
        this.mute,
        button("link", say("copy"), () => this.copy()),
        picture,
        full,
        button("help", say("keys"), keyboard),
      ),
      notices.passing,
    );
    this.markers = this.#markers();
    clock.addEventListener("change", () => this.#refresh());
    clock.addEventListener("time", () => this.#refresh());
    this.#refresh();
  }

  faster(steps) {
    const at = SPEEDS.indexOf(this.clock.rate) + steps;
    this.clock.speed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at))]);
    this.notices.tell(`${say("speed")}: ${this.clock.rate}×`);
  }

  async copy() {
    const [link, time] = [linkTo(this.clock.place), clockTime(this.clock.place)];
    try {
      await navigator.clipboard.writeText(link);
      this.notices.tell(say("copied", { time }));
    } catch {
      // Without the right to write, as on plain http: shown, to be copied by hand.
      this.notices.tell(link);
    }
  }

  async picture() {
    try {
      if (document.pictureInPictureElement) await document.exitPictureInPicture();
      else await this.stage.large.video.requestPictureInPicture();
    } catch {
      // A camera without a picture, or a browser that will not.
    }
  }

  async fullscreen() {
    try {
      if (document.fullscreenElement) await document.exitFullscreen();
      else await this.section.requestFullscreen();
    } catch {
      // A frame that may not.
    }
  }

  #speeds() {
    const choices = SPEEDS.map((speed) => element("option", { value: speed, selected: speed === 1 }, `${speed}×`));
    const change = (event) => this.clock.speed(Number(event.target.value));
    return element("select", { "aria-label": say("speed"), title: say("speed"), on: { change } }, ...choices);
  }

  #markers() {
    const links = [...document.querySelectorAll(".markers a")];
    return links.map((link, number) => {
      const { event, color } = recording.markers[number];
      const time = parse(link.hash.slice(3)) ?? 0;
      const go = (click) => {
        click.preventDefault();
        this.clock.seek(time);
      };
      link.addEventListener("click", go);
      const tick = element("span", { title: `${clockTime(time)} ${event}`, on: { click: go } });
      this.ticks.append(tick);
      if (color) for (const painted of [link, tick]) painted.style.setProperty("--mark", color);
      return { time, link, tick };
    });
  }

  #refresh() {
    const { clock } = this;
    const [time, length] = [clockTime(clock.place), clockTime(clock.length)];
    rename(this.play, clock.playing ? "pause" : "play", say(clock.playing ? "pause" : "play"));
    rename(this.mute, clock.muted ? "silence" : "sound", say(clock.muted ? "unmute" : "mute"));
    this.line.max = clock.length;
    this.line.value = clock.place;
    this.line.setAttribute("aria-valuetext", say("of", { time, length }));
    this.time.textContent = `${time} / ${length}`;
    this.speed.value = String(clock.rate);
    this.section.classList.toggle("waiting", clock.waiting);
    const now = this.markers.findLast((marker) => marker.time <= clock.place + 0.05);
    for (const marker of this.markers) {
      marker.tick.style.left = `${clock.length ? (100 * marker.time) / clock.length : 0}%`;
      if (marker === now) marker.link.setAttribute("aria-current", "true");
      else marker.link.removeAttribute("aria-current");
    }
  }
}
