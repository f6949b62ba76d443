// Moments of a recording, in seconds: read from addresses, written for people, remembered in this browser.

const KEPT = 50;

/** Seconds of "90", "90.5", "1:30" or "1:02:03"; null for anything else. */
export function parse(text) {
  if (!/^\d{1,6}(:\d{1,2}){0,2}(\.\d+)?$/.test(text ?? "")) return null;
  return text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}

/** "1:05" or "1:02:03". */
export function clockTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}

/** The same as a duration that HTML and screen readers understand: "PT1M5S". */
export const duration = (seconds) => `PT${Math.floor(seconds / 60)}M${Math.floor(seconds % 60)}S`;

/** Where the address says to begin: the fragment before the query; null if it says nothing. */
export function asked(address) {
  const fragment = new URLSearchParams(address.hash.slice(1)).get("t");
  return parse(fragment) ?? parse(address.searchParams.get("t"));
}

/** This page's address for the moment *seconds*. In the query, as a sign-in on the way loses a fragment. */
export function linkTo(seconds) {
  return `${location.origin}${location.pathname}?t=${Math.max(0, Math.round(seconds * 10) / 10)}`;
}

/** What this browser remembers. It may remember nothing: storage can be full, or forbidden in a frame. */
export class Memory {
  constructor(recording) {
    this.key = `valt-gateway:${recording}`;
  }

  read(key = this.key) {
    try {
      return JSON.parse(localStorage.getItem(key)) ?? {};
    } catch {
      return {};
    }
  }

  keep(values) {
    try {
      localStorage.setItem(this.key, JSON.stringify({ ...this.read(), ...values, at: Date.now() }));
      this.#forgetOldest();
    } catch {
      // Then the next visit begins at the beginning.
    }
  }

  #forgetOldest() {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith("valt-gateway:"));
    if (keys.length <= KEPT) return;
    keys.sort((one, other) => (this.read(one).at ?? 0) - (this.read(other).at ?? 0));
    for (const key of keys.slice(0, keys.length - KEPT)) localStorage.removeItem(key);
  }
}
