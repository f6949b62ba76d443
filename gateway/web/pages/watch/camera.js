// One camera: its video, whether it can play, and how it comes back after an error or gets a new link before one.

import { dismiss, understudy } from "./understudy.js";

/** In a row without progress, of a video that the gateway says is there. While it cannot say, there is no end. */
const TRIES = 4;
/** Milliseconds. */
const STALLED = 15_000;
const RENEWED_AGAIN = 10_000;

/**
 * Tells of itself by events: "state" when it becomes loading, ready, waiting, resting or failed;
 * "played" and "paused" when somebody else than the clock did it (media keys, a picture-in-picture window).
 */
export class Camera extends EventTarget {
  constructor(video, { id, name, path }, mayAsk) {
    super();
    Object.assign(this, { id, name, path, mayAsk, state: "loading", why: "failed", tries: 0, vain: 0, reloads: 0 });
    Object.assign(this, { wanted: false, retry: null, known: 0, frame: 0, stale: Infinity });
    this.progress = performance.now();
    this.#take(video);
    if (video.error) this.#broken();
    else if (video.readyState > 0) this.#loaded();
  }

  #take(video) {
    this.video = video;
    this.shown = null;
    this.taken?.abort();
    this.taken = new AbortController();
    for (const [name, told] of Object.entries({
      loadedmetadata: () => this.#loaded(),
      error: () => this.#broken(),
      play: () => !this.wanted && !this.video.paused && this.#told("played"),
      pause: () => this.#pausedByOthers() && this.#told("paused"),
      waiting: () => this.#seems("waiting"),
      playing: () => this.#seems("ready"),
      canplay: () => this.#seems("ready"),
      seeked: () => this.video.readyState > 1 && this.#seems("ready"),
      timeupdate: () => this.#moved(),
    })) {
      video.addEventListener(name, told, { signal: this.taken.signal });
    }
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback((_, told) => this.#framed(told.mediaTime));
  }

  /** Seconds; 0 until it is known, and known from then on. */
  get length() {
    if (Number.isFinite(this.video.duration)) this.known = this.video.duration;
    return this.known;
  }

  get usable() {
    return this.state !== "failed" && this.state !== "resting" && this.video.readyState > 0;
  }

  /** Whether it has something to show at *seconds*. */
  covers(seconds) {
    return this.usable && seconds < this.length - 0.05;
  }

  /** Whether it is not usable now and may be soon. */
  get mayCome() {
    return this.state !== "failed" && !this.usable;
  }

  /** Run on, at *seconds* of the clock, or stand if there is nothing to show. */
  run(seconds) {
    this.wanted = this.covers(seconds);
    if (this.wanted && this.video.paused) this.video.play().catch((error) => this.#refusedToPlay(error));
  }

  halt() {
    this.wanted = false;
    this.video.pause();
  }

  seek(seconds) {
    if (!this.usable) return;
    this.progress = performance.now();
    this.video.currentTime = Math.min(seconds, Math.max(0, this.length - 0.01));
  }

  speed(rate) {
    if (this.video.playbackRate !== rate) this.video.playbackRate = rate;
  }

  /** Its link will be good for *seconds* more: half of them, or all but a minute, are made use of. */
  expect(seconds) {
    this.stale = performance.now() + 1000 * Math.max(1, seconds / 2, seconds - 60);
  }

  /** Give up a video that has long said it is waiting, as a broken connection may look like a slow one. */
  watch(now) {
    if (this.wanted && now > this.stale) this.#renew();
    if (!this.wanted || this.state !== "waiting") this.progress = now;
    else if (now - this.progress > STALLED) this.#broken();
  }

  /** Ask for the video anew, at the place where it was: a fresh request fetches a fresh link. */
  reload() {
    clearTimeout(this.retry);
    this.retry = null;
    this.progress = performance.now();
    this.#become("loading");
    this.video.src = this.#afresh();
  }

  /** Somebody asks by hand, or the network is back: begin to count anew. */
  again() {
    this.tries = this.vain = 0;
    if (this.state === "failed" || this.state === "resting") this.reload();
  }

  /** Another address each time, as browsers keep what the old one led to. */
  #afresh() {
    this.reloads += 1;
    return `${this.path}?again=${this.reloads}`;
  }

  /** Change links while the old one is good. Should that fail, #broken sees to what comes of it. */
  async #renew() {
    this.stale = Infinity;
    const verdict = await this.mayAsk(this);
    if (verdict === "later") this.stale = performance.now() + RENEWED_AGAIN;
    if (verdict !== "yes") return;
    // The window of a picture in picture would close.
    if (document.pictureInPictureElement === this.video) return this.reload();
    const first = this.video;
    const address = this.#afresh();
    const mine = this.reloads;
    const second = await understudy(first, address);
    if (second === null) return;
    if (mine !== this.reloads) return dismiss(second);
    clearTimeout(this.retry);
    this.retry = null;
    second.muted = first.muted;
    if (!this.wanted) second.pause();
    this.#take(second);
    second.inert = false;
    dismiss(first);
    this.#become("ready");
  }

  #loaded() {
    this.#become("ready");
    this.#told("loaded");
  }

  #moved() {
    this.progress = performance.now();
    if (this.video.played.length && !this.video.seeking) this.tries = this.vain = 0;
  }

  /** Learn how long a frame is: the shortest time between two that were shown, as some are left out. */
  #framed(time) {
    const gap = time - this.shown;
    if (this.shown !== null && gap > 0.005 && gap < 0.5 && (!this.frame || gap < this.frame)) this.frame = gap;
    this.shown = time;
    this.video.requestVideoFrameCallback((_, told) => this.#framed(told.mediaTime));
  }

  async #broken() {
    if (this.retry !== null || this.state === "failed") return;
    this.retry = 0;
    this.#become("resting");
    const verdict = await this.mayAsk(this);
    if (this.retry !== 0) return;
    this.vain = verdict === "yes" ? this.vain + 1 : 0;
    if (verdict === "no" || verdict === "absent" || this.vain > TRIES) {
      this.retry = null;
      this.why = verdict === "absent" ? "not_ready" : "failed";
      this.#become("failed");
      return;
    }
    this.tries += 1;
    // At once the first time: most often it is a redirect's link that has died, and the next one is good.
    const pause = verdict === "yes" && this.tries === 1 ? 0 : Math.min(10, 2 ** (this.tries - 2));
    this.retry = setTimeout(() => this.reload(), pause * (750 + Math.random() * 500));
  }

  #refusedToPlay(error) {
    if (error.name === "NotAllowedError") this.#told("paused");
  }

  #pausedByOthers() {
    const inPicture = document.pictureInPictureElement === this.video;
    return this.wanted && this.video.paused && !this.video.ended && this.usable && (!document.hidden || inPicture);
  }

  /** What the element says counts for nothing while its video is given up: old events come late. */
  #seems(state) {
    if (this.state !== "failed" && this.state !== "resting") this.#become(state);
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.#told("state");
  }

  #told(what) {
    this.dispatchEvent(new Event(what));
  }
}
