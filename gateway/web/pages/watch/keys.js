// The keyboard. Single keys can be switched off (WCAG 2.1.4), as speech input and screen readers have their own.

import { element, say } from "./page.js";
import { Memory } from "./place.js";

const LIST = [
  ["␣ K", "key_space"],
  ["← →", "key_arrows"],
  ["J L", "key_jl"],
  [", .", "key_frames"],
  ["< >", "key_speed"],
  ["1–9", "key_numbers"],
  ["F", "key_fullscreen"],
  ["M", "key_mute"],
  ["?", "key_help"],
];

const preferences = new Memory("keys");

export class Keyboard {
  constructor(section, clock, stage) {
    Object.assign(this, { clock, stage, controls: null });
    this.single = element("input", { type: "checkbox", id: "singles" });
    this.single.checked = preferences.read().single !== false;
    this.single.addEventListener("change", () => preferences.keep({ single: this.single.checked }));
    const rows = LIST.map(([keys, text]) => element("div", {}, element("dt", {}, keys), element("dd", {}, say(text))));
    this.dialog = element(
      "dialog",
      { "aria-labelledby": "keys" },
      element("h2", { id: "keys" }, say("keys")),
      element("dl", {}, ...rows),
      element("p", {}, this.single, " ", element("label", { for: "singles" }, say("singles"))),
      element("button", { type: "button", on: { click: () => this.dialog.close() } }, say("close")),
    );
    section.append(this.dialog);
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  list = () => {
    if (this.dialog.open) this.dialog.close();
    else this.dialog.showModal();
  };

  #pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (this.dialog.open && event.key !== "?") return;
    if (event.key.length === 1 && event.key !== " " && !this.single.checked) return;
    const act = this.#meaning(event);
    if (!act) return;
    event.preventDefault();
    act();
  }

  #meaning({ key, target }) {
    const { clock, stage, controls } = this;
    const by = (seconds) => () => clock.seek(clock.place + seconds);
    if (/^[1-9]$/.test(key)) return () => stage.showNumber(Number(key));
    // A button takes the space bar for itself, a list of choices the arrows as well.
    if (key === " ") return target.closest("button, a, select, input[type=checkbox]") ? null : () => clock.toggle();
    if (key.startsWith("Arrow") && target.closest("select")) return null;
    const meanings = {
      ArrowLeft: by(-5),
      ArrowRight: by(5),
      j: by(-10),
      l: by(10),
      k: () => clock.toggle(),
      ",": () => clock.step(-1),
      ".": () => clock.step(1),
      "<": () => controls.faster(-1),
      ">": () => controls.faster(1),
      f: () => controls.fullscreen(),
      m: () => clock.mute(!clock.muted),
      "?": this.list,
    };
    return meanings[key.length === 1 ? key.toLowerCase() : key];
  }
}
