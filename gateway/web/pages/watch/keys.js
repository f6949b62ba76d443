// Keyboard shortcuts. Single keys can be switched off (WCAG 2.2, 2.1.4): speech input and screen readers use them too.

import { element, recording, text } from "./dom.js";
import { Memory } from "./position.js";

const LIST = [
  ["␣ K", "key_space"],
  ["← →", "key_arrows"],
  ["J L", "key_jl"],
  [", .", "key_frames"],
  ["[ ]", "key_moments"],
  ["Home End", "key_ends"],
  ["< >", "key_speed"],
  ["↑ ↓", "key_volume"],
  ["M", "key_mute"],
  ...(recording.tracks.captions ? [["C", "key_captions"]] : []),
  ["R", "key_repeat"],
  ["0–9", recording.cameras.length > 1 ? "key_numbers" : "key_tenths"],
  ["F", "key_fullscreen"],
  ["?", "key_help"],
];

const preferences = new Memory("keys");

export class Keyboard {
  constructor(section, clock, stage, controls) {
    Object.assign(this, { clock, stage, controls });
    this.single = element("input", { type: "checkbox", id: "singles" });
    this.single.checked = preferences.read().single !== false;
    this.single.addEventListener("change", () => preferences.save({ single: this.single.checked }));
    const rows = LIST.map(([keys, key]) => element("div", {}, element("dt", {}, keys), element("dd", {}, text(key))));
    this.dialog = element(
      "dialog",
      { "aria-labelledby": "keys" },
      element("h2", { id: "keys" }, text("keys")),
      element("dl", {}, ...rows),
      element("p", {}, this.single, " ", element("label", { for: "singles" }, text("single_keys"))),
      element("button", { type: "button", on: { click: () => this.dialog.close() } }, text("close")),
    );
    section.append(this.dialog);
    controls.showKeys = () => this.#toggleList();
    document.addEventListener("keydown", (event) => this.#onKey(event));
  }

  #toggleList() {
    if (this.dialog.open) this.dialog.close();
    else this.dialog.showModal();
  }

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input:not([type=range], [type=checkbox]), textarea")) return;
    if (this.dialog.open && event.key !== "?") return;
    if (event.key.length === 1 && event.key !== " " && !this.single.checked) return;
    const action = this.#action(event);
    if (!action) return;
    event.preventDefault();
    action();
  }

  #action({ key, target }) {
    const { clock, stage, controls } = this;
    const by = (seconds) => () => clock.seek(clock.position + seconds);
    if (/^[0-9]$/.test(key)) return () => this.#number(Number(key));
    // A button uses the space bar itself, a list of choices the arrows as well, a slider the up and down arrows.
    if (key === " ") return target.closest("button, a, select, input[type=checkbox]") ? null : () => clock.toggle();
    if (/^(Arrow|Home|End)/.test(key) && target.closest("select, .volume")) return null;
    const actions = {
      ArrowLeft: by(-5),
      ArrowRight: by(5),
      ArrowUp: () => controls.changeVolume(0.05),
      ArrowDown: () => controls.changeVolume(-0.05),
      Home: () => clock.seek(0),
      End: () => clock.seek(clock.length),
      j: by(-10),
      l: by(10),
      k: () => clock.toggle(),
      ",": () => clock.step(-1),
      ".": () => clock.step(1),
      "[": () => controls.seekToMoment(-1),
      "]": () => controls.seekToMoment(1),
      "<": () => controls.changeSpeed(-1),
      ">": () => controls.changeSpeed(1),
      f: () => controls.toggleFullscreen(),
      c: () => controls.toggleCaptions(),
      m: () => clock.setMuted(!clock.muted),
      r: () => controls.toggleRepeat(),
      "?": () => this.#toggleList(),
    };
    return actions[key.length === 1 ? key.toLowerCase() : key];
  }

  /** With several cameras 1 to 9 enlarge one; with one they seek to tenths of the recording. 0 is its start. */
  #number(number) {
    if (number === 0 || this.stage.views.length === 1) this.clock.seek((this.clock.length * number) / 10);
    else this.stage.showNumber(number);
  }
}
