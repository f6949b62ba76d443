// Captions: a text track of the large camera with the recording's transcript, switched by a button and a key.

import { button, recording, text } from "./dom.js";
import { Memory } from "./position.js";

const [FIRST_PAUSE, LAST_PAUSE] = [2000, 60_000]; // milliseconds until captions that failed are loaded again
const LINES_ABOVE_BAR = -4; // in full screen the bar lies over the lower end of the picture

export class Captions extends EventTarget {
  /** Dispatches "cues" when the transcript is loaded, and "failed" when it cannot be. */
  constructor(clock, stage, controls, notices) {
    super();
    Object.assign(this, { stage, notices, cues: null, video: null, track: null, pause: FIRST_PAUSE, memory: new Memory("captions") });
    this.isOn = this.memory.read().on === true;
    this.button = button("captions", text("captions"), () => this.toggle(), { "aria-pressed": String(this.isOn) });
    controls.addTool(this.button);
    for (const name of ["change", "time", "preference"]) clock.addEventListener(name, () => this.#attach());
    document.addEventListener("fullscreenchange", () => this.#place());
    this.#attach();
  }

  toggle() {
    this.isOn = !this.isOn;
    this.memory.save({ on: this.isOn });
    this.button.setAttribute("aria-pressed", String(this.isOn));
    this.notices.announce(text(this.isOn ? "captions_on" : "captions_off"));
    this.#switch();
  }

  /** Follows the large camera, whose element changes also when it loads with another link. */
  #attach() {
    const { video } = this.stage.large;
    // A track that loads while its video begins to would hold the video back.
    if (video === this.video || video.readyState < 2) return;
    if (this.track) this.track.track.mode = "disabled";
    this.video = video;
    this.track = video.querySelector("track[kind=captions]") ?? video.appendChild(this.#createTrack());
    const { track } = this;
    track.addEventListener("load", () => this.#onLoad());
    track.addEventListener("error", () => this.#onError(track));
    this.#switch();
    if (track.readyState === HTMLTrackElement.LOADED) this.#onLoad();
    if (track.readyState === HTMLTrackElement.ERROR) this.#onError(track);
  }

  /** Loads the captions again after a pause, unless another camera is large by then. */
  #onError(track) {
    if (!this.cues) this.dispatchEvent(new Event("failed"));
    setTimeout(() => {
      if (track !== this.track) return;
      track.remove();
      this.video = this.track = null;
      this.#attach();
    }, this.pause);
    this.pause = Math.min(LAST_PAUSE, 2 * this.pause);
  }

  #createTrack() {
    const track = document.createElement("track");
    return Object.assign(track, { kind: "captions", src: recording.tracks.captions, label: text("captions") });
  }

  #switch() {
    if (this.track) this.track.track.mode = this.isOn ? "showing" : "hidden";
  }

  #onLoad() {
    this.#place();
    if (this.cues) return;
    this.cues = [...this.track.track.cues].map(read);
    this.dispatchEvent(new Event("cues"));
  }

  #place() {
    const line = document.fullscreenElement ? LINES_ABOVE_BAR : "auto";
    for (const cue of this.track?.track.cues ?? []) cue.line = line;
    // Chromium lays out again only what is shown anew.
    if (this.track) this.track.track.mode = "hidden";
    this.#switch();
  }
}

/** Returns {seconds, author, words} of a cue; author is "" if it names none. */
function read(cue) {
  const content = cue.getCueAsHTML();
  return { seconds: cue.startTime, author: content.querySelector("[title]")?.title ?? "", words: content.textContent };
}
