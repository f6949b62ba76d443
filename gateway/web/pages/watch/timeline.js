// The time line: position, loaded parts, markers, the repeated range, and the time under the pointer.

import { clockTime } from "./position.js";
import { element, text } from "./dom.js";

const NEAR = 10; // CSS pixels from a marker at which its name is shown

export class Timeline {
  constructor(clock, stage, moments) {
    Object.assign(this, { clock, stage, moments });
    this.input = element("input", { type: "range", min: 0, step: 0.1, value: 0, "aria-label": text("time_line") });
    this.input.addEventListener("input", () => clock.seek(Number(this.input.value)));
    this.buffered = element("div", { class: "buffered" });
    this.played = element("div", { class: "played" });
    this.range = element("div", { class: "range", hidden: true });
    this.tip = element("output", { class: "tip", hidden: true, "aria-hidden": "true" });
    this.ticks = element("div", { class: "ticks", "aria-hidden": "true" });
    const track = element("div", { class: "track", "aria-hidden": "true" }, this.buffered, this.range, this.played);
    this.node = element("div", { class: "line" }, track, this.input, this.ticks, this.tip);
    for (const moment of moments) {
      moment.tick = element("span", {});
      if (moment.color) moment.tick.style.setProperty("--mark", moment.color);
      this.ticks.append(moment.tick);
    }
    // Ticks that overlap are hit by the distance from their middle.
    this.ticks.addEventListener("click", ({ clientX }) => clock.seek(this.#nearest(clientX)?.seconds ?? clock.position));
    this.node.addEventListener("pointermove", (event) => this.#showTip(event));
    this.node.addEventListener("pointerleave", () => (this.tip.hidden = true));
  }

  refresh() {
    const { clock, input } = this;
    const { length } = clock;
    input.max = length;
    input.value = clock.position;
    input.setAttribute("aria-valuetext", text("of", { time: clockTime(clock.position), length: clockTime(length) }));
    const share = (seconds) => (length ? Math.min(1, seconds / length) : 0);
    this.played.style.width = `${100 * share(clock.position)}%`;
    const ranges = this.stage.large.video.buffered;
    let [start, end] = [0, 0];
    for (let index = 0; index < ranges.length; index++) {
      if (ranges.start(index) <= clock.position + 0.5 && ranges.end(index) >= clock.position) [start, end] = [ranges.start(index), ranges.end(index)];
    }
    place(this.buffered, share(start), share(end));
    this.range.hidden = clock.repeat === null;
    if (clock.repeat) place(this.range, share(clock.repeat.start), share(clock.repeat.end ?? clock.position));
    for (const { tick, seconds } of this.moments) tick.style.left = `${100 * share(seconds)}%`;
  }

  /** Returns the moment whose tick is the nearest to *x* in the window, or undefined if none is near. */
  #nearest(x) {
    const distance = ({ tick }) => Math.abs(tick.getBoundingClientRect().x + tick.offsetWidth / 2 - x);
    return this.moments.filter((moment) => distance(moment) < NEAR).sort((one, other) => distance(one) - distance(other))[0];
  }

  #showTip(event) {
    const box = this.node.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const near = this.#nearest(event.clientX);
    this.tip.textContent = near ? `${clockTime(near.seconds)} ${near.name}` : clockTime(share * this.clock.length);
    this.tip.hidden = false;
    this.tip.style.left = `${Math.min(box.width - this.tip.offsetWidth / 2, Math.max(this.tip.offsetWidth / 2, share * box.width))}px`;
  }
}

function place(node, start, end) {
  node.style.left = `${100 * start}%`;
  node.style.width = `${100 * Math.max(0, end - start)}%`;
}
