// Positions in a recording, in seconds: parsed from URLs, formatted for people, stored in this browser.

import { data } from "./dom.js";

const MAX_ENTRIES = 50;
const PREFIX = "valt-gateway:";
const MARK = "valt-gateway-mark"; // the key of a text that a sign-out removes with everything else; it begins with the person
const mark = readMark();

/** Returns the seconds of "90", "90.5", "1:30", "1:02:03" or "1h2m3s"; null for anything else. */
export function parsePosition(value) {
  const units = /^(?=\d)(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,6}(?:\.\d+)?)s)?$/.exec(value ?? "");
  if (units) return Number(units[1] ?? 0) * 3600 + Number(units[2] ?? 0) * 60 + Number(units[3] ?? 0);
  if (!/^\d{1,6}(:\d{1,2}){0,2}(\.\d+)?$/.test(value ?? "")) return null;
  return value.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}

/** Returns *seconds* as "1:05" or "1:02:03". */
export function clockTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}

/** Returns the position in *url*, from the fragment first, then from the query; null if it has none. */
export function positionOf(url) {
  const fragment = new URLSearchParams(url.hash.slice(1)).get("t");
  return parsePosition(fragment) ?? parsePosition(url.searchParams.get("t"));
}

/** Returns this page's URL for the position *seconds*, in the query because a sign-in loses a fragment. */
export function linkTo(seconds) {
  return `${location.origin}${location.pathname}?t=${Math.max(0, Math.round(seconds * 10) / 10)}`;
}

/** Returns the mark of what this browser stores until the next sign-out, after writing one if there is none or it is another person's; null without storage. */
function readMark() {
  try {
    if (!localStorage.getItem(MARK)?.startsWith(`${data.person} `)) {
      forget();
      localStorage.setItem(MARK, `${data.person} ${Date.now()}-${Math.random()}`);
    }
    return localStorage.getItem(MARK);
  } catch {
    return null;
  }
}

function storedKeys() {
  return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
}

/** Removes what a tab has stored at the moment of a sign-out: it may have seen the mark for the last time just before. */
function forget() {
  for (const key of storedKeys()) localStorage.removeItem(key);
}

/** Values stored in this browser under *name* until the person signs out (Clear-Site-Data). After that a page that is still open stores nothing more. Storage can be full, or forbidden in a frame: then nothing is stored. */
export class Memory {
  constructor(name) {
    this.key = `${PREFIX}${name}`;
  }

  read(key = this.key) {
    try {
      return JSON.parse(localStorage.getItem(key)) ?? {};
    } catch {
      return {};
    }
  }

  save(values) {
    try {
      const current = localStorage.getItem(MARK);
      if (current === null) forget();
      if (current === null || current !== mark) return;
      localStorage.setItem(this.key, JSON.stringify({ ...this.read(), ...values, at: Date.now() }));
      this.#removeOldest();
    } catch {
      // Without storage the next view starts at the beginning.
    }
  }

  #removeOldest() {
    const keys = storedKeys();
    if (keys.length <= MAX_ENTRIES) return;
    keys.sort((one, other) => (this.read(one).at ?? 0) - (this.read(other).at ?? 0));
    for (const key of keys.slice(0, keys.length - MAX_ENTRIES)) localStorage.removeItem(key);
  }
}
