// One camera: its video element, whether it can play, and how it loads again after an error or with a new link.

import { inTurn, isUnsupported, readTracks, readTracksPatiently } from "./mp4.js";
import { loadStandby, release } from "./standby.js";
import { Still } from "./still.js";

/** Loads in a row without progress of a video to which the gateway gives access, after which the camera has failed. */
const MAX_FAILURES = 4;
/** Milliseconds. */
const STALL_TIMEOUT = 15_000;
const LOAD_TIMEOUT = 30_000;
const RENEWAL_RETRY = 10_000;
const NOT_READY_RETRY = 15_000;
const STILL_RETRY = 5_000;
const DECODING = 500;
const MOVED = 0.1; // seconds of progress after which a video that has waited is no longer waiting

/**
 * A camera dispatches "state" when its state or problem changes: idle (not loaded yet), loading, ready, waiting, retrying
 * or failed; "loaded" when it has metadata; "tracks" when it is determined what it shows and sounds; "played" and
 * "paused" when something else than the clock did it (media keys, a picture-in-picture window).
 */
export class Camera extends EventTarget {
  constructor(video, { id, name, path, download }, checkAccess) {
    super();
    Object.assign(this, { id, name, path, download, checkAccess, state: "idle", problem: null, hasPicture: null });
    Object.assign(this, { hasSound: null, inspected: false, contents: null, attempts: 0, failures: 0, reloads: 0, plays: false, muted: false, waitsAt: 0 });
    Object.assign(this, { retryTimer: null, retryAt: 0, lastLength: 0, frame: 0, renewAt: Infinity });
    this.parked = this.opensPicture = false;
    this.still = new Still(video);
    this.progressAt = performance.now();
    this.#attach(video);
    if (video.preload === "none") return;
    this.state = "loading";
    if (video.error) this.#onError();
    else if (video.readyState > 0) this.#onMetadata();
  }

  #attach(video) {
    this.video = video;
    this.lastFrame = null;
    this.listeners?.abort();
    this.listeners = new AbortController();
    for (const [name, listener] of Object.entries({
      loadedmetadata: () => this.#onMetadata(),
      loadeddata: () => this.#onPicture(),
      error: () => this.#onError(),
      play: () => !this.plays && !this.video.paused && this.#dispatch("played"),
      pause: () => this.#isPausedByOthers() && this.#dispatch("paused"),
      waiting: () => this.#onWaiting(),
      playing: () => this.#follow("ready"),
      canplay: () => this.#follow("ready"),
      seeked: () => this.video.readyState > 1 && this.#follow("ready"),
      timeupdate: () => this.#onProgress(),
      progress: () => this.state === "loading" && (this.progressAt = performance.now()),
      // WebKitGTK makes a muted video heard when its speed changes.
      volumechange: () => this.setMuted(this.muted),
    })) {
      video.addEventListener(name, listener, { signal: this.listeners.signal });
    }
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback((_, frame) => this.#onFrame(frame.mediaTime));
    // The first picture may have come before this script.
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) this.#onPicture();
  }

  /** Seconds; 0 until metadata is loaded for the first time. */
  get length() {
    if (Number.isFinite(this.video.duration)) this.lastLength = this.video.duration;
    return this.lastLength;
  }

  get isUsable() {
    return this.state !== "failed" && this.state !== "retrying" && this.state !== "idle" && this.video.readyState > 0;
  }

  /** Whether it has content at *seconds*. */
  covers(seconds) {
    return this.isUsable && !this.parked && seconds < this.length - 0.05;
  }

  /** Whether it is not usable now and may become so. */
  get mayRecover() {
    return this.state !== "failed" && !this.parked && !this.isUsable;
  }

  /** Starts loading if it has not: metadata and the first picture, everything once it plays. */
  load() {
    if (this.state !== "idle" || this.parked) return;
    this.#load();
  }

  #load() {
    this.#setState("loading");
    this.video.preload = "metadata";
    if (this.video.hasAttribute("src")) this.video.load();
    else this.video.src = this.#nextUrl();
  }

  /** Gives its connection to another camera: shows a still picture, and does not load until unpark(). */
  park() {
    this.parked = true;
    this.still.draw(this.video);
    this.#unload();
  }

  unpark() {
    this.parked = false;
    this.load();
  }

  /** For a parked camera: shows the picture at *seconds*. Resolves when it is shown, or cannot be. */
  async loadStill(seconds) {
    this.#load();
    const shown = await this.still.load(this.video, seconds);
    // It may have been unparked meanwhile, and then plays what it has loaded.
    if (!this.parked) return this.still.clear();
    const undecodable = this.video.error?.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED;
    const failed = this.video.readyState === 0;
    this.#unload();
    if (shown) this.failures = 0;
    if (shown) this.problem = this.contents;
    if (!failed) return;
    const { verdict, code, requestId, retryAfter } = await this.checkAccess(this);
    const tracks = undecodable && verdict === "allowed" ? await readTracks(this.path) : null;
    if (!this.parked || (verdict === "allowed" && !undecodable)) return;
    // A request that fails once looks like a file that cannot be decoded.
    if (verdict === "allowed" && !isUnsupported(tracks) && ++this.failures <= MAX_FAILURES) return;
    this.problem = { kind: verdict === "allowed" ? "unsupported" : verdict, code, requestId, codec: tracks?.vide };
    if (verdict === "later") {
      if (!code) this.problem = null;
      this.retryAt = performance.now() + Math.max(STILL_RETRY, 1000 * (retryAfter ?? 0));
      return this.#dispatch("state");
    }
    if (verdict === "not_ready") this.#scheduleRetry(NOT_READY_RETRY);
    this.#setState("failed");
  }

  #unload() {
    clearTimeout(this.retryTimer);
    this.retryTimer = null;
    this.stop();
    this.video.removeAttribute("src");
    this.video.load();
    this.#setState("idle");
  }

  /** Plays at *seconds* of the clock, or stands still if there is no content. */
  playAt(seconds) {
    this.plays = this.covers(seconds);
    if (!this.plays) return;
    if (this.video.preload !== "auto") this.video.preload = "auto";
    if (!this.video.paused) return;
    this.video.play().catch((error) => error.name === "NotAllowedError" && this.#dispatch("paused"));
  }

  stop() {
    this.plays = false;
    this.video.pause();
  }

  seek(seconds) {
    if (!this.isUsable) return;
    this.progressAt = performance.now();
    this.video.currentTime = Math.min(seconds, Math.max(0, this.length - 0.01));
  }

  setRate(rate) {
    if (this.video.playbackRate !== rate) this.video.playbackRate = rate;
  }

  setMuted(muted) {
    this.muted = muted;
    if (this.video.muted !== muted) this.video.muted = muted;
  }

  /** For a link whose lifetime could not be requested: renews it soon. */
  renewSoon() {
    this.renewAt = performance.now() + RENEWAL_RETRY;
  }

  /** Sets when the link is renewed: after half of its lifetime, or one minute before its end. */
  setLinkLifetime(seconds) {
    this.renewAt = performance.now() + 1000 * Math.max(1, seconds / 2, seconds - 60);
  }

  /** Called by the clock: renews the link in time, and treats a long wait like an error. *now* is milliseconds. */
  check(now) {
    if (this.plays && now > this.renewAt) this.#renew();
    const loads = this.state === "loading" && this.video.networkState === HTMLMediaElement.NETWORK_LOADING;
    const waits = this.plays && this.state === "waiting";
    if (!waits && (!loads || this.parked)) this.progressAt = now;
    else if (now - this.progressAt > (waits ? STALL_TIMEOUT : LOAD_TIMEOUT)) this.#onError();
  }

  /** Opens a picture-in-picture window. Rejects where the browser refuses, or there is no picture. */
  async openPicture() {
    this.opensPicture = true;
    try {
      await this.video.requestPictureInPicture();
    } finally {
      this.opensPicture = false;
    }
  }

  /** Whether another element in place of this one would close a picture-in-picture window, or keep it from opening. */
  #isInPicture() {
    return this.opensPicture || document.pictureInPictureElement === this.video;
  }

  /** Requests the video again: the gateway fetches a new link for a new request. */
  reload() {
    clearTimeout(this.retryTimer);
    this.retryTimer = null;
    this.progressAt = performance.now();
    this.#setState("loading");
    this.video.src = this.#nextUrl();
  }

  /** Tries again at once and resets the counters: the person asked for it, or the network is back. */
  retry() {
    this.attempts = this.failures = 0;
    if (this.parked) this.#unload();
    else if (this.state === "failed" || this.state === "retrying") this.reload();
  }

  /** Returns a URL that differs each time: browsers reuse the target of an earlier redirect for the same URL. */
  #nextUrl() {
    this.reloads += 1;
    return `${this.path}?again=${this.reloads}`;
  }

  /** Replaces the link before it expires. If that fails, the video's error event leads to a reload. */
  async #renew() {
    this.renewAt = Infinity;
    const { verdict, linkLifetime } = await this.checkAccess(this);
    if (verdict === "later") this.renewSoon();
    if (verdict !== "allowed") return;
    if (linkLifetime) this.setLinkLifetime(linkLifetime);
    if (this.#isInPicture()) return this.reload();
    const first = this.video;
    const url = this.#nextUrl();
    const number = this.reloads;
    const second = await loadStandby(first, url);
    if (second === null) return;
    if (number !== this.reloads) return release(second);
    if (this.#isInPicture()) {
      release(second);
      return this.reload();
    }
    clearTimeout(this.retryTimer);
    this.retryTimer = null;
    second.muted = first.muted;
    if (!this.plays) second.pause();
    this.#attach(second);
    second.inert = false;
    release(first);
    this.#setState("ready");
  }

  #onMetadata() {
    this.problem = this.contents;
    this.#setState("ready");
    this.#dispatch("loaded");
  }

  #onPicture() {
    if (!this.parked) this.still.clear();
    this.#inspect();
  }

  /** Determines once whether there is a picture and a sound that this browser can play. */
  async #inspect() {
    if (this.inspected) return;
    this.inspected = true;
    const { video } = this;
    const picture = video.videoWidth > 0;
    // Chromium has decoded the first sound a little after the first picture.
    await new Promise((resolve) => setTimeout(resolve, DECODING));
    // Without its source, as after park(), an element has no sound.
    const sound = video.readyState ? soundOf(video) : undefined;
    const tracks = picture && sound ? null : await readTracksPatiently(this.path);
    // After a minute of failed requests, the next picture is another occasion.
    this.inspected = tracks !== undefined;
    this.hasPicture = picture;
    if (tracks) this.hasSound = "soun" in tracks;
    else if (sound || tracks === null) this.hasSound = sound ?? null;
    if (!picture) this.problem = this.contents = { kind: tracks?.vide ? "unsupported" : "audio_only", codec: tracks?.vide };
    this.#dispatch("tracks");
    this.#dispatch("state");
  }

  #onWaiting() {
    this.waitsAt = this.video.currentTime;
    this.#follow("waiting");
  }

  #onProgress() {
    this.progressAt = performance.now();
    // WebKitGTK plays on after "waiting" without "playing" or "canplay".
    if (this.state === "waiting" && !this.video.seeking && this.video.currentTime > this.waitsAt + MOVED) this.#follow("ready");
    if (this.video.played.length && !this.video.seeking) this.attempts = this.failures = 0;
    if (this.hasSound || !soundOf(this.video)) return;
    // A slow browser has decoded the first sound later.
    this.hasSound = true;
    this.#dispatch("tracks");
    this.#dispatch("state");
  }

  /** Measures the duration of a frame: the shortest time between two frames, as browsers skip some. */
  #onFrame(time) {
    const gap = time - this.lastFrame;
    if (this.lastFrame !== null && gap > 0.005 && gap < 0.5 && (!this.frame || gap < this.frame)) this.frame = gap;
    this.lastFrame = time;
    this.video.requestVideoFrameCallback((_, frame) => this.#onFrame(frame.mediaTime));
  }

  async #onError() {
    if (this.retryTimer !== null || this.state === "failed" || this.state === "idle") return;
    const undecodable = this.video.error?.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED;
    this.retryTimer = 0;
    this.#setState("retrying");
    const { verdict, code, requestId, retryAfter } = await this.checkAccess(this);
    const tracks = undecodable && verdict === "allowed" ? await inTurn(() => readTracks(this.path)) : null;
    if (this.retryTimer !== 0) return;
    this.failures = verdict === "allowed" ? this.failures + 1 : 0;
    if (verdict === "refused" || verdict === "not_ready" || this.failures > MAX_FAILURES || isUnsupported(tracks)) {
      this.retryTimer = null;
      const kind = verdict === "allowed" ? (undecodable ? "unsupported" : "failed") : verdict;
      this.problem = { kind, code, requestId, codec: tracks?.vide };
      if (kind === "not_ready") this.#scheduleRetry(NOT_READY_RETRY);
      this.#setState("failed");
      return;
    }
    this.attempts += 1;
    // At once after the first error: most often the link has expired, and the next one is good.
    const pause = verdict === "allowed" && this.attempts === 1 ? 0 : Math.min(10, 2 ** (this.attempts - 2));
    this.problem = verdict === "later" && code ? { kind: "later", code, requestId } : null;
    this.#scheduleReload(Math.max(pause * (750 + Math.random() * 500), 1000 * (retryAfter ?? 0)));
    if (this.problem) this.#dispatch("state");
  }

  #scheduleReload(delay) {
    this.retryAt = performance.now() + delay;
    this.retryTimer = setTimeout(() => this.reload(), delay);
  }

  /** For a video that is not ready: asks again while it is not, without showing a reload each time. */
  #scheduleRetry(delay) {
    const { reloads } = this;
    setTimeout(async () => {
      if (this.reloads !== reloads || this.state !== "failed") return;
      const { verdict } = await this.checkAccess(this);
      if (verdict === "allowed") this.retry();
      else if (verdict !== "refused") this.#scheduleRetry(Math.min(60_000, delay * 1.5));
    }, delay);
  }

  #isPausedByOthers() {
    const inPicture = document.pictureInPictureElement === this.video;
    return this.plays && this.video.paused && !this.video.ended && this.isUsable && (!document.hidden || inPicture);
  }

  /** Takes over the element's state, except after an error: late events belong to the old source. */
  #follow(state) {
    if (this.state !== "failed" && this.state !== "retrying") this.#setState(state);
  }

  #setState(state) {
    if (this.state === state) return;
    this.state = state;
    this.#dispatch("state");
  }

  #dispatch(name) {
    this.dispatchEvent(new Event(name));
  }
}

/** Returns whether *video* has a sound, as far as the browser says; undefined if it never does. */
function soundOf(video) {
  const count = video.audioTracks?.length ?? video.mozHasAudio ?? video.webkitAudioDecodedByteCount;
  return count === undefined ? undefined : Boolean(count);
}
