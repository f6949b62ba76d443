// One clock for every camera.
//
// One camera leads: the one that sounds. It plays at the speed that was asked for and is never corrected, so that
// nothing of the keeping in step can be heard. The others are mute and follow it: a little faster or slower while
// they are near, by a seek when they are far off. Where the leader ends or breaks, the next one leads.

const TICK = 100; // milliseconds
const IN_STEP = 0.01; // seconds; where a correction ends
const NEAR = 0.03; // seconds; smaller differences begin none
const LATE = 0.1; // seconds; larger ones need a bolder one
const FAR = 0.25; // seconds; larger ones are not worth catching up with
const GENTLE = 0.1; // parts of the speed
const BOLD = 0.25;
const SEEK_TAKES = 0.08; // seconds that a seek costs a follower
const BETWEEN_SEEKS = 1500; // milliseconds
const FRAME = 1 / 25; // seconds; until frames have been seen
const END = 0.05; // seconds

/** Tells "change" when what it does changes, and "time" as time goes on. */
export class Clock extends EventTarget {
  constructor(cameras, length) {
    super();
    Object.assign(this, { cameras, told: length, place: 0, rate: 1, playing: false, muted: false });
    this.sounding = cameras[0];
    this.lead = null;
    this.sought = new Map();
    this.corrections = new Map();
    for (const camera of cameras) {
      camera.addEventListener("played", () => this.play());
      camera.addEventListener("paused", () => this.pause());
      camera.addEventListener("loaded", () => this.#joins(camera));
      camera.addEventListener("state", () => this.#tell("change"));
    }
    setInterval(() => this.#tick(), TICK);
    this.#choose();
  }

  /** The longest camera's; until one is known, what VALT says. */
  get length() {
    return Math.max(0, ...this.cameras.map((camera) => camera.length)) || this.told || 0;
  }

  /** Whether it would go on and cannot. */
  get waiting() {
    return this.playing && (this.lead === null || this.lead.state === "waiting");
  }

  play() {
    if (this.playing) return;
    if (this.place >= this.length - END) this.seek(0);
    this.playing = true;
    this.#tick();
    this.#tell("change");
  }

  pause() {
    if (!this.playing) return;
    this.#read();
    this.playing = false;
    for (const camera of this.cameras) {
      camera.halt();
      if (camera !== this.lead) camera.seek(this.place);
    }
    this.#tell("change");
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  seek(seconds) {
    this.place = Math.min(Math.max(0, seconds), this.length || seconds);
    for (const camera of this.cameras) camera.seek(this.place);
    this.#choose();
    this.#tell("time");
  }

  /** One frame on, or back. */
  step(direction) {
    this.pause();
    this.seek(this.place + direction * (this.lead?.frame || FRAME));
  }

  /** Faster or slower: 0.5 to 2. */
  speed(rate) {
    this.rate = rate;
    for (const camera of this.cameras) camera.speed(rate);
    this.#tell("change");
  }

  mute(muted) {
    this.muted = muted;
    this.#sound();
    this.#tell("change");
  }

  /** Let *camera* sound, and with it lead. */
  listenTo(camera) {
    this.sounding = camera;
    this.#choose();
    this.#tell("change");
  }

  #tick() {
    const now = performance.now();
    for (const camera of this.cameras) camera.watch(now);
    if (!this.playing) return;
    this.#read();
    this.#choose();
    if (this.lead === null) {
      for (const camera of this.cameras) camera.halt();
      if (!this.cameras.some((camera) => camera.mayCome)) this.#end();
      return;
    }
    this.lead.speed(this.rate);
    this.lead.run(this.place);
    const held = this.lead.video.seeking || this.lead.state === "waiting";
    for (const camera of this.cameras) {
      if (camera === this.lead) continue;
      if (held || !camera.covers(this.place)) camera.halt();
      else this.#follow(camera, now);
    }
    this.#tell("time");
  }

  #follow(camera, now) {
    if (camera.video.seeking) return;
    const late = this.place - camera.video.currentTime;
    if (Math.abs(late) > FAR) {
      if (now - (this.sought.get(camera) ?? -Infinity) > BETWEEN_SEEKS) {
        this.sought.set(camera, now);
        camera.seek(this.place + SEEK_TAKES * this.rate);
      }
    } else {
      const correction = corrected(this.corrections.get(camera) ?? 0, late);
      this.corrections.set(camera, correction);
      camera.speed(this.rate * (1 + correction));
    }
    camera.run(this.place);
  }

  #read() {
    if (this.lead?.usable && !this.lead.video.seeking) this.place = this.lead.video.currentTime;
  }

  /** The camera that sounds leads once it is in step; until then, and after its end, any other does. */
  #choose() {
    const fits = (camera) => camera.covers(this.place);
    const inStep = Math.abs(this.sounding.video.currentTime - this.place) < 2 * FAR;
    if (fits(this.sounding) && (inStep || this.lead === null)) this.lead = this.sounding;
    else if (this.lead === null || !fits(this.lead)) this.lead = this.cameras.find(fits) ?? null;
    this.#sound();
  }

  #sound() {
    for (const camera of this.cameras) {
      const heard = camera === (this.lead ?? this.sounding);
      camera.video.muted = this.muted || !heard;
      // Of one that is not heard it only makes each change of speed dearer.
      camera.video.preservesPitch = heard;
    }
  }

  /** A camera has loaded, for the first time or once more. */
  #joins(camera) {
    camera.seek(this.place);
    camera.speed(this.rate);
    this.#choose();
    this.#tell("change");
  }

  #end() {
    this.playing = false;
    this.place = Math.min(this.place, this.length);
    this.#tell("change");
  }

  #tell(what) {
    this.dispatchEvent(new Event(what));
  }
}

/** The part of the speed by which a follower that is so *late* makes up for it, if *kept* is the part until now. */
function corrected(kept, late) {
  const off = Math.abs(late);
  if (off > LATE) return Math.sign(late) * BOLD;
  // A change of speed costs a browser a hundredth of a second or two: few are made, and each does its work.
  if (kept * late > 0) return off > IN_STEP ? kept : 0;
  return off > NEAR ? Math.sign(late) * GENTLE : 0;
}
