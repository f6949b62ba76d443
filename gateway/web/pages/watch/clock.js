// One clock for all cameras.
//
// One camera leads: the one that is heard. It plays at the chosen speed, which is never adjusted, so that keeping the
// cameras synchronous cannot be heard. The others are muted and follow: a little faster or slower while they are near, by
// a seek when they are far off. When the leader ends or fails, the next usable camera leads.

const TICK = 100; // milliseconds
const IN_STEP = 0.01; // seconds; an adjustment ends below this difference
const NEAR = 0.03; // seconds; smaller differences start no adjustment
const LATE = 0.1; // seconds; larger differences get the strong adjustment
const FAR = 0.25; // seconds; larger differences get a seek
const GENTLE = 0.1; // parts of the speed
const STRONG = 0.25;
const SEEK_DURATION = 0.08; // seconds that a seek of a follower takes
const SEEK_INTERVAL = 1500; // milliseconds
const FRAME = 1 / 25; // seconds; until a camera has measured its own
const END = 0.05; // seconds

/** Dispatches "change" when its state changes, and "time" as time goes on. */
export class Clock extends EventTarget {
  constructor(cameras, length) {
    super();
    Object.assign(this, { cameras, statedLength: length, position: 0, rate: 1, playing: false, muted: false, volume: 1 });
    Object.assign(this, { sounding: cameras[0], chosen: false, leader: null, repeat: null, ended: false });
    this.seeks = new Map();
    this.adjustments = new Map();
    for (const camera of cameras) {
      camera.addEventListener("played", () => this.play());
      camera.addEventListener("paused", () => this.pause());
      camera.addEventListener("loaded", () => this.#onLoaded(camera));
      camera.addEventListener("tracks", () => this.#chooseSound());
      camera.addEventListener("state", () => this.#dispatch("change"));
    }
    setInterval(() => this.#tick(), TICK);
    this.#chooseLeader();
  }

  /** The longest camera's length in seconds; before one is loaded, the one that VALT states. */
  get length() {
    return Math.max(0, ...this.cameras.map((camera) => camera.length)) || this.statedLength || 0;
  }

  /** Whether it should play and cannot. */
  get isWaiting() {
    return this.playing && (this.leader === null || this.leader.state === "waiting");
  }

  play() {
    if (this.playing) return;
    if (this.position >= this.length - END) this.seek(0);
    this.playing = true;
    this.ended = false;
    for (const camera of this.cameras) camera.load();
    this.#tick();
    this.#dispatch("change");
  }

  pause() {
    if (!this.playing) return;
    this.#readPosition();
    this.playing = false;
    for (const camera of this.cameras) {
      camera.stop();
      if (camera !== this.leader) camera.seek(this.position);
    }
    this.#dispatch("change");
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  seek(seconds) {
    this.position = Math.min(Math.max(0, seconds), this.length || seconds);
    this.ended = false;
    for (const camera of this.cameras) camera.seek(this.position);
    this.#chooseLeader();
    this.#dispatch("time");
  }

  /** Steps one frame forward (1) or back (-1). */
  step(direction) {
    this.pause();
    this.seek(this.position + direction * (this.leader?.frame || FRAME));
  }

  /** Sets the speed, 0.5 to 3. */
  setRate(rate) {
    this.rate = rate;
    for (const camera of this.cameras) camera.setRate(rate);
    this.#dispatch("change");
  }

  setMuted(muted) {
    this.muted = muted;
    this.#applySound();
    this.#dispatch("change");
  }

  /** Sets the volume, 0 to 1. */
  setVolume(volume) {
    this.volume = Math.min(1, Math.max(0, volume));
    this.muted = this.volume === 0;
    this.#applySound();
    this.#dispatch("change");
  }

  /** Makes *camera* the one that is heard and leads. */
  listenTo(camera) {
    this.sounding = camera;
    this.chosen = true;
    this.#chooseLeader();
    this.#dispatch("change");
  }

  /** Repeats from one position to another, until called with null. */
  setRepeat(range) {
    this.repeat = range;
    this.#dispatch("change");
  }

  #tick() {
    const now = performance.now();
    for (const camera of this.cameras) camera.check(now);
    if (!this.playing) return;
    this.#readPosition();
    if (this.repeat?.end && this.position >= this.repeat.end) return this.seek(this.repeat.start);
    this.#chooseLeader();
    if (this.leader === null) {
      for (const camera of this.cameras) camera.stop();
      if (!this.cameras.some((camera) => camera.mayRecover)) this.#end();
      return;
    }
    this.leader.setRate(this.rate);
    this.leader.playAt(this.position);
    const halted = this.leader.video.seeking || this.leader.state === "waiting";
    for (const camera of this.cameras) {
      if (camera === this.leader) continue;
      if (halted || !camera.covers(this.position)) camera.stop();
      else this.#follow(camera, now);
    }
    this.#dispatch("time");
  }

  #follow(camera, now) {
    if (camera.video.seeking) return;
    const late = this.position - camera.video.currentTime;
    if (Math.abs(late) > FAR) {
      if (now - (this.seeks.get(camera) ?? -Infinity) > SEEK_INTERVAL) {
        this.seeks.set(camera, now);
        camera.seek(this.position + SEEK_DURATION * this.rate);
      }
    } else {
      const adjustment = adjust(this.adjustments.get(camera) ?? 0, late);
      this.adjustments.set(camera, adjustment);
      camera.setRate(this.rate * (1 + adjustment));
    }
    camera.playAt(this.position);
  }

  #readPosition() {
    if (this.leader?.isUsable && !this.leader.video.seeking) this.position = this.leader.video.currentTime;
  }

  /** The camera that is heard leads once it is synchronous; until then, and after its end, another one does. */
  #chooseLeader() {
    const fits = (camera) => camera.covers(this.position);
    const inStep = Math.abs(this.sounding.video.currentTime - this.position) < 2 * FAR;
    if (fits(this.sounding) && (inStep || this.leader === null)) this.leader = this.sounding;
    else if (this.leader === null || !fits(this.leader)) this.leader = this.cameras.find(fits) ?? null;
    this.#applySound();
  }

  /** Unless the person chose one, the first camera that has a sound is heard. */
  #chooseSound() {
    if (this.chosen || this.sounding.hasSound !== false) return;
    this.sounding = this.cameras.find((camera) => camera.hasSound) ?? this.sounding;
    this.#chooseLeader();
    this.#dispatch("change");
  }

  #applySound() {
    for (const camera of this.cameras) {
      const audible = camera === (this.leader ?? this.sounding);
      camera.setMuted(this.muted || !audible);
      if (camera.video.volume !== this.volume) camera.video.volume = this.volume;
      // For a muted video it only makes each change of speed more expensive.
      camera.video.preservesPitch = audible;
    }
  }

  /** A camera has loaded its metadata, for the first time or again. */
  #onLoaded(camera) {
    camera.seek(this.position);
    camera.setRate(this.rate);
    this.#chooseLeader();
    this.#dispatch("change");
  }

  #end() {
    this.playing = false;
    this.ended = true;
    this.position = Math.min(this.position, this.length);
    this.#dispatch("change");
  }

  #dispatch(name) {
    this.dispatchEvent(new Event(name));
  }
}

/** Returns the part of the speed to add for a follower that is *late* by so many seconds; *current* is the part now. */
function adjust(current, late) {
  const difference = Math.abs(late);
  if (difference > LATE) return Math.sign(late) * STRONG;
  // A change of speed costs a browser 10 to 20 ms: an adjustment goes on until it has done its work.
  if (current * late > 0) return difference > IN_STEP ? current : 0;
  return difference > NEAR ? Math.sign(late) * GENTLE : 0;
}
